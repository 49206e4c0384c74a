"""What is known of the terms of use of images and weights."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from resight.export.config import ExportConfig
from resight.export.model import export_model
from resight.models.inspect import inspect_model
from resight.models.terms import terms_of_images, terms_of_weights
from resight.networks.published import PUBLISHED
from resight.shipped import SHIPPED, TERMS
from support import SHARED, needs_shared


def test_terms_of_images() -> None:
    assert terms_of_images("market1501+prid2011") == "for research only (market1501, prid2011)"
    assert terms_of_images("drawn").startswith("drawn")
    assert "your own" in terms_of_images("folder")


def test_terms_of_weights_follow_them_from_run_to_run(tiny_run: Path, tmp_path: Path) -> None:
    assert "Open Model Zoo" in terms_of_weights("student-general") and "Zoo" not in terms_of_weights("student")
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


def test_every_shipped_file_has_its_terms_in_words_and_on_the_card() -> None:
    """The figures of all tests are of these files, so older ones keep their bytes, and the card beside them says their terms."""
    card = (files("resight.shipped") / "README.md").read_text()
    assert set(TERMS) == set(SHIPPED)
    for name, file in SHIPPED.items():
        row = next(line for line in card.splitlines() if line.startswith(f"| `{file}.onnx`, `.safetensors`"))
        for data in ("Market-1501", "MSMT17", "ImageNet", "PRID 2011", "Open Model Zoo"):
            assert (data in row) == (data in TERMS[name]), (name, data)


def test_an_exported_model_carries_its_terms_wherever_it_goes(tiny_run: Path, tmp_path: Path) -> None:
    export_model(str(tiny_run), tmp_path / "alone.onnx", ExportConfig())
    assert terms_of_weights(str(tmp_path / "alone.onnx")) == terms_of_weights(str(tiny_run))
    assert "drawn" in inspect_model(str(tmp_path / "alone.onnx"))["terms"]
    (tmp_path / "damaged.onnx").write_bytes((tmp_path / "alone.onnx").read_bytes()[:1000])
    assert terms_of_weights(str(tmp_path / "damaged.onnx")).startswith("not known")


@needs_shared("weights/person-reidentification-retail-0286.xml")
@pytest.mark.parametrize("before", ["", "openvino:"])
def test_a_published_file_is_known_wherever_it_lies(before: str) -> None:
    file = SHARED / "weights/person-reidentification-retail-0286.xml"
    assert terms_of_weights(f"{before}{file}") == PUBLISHED["omz-0286"].terms
