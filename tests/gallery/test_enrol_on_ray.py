"""Enrolment on real Ray clusters, against an enrolment without Ray."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from extraction.clusters import MEMORY, make_images, run_script
from resight.cli import main
from resight.gallery import Gallery

pytestmark = pytest.mark.slow

MODEL = "student-fastest"


@pytest.fixture(scope="module", autouse=True)
def needs_ray() -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install '.[scale]'")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1400 crops, six chunks. One is there twice, one is empty, one is no image."""
    flat = make_images(tmp_path_factory.mktemp("images"), 1400)
    shutil.copy(flat / "0000.jpg", flat / "0001.jpg")
    (flat / "0301.jpg").write_bytes(b"")
    return flat


@pytest.fixture(scope="module")
def plain(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery that was made without Ray, and what was said about it."""
    folder = tmp_path_factory.mktemp("plain")
    assert main(["gallery", "create", str(folder / "gallery"), "--model", MODEL, "--retention", "unlimited"]) == 0
    assert main(["gallery", "add", str(folder / "gallery"), str(images), "--json", str(folder / "report.json")]) == 0
    return folder


def check(folder: Path, plain: Path) -> None:
    """Both galleries hold the same sightings, in the same order."""
    with Gallery.open(folder / "gallery") as one, Gallery.open(plain / "gallery") as other:
        ids = [record.id for record in one.records()]
        assert ids == [record.id for record in other.records()] and len(ids) == 1397
        some, others = one.sightings(ids), other.sightings(ids)
        for id in ids:
            np.testing.assert_array_equal(some[id].embedding, others[id].embedding)
            assert (some[id].thumbnail, some[id].source) == (others[id].thumbnail, others[id].source)


def test_a_node_that_is_killed_changes_nothing_and_work_goes_on(images: Path, plain: Path, tmp_path: Path) -> None:
    script = f"""
import os
import ray.cluster_utils
from resight.cli import main
from resight.errors import ResightError
from resight.extraction.cluster import Copies
from resight.gallery import Gallery, find_crops
from resight.gallery.enrol_on_ray import on_ray
from resight.models import load_model

main(["gallery", "create", {str(tmp_path / "gallery")!r}, "--model", {MODEL!r}, "--retention", "unlimited"])
cluster = ray.cluster_utils.Cluster(initialize_head=True, head_node_args=dict(num_cpus=1, object_store_memory={MEMORY}))
node = cluster.add_node(num_cpus=1, object_store_memory={MEMORY})
cluster.wait_for_nodes()
model = load_model({MODEL!r}, threads=1)
copies = Copies(address=cluster.address, model={MODEL!r})
gallery = Gallery.open({str(tmp_path / "gallery")!r})

def add(sha256, progress):
    return gallery.enrol(model, find_crops({str(images)!r}), embed=on_ray(copies, sha256), progress=progress)

try:
    add("of other weights", print)
except ResightError as error:
    print(">", error, len(gallery))

def stop(stage, done, total, note=""):
    print(">", done)
    raise KeyboardInterrupt

try:
    add(model.sha256, stop)
except KeyboardInterrupt:
    print(">", len(gallery))

def progress(stage, done, total, note=""):
    global node
    print(">", done)
    if node is not None:
        cluster.remove_node(node, allow_graceful=False)
        node = None
        print("> killed")

done = add(model.sha256, progress)
print(">", done.added, done.present, len(done.failures))
cluster.shutdown()
"""
    said = [line[2:] for line in run_script(script).splitlines() if line.startswith("> ")]
    assert said[0].startswith(f"{MODEL} has other weights on ") and said[0].endswith(" 0")
    assert said[1:6] == ["256", "255", "256", "killed", "512"]
    assert said[-2:] == ["1400", f"{1397 - 255} 256 2"]
    check(tmp_path, plain)


def test_the_command_says_what_it_says_without_ray(
    images: Path, plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(tmp_path / "gallery"), str(images), "--ray", "local", "--json", str(tmp_path / "report.json")]
    script = "from resight.cli import main\nraise SystemExit(main({}))"
    run_script(script.format(["gallery", "create", words[0], "--model", MODEL, "--retention", "unlimited"]))
    run_script(script.format(["gallery", "add", *words]))
    check(tmp_path, plain)
    one, other = (json.loads((folder / "report.json").read_text()) for folder in (tmp_path, plain))
    assert one == other
