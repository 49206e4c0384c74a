"""Session, statistics, export, purge and the log, through the API."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
import zipfile
from typing import Any

import pytest

from gallery.fakes import CAMERAS, make_image
from resight.service.routes.administration import _cell
from service.worlds import World


def test_session(world: World) -> None:
    whole = world.client("admin").get("/api/session").json()
    assert (whole["name"], whole["role"], whole["cameras"], whole["calibration"]) == ("admin", "admin", None, None)
    settings = world.gallery.settings
    assert whole["gallery"] == {
        "model": "colours",
        "model_sha256": settings.model_sha256,
        "height": 16,
        "width": 8,
        "dimension": 16,
        "distance": "euclidean",
        "retention": None,
        "precision": "float32",
        "created": settings.created,
        "hnsw": 0,
    }
    assert whole["size"] == 24
    assert (whole["max_upload"], whole["max_k"]) == (8_000_000, 200)
    narrow = world.client("viewer@hall").get("/api/session").json()
    assert (narrow["cameras"], narrow["size"]) == (["hall"], 8)


def test_cameras_and_statistics(world: World) -> None:
    found = world.client("viewer").get("/api/cameras").json()["cameras"]
    assert [(camera["camera"], camera["sightings"]) for camera in found] == [(name, 8) for name in sorted(CAMERAS)]
    assert found[1] == {
        "camera": "entrance",
        "sightings": 8,
        "first": "2026-03-01T12:00:00+00:00",
        "last": "2026-03-01T12:00:21+00:00",
        "watched": None,
    }
    stats = world.client("viewer").get("/api/stats").json()
    own = json.loads(json.dumps(world.gallery.statistics().to_dict()))
    assert stats == own
    narrow = world.client("viewer@hall").get("/api/stats").json()
    assert narrow["cameras"] == {"hall": 8}
    assert narrow["bytes"] is None


def test_no_folder_of_the_machine_is_shown(world: World) -> None:
    object.__setattr__(world.gallery.settings, "model", "/home/anna/secret/student.onnx")
    for path in ("/api/session", "/api/stats"):
        answer = world.client("viewer").get(path)
        assert "student.onnx" in answer.text
        assert "secret" not in answer.text


def test_export(world: World) -> None:
    client = world.client("operator")
    client.post("/api/sightings", files={"image": make_image(60)}, data={"source": "=1+1", "camera": "hall"})
    wanted = [*world.ids[:2], world.gallery.records()[-1].id]
    answer = client.post("/api/export", json={"ids": wanted, "reason": "case 7"})
    assert answer.status_code == 200
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    rows = list(csv.DictReader(io.StringIO(archive.read("sightings.csv").decode())))
    assert [row["id"] for row in rows] == wanted
    assert (rows[0]["camera"], rows[0]["identity"], rows[2]["source"]) == ("entrance", "person 0", "'=1+1")
    for id in wanted:
        assert archive.read(f"thumbnails/{id}.jpg") == world.gallery.get(id).thumbnail
    about = json.loads(archive.read("about.json"))
    (entry,) = world.audit.newest(1)
    assert entry["details"] == {"sightings": sorted(wanted), "reason": "case 7"}
    assert (about["audit_entry"], about["audit_sha256"]) == (entry["number"], entry["sha256"])
    assert about["exported_by"] == "operator"
    assert answer.headers["resight-audit-number"] == str(entry["number"])
    assert answer.headers["resight-audit-sha256"] == entry["sha256"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"ids": [], "reason": "x"}, 422),
        ({"ids": ["0" * 32], "reason": ""}, 422),
        ({"ids": ["0" * 32], "reason": "   "}, 422),
        ({"ids": ["0" * 32]}, 422),
        ({"ids": ["../../etc"], "reason": "x"}, 422),
        ({"ids": ["0" * 32] * 1001, "reason": "x"}, 422),
        ({"ids": ["0" * 32], "reason": "x"}, 404),
    ],
)
def test_what_cannot_be_exported(shared_world: World, body: dict[str, Any], status: int) -> None:
    before = shared_world.audit.head
    assert shared_world.client("operator").post("/api/export", json=body).status_code == status
    assert shared_world.audit.head == before


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        ({"identity": "person 1"}, 6),
        ({"cameras": ["hall"]}, 8),
        ({"cameras": ["hall"], "identity": "person 1"}, 2),
        ({"since": "2026-03-01T12:00:20Z"}, 4),
        ({"until": "2026-03-01T12:00:20Z", "cameras": ["hall", "entrance"]}, 14),
        ({"older_than": "2026-03-01T12:00:05Z"}, 5),
        ({"everything": True}, 24),
        ({"ids": []}, 0),
    ],
)
def test_purge(world: World, body: dict[str, Any], meant: int) -> None:
    client = world.client("admin")
    dry = client.post("/api/purge", json=body | {"dry_run": True}).json()
    assert (dry["sightings"], dry["removed"]) == (meant, False)
    assert (len(world.gallery), world.actions()) == (24, [])
    done = client.post("/api/purge", json=body | {"dry_run": False}).json()
    assert (done["sightings"], done["removed"]) == (meant, True)
    assert done["proved"] == (world.gallery.folder is not None)  # a server's files are not ours to look at
    assert len(world.gallery) == 24 - meant
    (entry,) = world.audit.newest(1)
    assert (entry["action"], entry["details"]["sightings"]) == ("purge", meant)
    found = client.post("/api/search", files={"images": world.images[0]}, data={"k": "24"}).json()["matches"]
    assert len(found) == 24 - meant


@pytest.mark.parametrize(
    "body", [{}, {"everything": False}, {"identity": None}, {"identity": 3}, {"older_than": "30d"}, {"dry_run": 7}]
)
def test_a_purge_must_say_what(shared_world: World, body: dict[str, Any]) -> None:
    before = shared_world.audit.head
    assert shared_world.client("admin").post("/api/purge", json={"dry_run": False} | body).status_code == 422
    assert (len(shared_world.gallery), shared_world.audit.head) == (24, before)


def test_the_log_is_shown_and_changes_of_it_are_said(world: World) -> None:
    client = world.client("admin")
    for _ in range(3):
        client.post("/api/sightings/list", json={})
    first = client.get("/api/audit", params={"limit": 2}).json()
    assert [(entry["number"], entry["action"]) for entry in first["entries"]] == [(4, "audit"), (3, "list")]
    assert (first["intact"], first["problems"]) == (True, [])
    assert first["head"] == {"number": 4, "sha256": first["entries"][0]["sha256"]}
    older = client.get("/api/audit", params={"limit": 9, "before": 3}).json()
    assert [entry["number"] for entry in older["entries"]] == [2, 1]
    text = world.audit.path.read_bytes()
    world.audit.path.write_bytes(text.replace(b'"list"', b'"lost"', 1))
    spoilt = client.get("/api/audit").json()
    assert not spoilt["intact"]
    assert spoilt["problems"] == ["entry 1 is not as it was written"]
    text = world.audit.path.read_bytes()
    world.audit.path.write_bytes(b"\xff[]" + text[3:])
    assert not client.get("/api/audit").json()["intact"]


def test_metrics(world: World) -> None:
    client = world.client("admin")
    client.post("/api/search", files={"images": world.images[0]})
    client.get("/api/sightings/" + "0" * 32)
    world.client("").get("/api/secret-name")
    text = client.get("/api/metrics").text
    assert 'resight_requests_total{method="POST",route="/api/search",status="200"} 1.0' in text
    assert 'route="/api/sightings/{id}",status="404"} 1.0' in text
    assert 'route="none",status="401"} 1.0' in text
    assert "resight_batch_searches_count 1.0" in text
    assert "resight_places_taken 0.0" in text
    assert "secret" not in text


def test_a_damaged_gallery(world: World) -> None:
    client = world.client("viewer")
    index: Any = world.gallery._store
    if world.gallery.folder is None:
        with index._use() as connection:  # the retention may be using it
            connection.execute("UPDATE resight.sighting SET camera = 'x'")
    else:
        index._writer.execute("UPDATE sighting SET camera = 'x'")
    answer = client.post("/api/sightings/list", json={})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "log says why" in answer.json()["detail"]
    assert str(world.gallery.folder or "postgres") not in answer.text


@pytest.mark.parametrize(
    "text", ["=1+1", " =1", "\t=1", "\u200b+1", "＝1", "＠x", "x;=1+1", "a\n-1", "a|@x", "@SUM(1)", "\u00a0=1", "\x00=1"]
)
def test_no_cell_of_an_export_is_a_formula(text: str) -> None:
    """However a spreadsheet splits the table, no part begins with a sign that starts a formula."""
    cell = _cell(text)
    assert cell.replace("'", "") == text.replace("'", "")
    for part in re.split(r"[,;|\t\r\n]", cell):
        assert unicodedata.normalize("NFKC", part.lstrip(" \u200b\u00a0\x00"))[:1] not in tuple("=+-@")


def test_what_a_limited_token_is_told_says_nothing_of_others(world: World) -> None:
    world.client("operator").post(
        "/api/sightings", files={"image": make_image(60)}, data={"source": "/srv/cam/a.png", "camera": "hall"}
    )
    shown = world.client("viewer@hall").post("/api/sightings/list", json={}).json()["sightings"]
    assert "a.png" in {one["source"] for one in shown}  # without folders
    assert "/srv" in world.client("operator@hall").post("/api/sightings/list", json={}).text
    answer = world.client("operator@entrance").post("/api/export", json={"ids": [world.ids[0]], "reason": "x"})
    assert "resight-audit-number" not in answer.headers
    assert "audit_entry" not in zipfile.ZipFile(io.BytesIO(answer.content)).read("about.json").decode()


def test_looking_at_an_image_is_logged(world: World) -> None:
    assert world.client("viewer").get(f"/api/sightings/{world.ids[0]}/thumbnail").status_code == 200
    (entry,) = world.audit.newest(1)
    assert (entry["who"], entry["action"], entry["details"]) == ("viewer", "look", {"sighting": world.ids[0]})
