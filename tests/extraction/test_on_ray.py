"""Extraction on real Ray clusters, each in a process of its own, against an extraction without Ray."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from extraction.clusters import MEMORY, make_images, run_script
from resight.datasets.image_list import find_images
from resight.extraction.extract import extract
from resight.files import read_json
from resight.models import load_model

pytestmark = pytest.mark.slow

MODEL = "student-fastest"


@pytest.fixture(scope="module", autouse=True)
def needs_ray() -> None:
    """Skip if Ray is not installed; a module that skips itself would count where slow tests are not wanted."""
    pytest.importorskip("ray", reason="needs Ray: pip install '.[scale]'")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of 256 images; one of these is no image, and one has a name that is not UTF-8."""
    flat = make_images(tmp_path_factory.mktemp("images"), 600)
    os.rename(flat / "0001.jpg", os.fsencode(flat) + b"/0001-\xe9.jpg")
    return flat


@pytest.fixture(scope="module")
def plain(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain") / "vectors"
    extract(load_model(MODEL, threads=1), images, out)
    return out


def on_ray(script: str, images: Path, out: Path, **more: str) -> str:
    """Run a script that has ``run(address, progress)`` in a process of its own, and return what it prints."""
    begin = f"""
import ray.cluster_utils
from resight.datasets.image_list import find_images
from resight.extraction.cluster import Copies
from resight.extraction.on_ray import extract_on_ray

def run(address, progress=print, out={str(out)!r}):
    images, copies = find_images({str(images)!r}), Copies(address=address, model={MODEL!r})
    return extract_on_ray(copies, images, out, images_per_shard=256, progress=progress)
"""
    return run_script(begin + script, **more)


def equal(out: Path, plain: Path) -> bool:
    """Tell if the vectors, the table and the report are those of an extraction without Ray."""
    table = pytest.importorskip("pyarrow.parquet").read_table(f"{out}.parquet")
    vectors = np.stack(table["vector"].to_numpy())
    one, other = (read_json(Path(f"{name}.report.json")) for name in (out, plain))
    rows = [Path(path).name for path in table["path"].to_pylist() if "xe9" not in path]
    tables = [Path(f"{name}.csv").read_bytes().splitlines() for name in (out, plain)]
    return (
        np.array_equal(vectors, np.load(f"{plain}.npy"))
        and rows == [Path(path).name for path in find_images(Path(f"{plain}.csv")).paths if "\udce9" not in path]
        and [line.split(b"/")[-1] for line in tables[0]] == [line.split(b"/")[-1] for line in tables[1]]
        and all(one[name] == other[name] for name in ("vectors", "images", "failures", "model_sha256"))
        and sum(one["shards"].values()) == one["vectors"]
    )


def test_it_goes_on_and_the_vectors_are_those_without_ray(images: Path, plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "vectors"
    script = """
from resight.extraction import on_ray
from pathlib import Path

def stopped(blocks, arguments, copies):
    yield on_ray._make_shard(blocks[1], **arguments)["images"][0].as_py()
    raise KeyboardInterrupt

real, on_ray._run = on_ray._run, stopped
try:
    run("")
except KeyboardInterrupt:
    on_ray._run = real
(partial,) = Path(OUT).parent.glob("*.partial")
(shard,) = partial.iterdir()
before = shard.stat().st_mtime_ns
run("local")
assert (Path(OUT).with_suffix(".parquet") / shard.name).stat().st_mtime_ns == before
run("no cluster is asked for finished work")
"""
    said = on_ray(script.replace("OUT", repr(str(out))), images, out)
    assert "256 600" in said and said.count("600 600") == 2 and "finished before" in said
    assert equal(out, plain)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["vectors.csv", "vectors.parquet", "vectors.report.json"]
    found = find_images(f"{out}.parquet")
    assert (len(found), set(found.identities)) == (599, set(find_images(f"{out}.csv").identities))


def test_a_shard_without_a_readable_image_is_empty(tmp_path: Path) -> None:
    import pyarrow as pa

    from resight.extraction.on_ray import _write_shard

    block = pa.table({"path": ["a.jpg"], "file": [os.fsencode(tmp_path / "a.jpg")], "number": [0]})
    _write_shard(block, load_model(MODEL, threads=1), tmp_path / "0.parquet")
    assert pa.parquet.read_table(tmp_path / "0.parquet").num_rows == 0


def test_workers_read_images_by_url(images: Path, plain: Path, tmp_path: Path) -> None:
    names = sorted(path.name for path in images.iterdir() if "\udce9" not in str(path) and path.name != "0300.jpg")
    table = tmp_path / "table.csv"
    table.write_text("".join(f"{name}\n" for name in ["path", *(f"file://{images / name}" for name in names)]))
    on_ray('run("local")', table, tmp_path / "vectors")
    import pyarrow.parquet as pq

    rows = [Path(path).name for path in find_images(Path(f"{plain}.csv")).paths]
    expected = np.load(f"{plain}.npy")[[rows.index(name) for name in names]]
    np.testing.assert_array_equal(np.stack(pq.read_table(tmp_path / "vectors.parquet")["vector"].to_numpy()), expected)


def test_a_node_that_is_killed_changes_nothing(images: Path, plain: Path, tmp_path: Path) -> None:
    script = f"""
from resight.errors import ResightError
from resight.extraction import cluster as module

cluster = ray.cluster_utils.Cluster(initialize_head=True, head_node_args=dict(num_cpus=1, object_store_memory={MEMORY}))
node = cluster.add_node(num_cpus=1, object_store_memory={MEMORY})
cluster.wait_for_nodes()

class Other:
    name, size, embedding_size, sha256 = "other", (128, 64), 8, "of other weights"

real, module.load_model = module.load_model, lambda *names, **options: Other()
try:
    run(cluster.address, out={str(tmp_path / "other")!r})
except ResightError as error:
    print(">", error)
module.load_model = real

def progress(stage, done, total, note=""):
    global node
    print(">", done)
    if node is not None:
        cluster.remove_node(node, allow_graceful=False)
        node = None
        print("> killed")

run(cluster.address, progress)
cluster.shutdown()
"""
    # Ray prints what it sees of the killed node, too.
    said = [line[2:] for line in on_ray(script, images, tmp_path / "vectors").splitlines() if line.startswith("> ")]
    assert said[0].startswith(f"{MODEL} has other weights on ")
    assert said[2] == "killed" and said[-1] == "600"
    assert equal(tmp_path / "vectors", plain)
