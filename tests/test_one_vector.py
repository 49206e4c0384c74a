"""One file, one vector: bit by bit the same from every verb, the service and the library, for a large JPEG."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import resight
from resight.cli import main
from resight.evaluation import model as evaluation
from resight.gallery import Gallery, Settings
from resight.images import decode
from resight.service import AuditLog, Caller
from resight.service.app import create_app
from resight.service.lifecycle import Service
from service.worlds import TestClient

MODEL = "student-fastest"
HEADERS = {"Authorization": "Bearer x"}

Vector = NDArray[np.float32]


@pytest.fixture(scope="module")
def jpeg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Coarse and fine patterns, of which a reduced decoding would make other pixels."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (60, 80, 3), np.uint8)).resize((4000, 3000), Image.Resampling.BICUBIC)
    pixels = np.clip(np.asarray(coarse).astype(int) + rng.integers(-40, 41, (3000, 4000, 1)), 0, 255).astype(np.uint8)
    path = tmp_path_factory.mktemp("large") / "large.jpg"
    Image.fromarray(pixels).save(path, quality=90)
    return path


@pytest.fixture(scope="module")
def expected(jpeg: Path) -> Vector:
    return resight.load_model(MODEL).embed(jpeg)


def test_in_the_library(jpeg: Path, expected: Vector) -> None:
    model, data = resight.load_model(MODEL), jpeg.read_bytes()
    frame = decode(data)
    np.testing.assert_array_equal(model.embed([jpeg, data, frame]), [expected] * 3)
    np.testing.assert_array_equal(model.embed((frame, np.array([[0, 0, 4000, 3000]], np.float32))), [expected])
    assert np.abs(model.embed(frame[:2900]) - expected).max() > 0


def test_on_the_command_line(jpeg: Path, expected: Vector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["extract", "--images", str(jpeg), "--out", str(tmp_path / "v"), "--model", MODEL]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), [expected])

    shutil.copy(jpeg, tmp_path)
    shutil.copy(jpeg, tmp_path / "again.jpg")
    lines = ["path,identity,camera,split", "large.jpg,ann,a,query", "again.jpg,ann,b,gallery"]
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    seen: list[Vector] = []
    embed_files = evaluation.embed_files
    monkeypatch.setattr(evaluation, "embed_files", lambda *given, **how: seen.append(embed_files(*given, **how)) or seen[-1])
    assert main(["evaluate", "--data", str(tmp_path / "list.csv"), "--model", MODEL]) == 0
    np.testing.assert_array_equal(seen[0], [expected, expected])

    people = str(tmp_path / "people")
    assert main(["gallery", "create", people, "--model", MODEL, "--retention", "1d"]) == 0
    assert main(["gallery", "add", people, str(jpeg)]) == 0
    asked: list[Vector] = []
    search = Gallery.search
    monkeypatch.setattr(Gallery, "search", lambda self, vectors, *how: asked.append(vectors) or search(self, vectors, *how))
    assert main(["gallery", "search", people, str(jpeg)]) == 0
    np.testing.assert_array_equal(asked, [[expected]])
    with Gallery.open(people) as gallery:
        (record,) = gallery.records()
        np.testing.assert_array_equal(gallery.get(record.id).embedding, expected)


def test_in_the_service(jpeg: Path, expected: Vector, tmp_path: Path) -> None:
    model = resight.load_model(MODEL)
    gallery = Gallery.create(tmp_path / "people", Settings.for_model(MODEL, model, retention=None))
    audit = AuditLog(tmp_path / "audit.jsonl")
    service = Service(gallery, model, audit, lambda token: Caller(name="ann", role="admin", cameras=None))
    asked: list[Vector] = []
    answer = service.searches.ask
    service.searches.ask = lambda question: asked.append(question.vectors) or answer(question)  # type: ignore[method-assign]
    upload = ("images", ("large", io.BytesIO(jpeg.read_bytes())))
    small = io.BytesIO()
    Image.new("RGB", (40, 80), (200, 10, 10)).save(small, "PNG")
    other = ("images", ("small", small.getvalue()))
    with service:
        client = TestClient(create_app(service), base_url="http://localhost", headers=HEADERS)

        def ask(files: list[Any], **data: Any) -> None:
            upload[1][1].seek(0)
            answered = client.post("/api/search", files=files, data=data)
            assert answered.status_code == 200, answered.text

        enrolled = client.post("/api/sightings", files={"image": jpeg.read_bytes()})
        assert enrolled.status_code == 201, enrolled.text
        stored = gallery.get(enrolled.json()["id"]).embedding
        np.testing.assert_array_equal(stored, expected)
        boxed = client.post("/api/sightings", files={"image": jpeg.read_bytes()}, data={"box": "0,0,4000,3000"})
        np.testing.assert_array_equal(gallery.get(boxed.json()["id"]).embedding, expected)
        ask([upload])
        ask([upload, other])
        ask([upload, other], box=["", "5,5,20,40"])
        ask([upload], box="0,0,4000,3000")
    for vectors in asked:
        np.testing.assert_array_equal(vectors[0], expected)
    assert [len(vectors) for vectors in asked] == [1, 2, 2, 1]
    audit.close()
    gallery.close()
