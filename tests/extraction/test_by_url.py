"""Images by URL, from a folder and from a storage that speaks S3, against the same images on the disk."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from datasets.s3 import storage
from gallery.fakes import make_image
from resight.cli import main
from resight.files import read_json
from resight.gallery import Gallery

pytestmark = pytest.mark.slow

MODEL = ["--model", "student-fastest", "--threads", "1"]


@pytest.fixture(scope="module", autouse=True)
def needs_pyarrow() -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow: pip install '.[scale]'")


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """A folder with images, some with odd names, and lists of them."""
    folder = tmp_path / "storage" / "people"
    for number, name in enumerate(("anna/door_1.png", "anna/door 2%20ä.png", "ben/hall_1#?.png", "ben/hall_2.png", ".x/3.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(make_image(number))
    (folder / "ben" / "damaged.png").write_bytes(b"no image")
    (folder / "ben" / "notes.txt").write_bytes(b"nothing")
    rows = [("path", "identity", "camera"), ("anna/door_1.png", "anna", "door"), ("./ben/../ben/hall_2.png", "ben", "hall")]
    with (folder / "labels.csv").open("w") as stream:
        csv.writer(stream).writerows(rows)
    (folder / "list").write_text("ben/hall_2.png\nanna/door_1.png\n")
    return folder


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, bucket: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "file":
        yield f"file://{bucket}"
        return
    from resight.images import remote

    with storage(bucket.parent) as (address, asked):
        for name, value in (("ENDPOINT_URL", address), ("ACCESS_KEY_ID", "somebody"), ("SECRET_ACCESS_KEY", "hidden")):
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        remote._opened.cache_clear()
        yield f"s3://{bucket.name}"
        remote._opened.cache_clear()
    assert any(line.startswith("GET people/") for line in asked)


def extracted(images: object, out: Path, *more: str) -> tuple[np.ndarray, list[dict[str, str]]]:
    assert main(["extract", "--images", str(images), "--out", str(out), *MODEL, *more]) == 0
    with Path(f"{out}.csv").open() as stream:
        return np.load(f"{out}.npy"), list(csv.DictReader(stream))


@pytest.mark.parametrize("name", ["/labels.csv", "/list", "/anna", "/anna/", "/ben/hall_1#?.png"])
def test_vectors_are_those_of_local_files(url: str, bucket: Path, tmp_path: Path, name: str) -> None:
    here, rows = extracted(f"{bucket}{name}", tmp_path / "here")
    there, remote = extracted(url + name, tmp_path / "there")
    np.testing.assert_array_equal(here, there)
    prefix = f"{url}/"
    assert [row["path"].removeprefix(prefix) for row in remote] == [str(bucket_path(row, bucket, tmp_path)) for row in rows]
    if name in ("/labels.csv",):
        assert [(row["identity"], row["camera"]) for row in remote] == [("anna", "door"), ("ben", "hall")]
    # Its own table is read again, and finished work is not repeated.
    assert len(extracted(tmp_path / "there.csv", tmp_path / "again")[0]) == len(here)
    before = Path(tmp_path / "there.report.json").read_bytes()
    extracted(url + name, tmp_path / "there")
    assert Path(tmp_path / "there.report.json").read_bytes() == before
    (bucket / "anna" / "door_1.png").write_bytes(make_image(9) + b"more")  # other content is other work
    assert main(["extract", "--images", url + name, "--out", str(tmp_path / "there"), *MODEL]) == (2 if "hall" not in name else 0)


def bucket_path(row: dict[str, str], bucket: Path, folder: Path) -> Path:
    return (folder / row["path"]).resolve().relative_to(bucket)


def test_a_pattern_parquet_and_a_gallery(url: str, bucket: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (bucket / "shards.parquet").mkdir()
    pq.write_table(pa.table({"path": [f"{url}/anna/door_1.png"], "identity": ["anna"]}), bucket / "shards.parquet" / "0.parquet")
    _, rows = extracted(f"{url}/shards.parquet", tmp_path / "parquet")
    assert [(row["path"], row["identity"]) for row in rows] == [(f"{url}/anna/door_1.png", "anna")]
    _, rows = extracted(url, tmp_path / "pattern", "--name-pattern", "{identity}/{camera}_{*}")
    assert {(row["identity"], row["camera"]) for row in rows} == {("anna", "door"), ("ben", "hall")} and len(rows) == 3
    assert main(["gallery", "create", str(tmp_path / "gallery"), *MODEL[:2], "--retention", "unlimited"]) == 0
    assert main(["gallery", "add", str(tmp_path / "gallery"), f"{url}/anna", f"{url}/labels.csv"]) == 0
    with Gallery.open(tmp_path / "gallery") as gallery:
        assert {(record.source, record.identity) for record in gallery.records()} == {
            (f"{url}/anna/door_1.png", ""),
            (f"{url}/anna/door_1.png", "anna"),
            (f"{url}/anna/door 2%20ä.png", ""),
            (f"{url}/ben/hall_2.png", "ben"),
        }


def test_errors_are_one_line_and_hold_no_key(
    url: str, bucket: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    extracted(f"{url}/anna", tmp_path / "reached")
    with (bucket / "keys.csv").open("w") as stream:
        csv.writer(stream).writerows([("path", "identity"), ("s3://me:secret@people/1.png", "anna")])
    capsys.readouterr()
    monkeypatch.setattr("resight.datasets.tables.LARGEST", 60)  # more than keys.csv has, and less than labels.csv
    for images, expected in (
        (f"{url}/nothing", "no such folder or file"),
        (f"{url}/labels.csv", "larger than"),
        ("s3://me:secret@people", "must not hold a key"),
        ("s3://people?region=x", "AWS_ENDPOINT_URL"),
        ("ftp://people/x", "expected s3://"),
        (str(bucket / "keys.csv"), "line 2: s3://...@people: a URL is written"),
    ):
        assert main(["extract", "--images", images, "--out", str(tmp_path / "out"), *MODEL]) == 2
        said = capsys.readouterr().err.strip()
        assert expected in said.replace("\n", " ") and "secret" not in said, said
    if url.startswith("file"):
        (Path(str(bucket)) / "odd").mkdir()
        Path(os.fsdecode(os.fsencode(bucket) + b"/odd/\xe9.png")).write_bytes(b"")
        assert main(["extract", "--images", f"{url}/odd", "--out", str(tmp_path / "out"), *MODEL]) == 2
        assert "utf-8" in capsys.readouterr().err
    assert main(["extract", "--images", f"{url}/anna", "--out", "s3://people/out", *MODEL]) == 2
    assert "choose a local --out" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))
    report = read_json(tmp_path / "reached.report.json")
    assert "hidden" not in str(report) and report["vectors"] == 2
