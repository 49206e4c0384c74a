"""Names in a drawn list: every script has its letters."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from resight.datasets.names import from_left
from resight.gallery.picture import draw_matches


@pytest.mark.skipif(not hasattr(cv2, "FontFace"), reason="needs OpenCV 5, whose font has the letters")
def test_names_of_any_script_are_drawn_with_their_letters(tmp_path: Path) -> None:
    names = ["张伟", "田中", "Ελένη", "Мария", "שרה", "محمد", "Zoë", "Zoe", "??", "<5F20>", "\ue000\ue000", "\ue000\ue000\ue000"]
    drawn = []
    for name in names:
        draw_matches(tmp_path / "list.png", [np.zeros((64, 32, 3), np.uint8)], [], {}, name)
        drawn.append((tmp_path / "list.png").read_bytes())
    assert len(set(drawn)) == len(names)
    draw_matches(tmp_path / "list.png", [np.zeros((64, 32, 3), np.uint8)], [], {}, "□□")
    assert (tmp_path / "list.png").read_bytes() == drawn[-2], "a letter that the font does not have is a box"


def test_letters_stand_from_left_to_right() -> None:
    assert from_left("Ann שרה 1") == "Ann הרש 1" and from_left("Zoë") == "Zoë"
