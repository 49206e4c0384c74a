"""`import resight`: one table of names, which type checkers see as well, and which waits for nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import resight

EXAMPLE = """
import sys
import resight
model = resight.load_model()
vectors = model.embed([sys.argv[2], sys.argv[2]])
gallery = resight.Gallery.open(sys.argv[1])
hits = gallery.search(vectors[0], k=10)
print(model, gallery, hits, sep="\\n")
heavy = {"torch", "onnx", "scipy", "numba", "matplotlib", "fastapi", "PIL"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


def test_the_table_is_what_type_checkers_see() -> None:
    tree = ast.parse(Path(resight.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {}
    for line in block.body:
        assert isinstance(line, ast.ImportFrom)
        for alias in line.names:
            assert alias.asname == alias.name  # marks it as meant for others
            seen[alias.name] = line.module
    assert seen == resight._HOMES


def test_every_name_is_there_and_listed() -> None:
    assert set(dir(resight)) == {*resight.__all__, "__version__"}
    assert resight.__version__[0].isdigit()
    for name in resight.__all__:
        value = getattr(resight, name)
        assert value.__doc__, name
        assert value.__name__ == name
    with pytest.raises(AttributeError, match=r"no attribute 'load_modle' .did you mean 'load_model'"):
        _ = resight.load_modle


def test_importing_it_imports_nothing_else() -> None:
    program = "import sys; before = set(sys.modules); import resight; print([n for n in sys.modules if n.startswith('resight.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_three_lines_search_a_gallery_without_pytorch(tiny: Path, tmp_path: Path) -> None:
    images = sorted((tiny / "query").iterdir())
    model = resight.load_model()
    people = tmp_path / "people"
    with resight.Gallery.create(people, resight.Settings.for_model("student", model, retention=None)) as gallery:
        gallery.enrol(model, resight.find_crops(tiny / "query"))
    program = [sys.executable, "-c", EXAMPLE, str(people), str(images[0])]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("<OnnxModel 'student-160x64 fp32 onnx'")
    assert images[0].name in done.stdout


def test_results_print_well(tiny: Path, tmp_path: Path) -> None:
    dataset = resight.open_dataset(tiny)
    counts = [len(dataset.train), len(dataset.query), len(dataset.gallery)]
    assert repr(dataset) == f"<Dataset drawn in {tiny}: {counts[0]} training, {counts[1]} query and {counts[2]} gallery images>"
    assert repr(dataset.query) == f"<Records: {counts[1]} images of 6 people by 3 cameras>"
    model = resight.load_model("lomo", height=32, width=16)
    scores = resight.evaluate_model(model, dataset)
    assert f"mAP {100 * scores.map:.2f} %; {counts[1]} queries" in repr(scores)
    settings = resight.Settings.for_model("lomo", model, retention=None)
    files = [Path(path).read_bytes() for path in dataset.query.paths[:3]]
    crops = [resight.Crop(source=f"<{number}>", data=data, camera="hall") for number, data in enumerate(files)]
    with resight.Gallery.create(tmp_path / "people", settings) as gallery:
        gallery.enrol(model, crops)
        assert repr(gallery) == f"<Gallery in {tmp_path / 'people'}: 3 sightings by lomo, euclidean distance>"
        hits = gallery.search(model.embed(dataset.query.paths[0]), k=2)
        first = repr(hits).splitlines()
        assert first[0].split() == ["rank", "distance", "camera", "time", "identity", "source"]
        assert first[1].split() == ["1", "0.0000", "hall", "<0>"] and len(first) == 3
        assert "<td>&lt;0&gt;</td>" in hits._repr_html_() and "<0>" not in hits._repr_html_()
        assert repr(gallery.search(model.embed(dataset.query.paths[0]), where=resight.Where(cameras={"attic"}))) == "<no matches>"
