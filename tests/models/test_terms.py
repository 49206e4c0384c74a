"""What is known of the terms of use of images and weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from resight.models.terms import terms_of_images, terms_of_weights
from resight.networks.published import PUBLISHED
from resight.shipped import TERMS
from support import SHARED, needs_shared


def test_terms_of_images() -> None:
    assert terms_of_images("market1501+prid2011") == "for research only (market1501, prid2011)"
    assert terms_of_images("drawn").startswith("drawn")
    assert "your own" in terms_of_images("folder")


def test_terms_of_weights_follow_them_from_run_to_run(tiny_run: Path, tmp_path: Path) -> None:
    assert terms_of_weights("student") == TERMS
    assert terms_of_weights("omz-0277") == PUBLISHED["omz-0277"].terms
    assert (
        terms_of_weights(str(tmp_path / "nothing.onnx")) == terms_of_weights("mobilenet-0.25") == "not known: ask whoever made it"
    )
    run = shutil.copytree(tiny_run, tmp_path / "run")
    for reference in (run, run / "network.safetensors"):
        assert "drawn" in terms_of_weights(str(reference))
    card = json.loads((run / "card.json").read_text())
    card["training"]["terms"] = {"training data": "mine", "initial weights": "theirs", "teacher x": "theirs"}
    (run / "card.json").write_text(json.dumps(card))
    assert terms_of_weights(str(run)) == "mine; theirs"


@needs_shared("weights/person-reidentification-retail-0286.xml")
@pytest.mark.parametrize("before", ["", "openvino:"])
def test_a_published_file_is_known_wherever_it_lies(before: str) -> None:
    file = SHARED / "weights/person-reidentification-retail-0286.xml"
    assert terms_of_weights(f"{before}{file}") == PUBLISHED["omz-0286"].terms
