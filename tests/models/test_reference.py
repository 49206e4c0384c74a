"""What users write for a model, and what a folder called ``student`` must not change."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.exported_models import colours, save
from resight.cli import main
from resight.errors import ConfigurationError, WeightsError
from resight.models import load_model
from resight.models.reference import FITTED_ARRAYS, parse
from resight.models.resolve import weights_file
from resight.networks import CARD
from resight.shipped import SHIPPED, shipped_file


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a folder or file of every name that means something else."""
    monkeypatch.chdir(tmp_path)
    for name in (*SHIPPED, "lomo", "osnet-0.25", "resnet-50-imagenet", "run", "night.onnx", "day.xml", "fitted", "empty"):
        Path(name).mkdir()
    for name in ("student", "osnet-0.25", "run", "night.onnx", "day.xml"):
        Path(name, CARD).write_text("{}")
    Path("fitted", FITTED_ARRAYS).touch()
    Path("loose.pth").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "kind", "name", "path"),
    [
        ("student", "shipped", "student", shipped_file("student", ".onnx")),
        ("student-fastest", "shipped", "student-fastest", shipped_file("student-fastest", ".onnx")),
        ("lomo", "lomo", "", None),
        ("lomo:msrcp", "lomo", "msrcp", None),
        ("osnet-0.25", "network", "osnet-0.25", None),
        ("osnet-0.25:w.pth", "weights", "osnet-0.25", Path("w.pth")),
        ("resnet-50-imagenet", "published", "resnet-50-imagenet", None),
        ("model.onnx", "onnx", "", Path("model.onnx")),
        ("openvino:student", "openvino", "student", shipped_file("student", ".onnx")),
        ("openvino:model.xml", "openvino", "", Path("model.xml")),
        ("run", "run", "", Path("run")),
        ("night.onnx", "run", "", Path("night.onnx")),  # a folder, whatever its name
        ("day.xml", "run", "", Path("day.xml")),
        ("./student", "run", "", Path("student")),
        ("./student-fast", "folder", "", Path("student-fast")),
        ("./osnet-0.25", "run", "", Path("osnet-0.25")),
        ("fitted", "fitted", "", Path("fitted")),
        ("empty", "folder", "", Path("empty")),
    ],
)
def test_every_kind(text: str, kind: str, name: str, path: Path | None, here: Path) -> None:
    found = parse(text)
    assert (found.text, found.kind, found.name, found.path) == (text, kind, name, path)
    again = parse(found.absolute)
    assert (again.kind, again.name, again.absolute) == (kind, name, found.absolute)
    if path is not None and name not in SHIPPED:
        assert str(here / path) in found.absolute


@pytest.mark.usefixtures("here")
def test_a_path_object_is_always_a_path() -> None:
    assert parse(Path("student")).kind == "run" and parse(Path("student-fast")).kind == "folder"
    assert parse(Path("student").resolve()).kind == "run"


@pytest.mark.usefixtures("here")
def test_what_is_not_known_is_refused_with_the_nearest_name() -> None:
    for text, nearest in (("studnet", "student"), ("osnet-0.3", "osnet-0"), ("resnet-50-imagenet-v1", "resnet-50-imagenet")):
        with pytest.raises(ConfigurationError, match=f"no model '{text}' .did you mean '{nearest}"):
            parse(text)
    with pytest.raises(ConfigurationError, match=r"loose\.pth does not say what network it is; .*NETWORK:loose\.pth"):
        parse("loose.pth")
    with pytest.raises(WeightsError, match="empty holds no finished network"):
        load_model("empty")
    with pytest.raises(WeightsError, match=r"\./student-fast holds no finished network"):
        load_model("./student-fast")


@pytest.mark.usefixtures("here")
def test_weights_to_start_from_have_the_same_names() -> None:
    assert weights_file("student") == shipped_file("student", ".safetensors")
    assert weights_file("./student") == Path("student/network.safetensors") and weights_file("w.pth") == Path("w.pth")


def test_a_folder_called_student_changes_no_verb(here: Path, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The shipped student wins in every verb that takes a model; ``./student`` is the folder, which holds no network."""
    (here / "student" / CARD).write_text(json.dumps({"training": {"dataset": "drawn"}}))
    (here / "student" / FITTED_ARRAYS).touch()
    image = next((tiny / "query").iterdir())
    own = load_model("student")
    expected = own.embed(image)
    assert main(["gallery", "create", "people", "--model", "student", "--retention", "1d", "--json", "made.json"]) == 0
    assert json.loads((here / "made.json").read_text())["model"] == "student"
    assert main(["gallery", "add", "people", str(image)]) == 0
    assert main(["gallery", "search", "people", str(image), "--json", "found.json"]) == 0
    assert json.loads((here / "found.json").read_text())["matches"][0]["distance"] == pytest.approx(0, abs=1e-6)
    assert main(["extract", "--images", str(image), "--out", "v", "--model", "student"]) == 0
    np.testing.assert_array_equal(np.load(here / "v.npy")[0], expected)
    assert main(["evaluate", "--data", str(tiny), "--model", "student", "--json", "scores.json"]) == 0
    assert json.loads((here / "scores.json").read_text())["model_sha256"] == own.sha256
    capsys.readouterr()
    verbs = [
        ["gallery", "create", "others", "--retention", "1d"],
        ["extract", "--images", str(image), "--out", "w"],
        ["evaluate", "--data", str(tiny)],
        ["gallery", "search", "people", str(image)],
    ]
    for verb in verbs:
        assert main([*verb, "--model", "./student"]) == 2
        assert "student is damaged" in capsys.readouterr().err


def test_a_gallery_of_an_exported_file_is_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Path
) -> None:
    save(tmp_path / "m.onnx", colours())
    monkeypatch.chdir(tmp_path)
    assert main(["gallery", "create", "people", "--model", "m.onnx", "--retention", "1d"]) == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["gallery", "add", "../people", str(next((tiny / "query").iterdir()))]) == 0


def test_names_are_read_without_pytorch() -> None:
    program = (
        "import sys; from resight.models.reference import parse; parse('osnet-0.25:x'); parse('resnet-50');"
        "import resight.models.resolve; print(sorted({'torch', 'onnx', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
