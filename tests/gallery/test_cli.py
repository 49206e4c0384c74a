"""`resight gallery`, verb by verb, and one line for every mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gallery.fakes import ColourModel, make_image
from resight import models
from resight.cli import main
from resight.cli.terminal import shown
from resight.datasets import open_dataset
from resight.errors import ConfigurationError
from resight.gallery import Gallery
from resight.networks import NETWORKS


@pytest.fixture(autouse=True)
def in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("resight.models.reference.NETWORKS", {**NETWORKS, "colours": ColourModel})
    monkeypatch.setattr(models, "load_model", lambda reference, **_: ColourModel(reference.rpartition("/")[2]))


def test_the_life_of_a_gallery(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: str) -> str:
        assert main(["gallery", *arguments]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    def result() -> dict[str, object]:
        loaded: dict[str, object] = json.loads((tmp_path / "out.json").read_text())
        return loaded

    assert "16 numbers as float32, euclidean distance" in run("create", "g", "--model", "colours", "--retention", "30d")
    dataset = open_dataset(tiny)
    count = len(dataset.query) + len(dataset.gallery)
    assert f"{count} added, 0 there already" in run("add", "g", str(tiny), "--json", "out.json")
    assert result()["added"] == count
    assert f"0 added, {count} there already" in run("add", "g", str(tiny))
    assert f"g: {count} sightings" in run("stats", "g", "--json", "out.json")
    assert sum(result()["cameras"].values()) == count  # type: ignore[attr-defined]

    query, person = dataset.query.paths[0], str(dataset.query.identities[0])
    shown = run("search", "g", query, "-k", "4", "--identity", person, "--picture", "list.png", "--json", "out.json")
    matches = result()["matches"]
    assert isinstance(matches, list)
    assert [match["rank"] for match in matches] == [1, 2, 3, 4]
    assert matches[0]["source"] == query
    assert f"{person} (right)" in shown
    assert (tmp_path / "list.png").stat().st_size > 1000
    camera = str(dataset.query.cameras[0])
    run("search", "g", query, *dataset.query.paths[1:3], "--camera", camera, "--camera", "9", "--json", "out.json")
    assert {match["camera"] for match in result()["matches"]} == {camera}  # type: ignore[attr-defined]
    assert "no sighting passes the filter" in run("search", "g", query, "--camera", "9")

    assert f"{count} sightings" in run("snapshot", "g", "first")
    listed = run("purge", "g", "--identity", person, "--dry-run", "--json", "out.json")
    meant = len(result()["sightings"])  # type: ignore[arg-type]
    assert f"{meant} sightings would be deleted" in listed
    done = run("purge", "g", "--identity", person, "--yes", "--json", "out.json")
    assert f"{meant} sightings deleted, and {meant} copies in snapshots" in done
    assert "proved: " in done
    assert result()["removed"] == meant
    assert "g: no damage" in run("verify", "g", "--model", "colours")
    assert f"g: {count - meant} sightings, as of first" in run("restore", "g", "first", "--yes")
    assert "0 sightings deleted" in run("purge", "g", "--expired", "--yes")


@pytest.mark.parametrize(
    ("model", "stored"), [("run", "{}/run"), ("osnet-0.25:run/w.pth", "osnet-0.25:{}/run/w.pth"), ("lomo:none", "lomo:none")]
)
def test_the_model_is_found_from_any_folder(
    model: str, stored: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(*_: object, **__: object) -> None:
        raise ConfigurationError("there is no GPU")

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "w.pth").touch()
    assert main(["gallery", "create", "g", "--model", model, "--retention", "1d"]) == 0
    with Gallery.open("g") as gallery:
        assert gallery.settings.model == stored.format(tmp_path.resolve())
    (tmp_path / "0.png").write_bytes(make_image(0))
    monkeypatch.setattr(models, "load_model", load)
    capsys.readouterr()
    assert main(["gallery", "add", "g", "0.png", "--device", "cuda"]) == 2
    assert capsys.readouterr().err == "resight: there is no GPU\n"
    (tmp_path / "run").rename("gone")
    assert main(["gallery", "add", "g", "0.png"]) == 2
    said = "there is no GPU" if model == "lomo:none" else f"not where it was: there is no {tmp_path.resolve()}"
    assert said in capsys.readouterr().err


def test_everything_is_shown_before_it_is_deleted(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gallery", "create", "g", "--model", "colours", "--retention", "1d"]) == 0
    assert main(["gallery", "add", "g", str(tiny)]) == 0
    capsys.readouterr()
    assert main(["gallery", "purge", "g", "--everything", "--dry-run"]) == 0
    with Gallery.open("g") as gallery:
        assert f"{len(gallery)} sightings would be deleted" in capsys.readouterr().out


def test_crops_with_times_and_expiry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(make_image(number))
    (tmp_path / "bad.png").write_bytes(b"no image")
    (tmp_path / "list.csv").write_text("path,camera,time\n0.png,hall,2020-01-01T00:00:00Z\nbad.png,hall,\n1.png,,\n")
    assert main(["gallery", "create", "g", "--model", "colours", "--retention", "unlimited"]) == 0
    assert main(["gallery", "add", "g", "list.csv", "2.png", "--camera", "door", "--time", "2026-01-02", "--identity", "me"]) == 0
    shown = capsys.readouterr().out
    assert "3 added, 0 there already, 1 unreadable" in shown
    assert "bad.png: not an image" in shown
    with Gallery.open("g") as gallery:
        found = [(record.camera, str(record.time), record.identity) for record in gallery.records()]
    assert found == [
        ("hall", "2020-01-01 00:00:00+00:00", "me"),
        ("door", "2026-01-02 00:00:00+00:00", "me"),
        ("door", "2026-01-02 00:00:00+00:00", "me"),
    ]
    assert main(["gallery", "purge", "g", "--expired", "--yes"]) == 0
    assert "nothing expires" in capsys.readouterr().out
    assert main(["gallery", "purge", "g", "--until", "2021-01-01", "--yes"]) == 0
    assert "1 sightings deleted" in capsys.readouterr().out
    assert main(["gallery", "create", "h", "--model", "colours", "--retention", "1d"]) == 0
    assert main(["gallery", "add", "h", "list.csv"]) == 0
    assert "1 too old" in capsys.readouterr().out


def test_names_are_shown_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "0.png").write_bytes(make_image(0))
    (tmp_path / "list.csv").write_text("path,camera,identity\n0.png,hall[north],[/] \x1b[2J\n")
    for arguments in (
        ["create", "g", "--model", "colours", "--retention", "unlimited"],
        ["add", "g", "list.csv"],
        ["stats", "g"],
        ["search", "g", "0.png"],
        ["purge", "g", "--camera", "hall[north]", "--dry-run"],
    ):
        assert main(["gallery", *arguments]) == 0
        shown = capsys.readouterr().out
        assert "\x1b" not in shown
        if arguments[0] in ("stats", "search", "purge"):
            assert "hall[north]" in shown
        if arguments[0] in ("search", "purge"):
            assert "[/] \ufffd[2J" in shown


def test_damage(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["create", "g", "--model", "colours", "--retention", "1h"], ["add", "g", str(tiny)], ["snapshot", "g", "s"]):
        assert main(["gallery", *arguments]) == 0
    data = bytearray((tmp_path / "g/gallery.sqlite").read_bytes())
    data[:50] = bytes(50)
    (tmp_path / "g/gallery.sqlite").write_bytes(data)
    assert main(["gallery", "verify", "g", "--json", "out.json"]) == 2
    assert "1 problems in g; restore a snapshot" in capsys.readouterr().err
    assert len(json.loads((tmp_path / "out.json").read_text())["problems"]) == 1
    assert main(["gallery", "restore", "g", "s", "--yes"]) == 0
    assert main(["gallery", "verify", "g"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "g2", "--model", "colours"], "--retention"),
        (["create", "g2", "--model", "colours", "--retention", "long"], "retention 'long'; expected for example 30d"),
        (["create", "g2", "--model", "colours", "--retention", "999999d"], "retention '999999d'; expected at most 36500d"),
        (["create", "g", "--model", "colours", "--retention", "1d"], "g is a gallery already"),
        (["create", "g2", "--model", "colours", "--retention", "1d", "--distance", "l1"], "distance"),
        (["add", "g"], "no crops given"),
        (["add", "nowhere", "x.png"], "x.png"),
        (["add", "g", "missing"], "missing"),
        (["add", "g", "x.png", "--time", "noon"], "'noon' is not a time"),
        (["add", "g", "bad.png"], "none of 1 crops could be read"),
        (["add", "g", "good.png", "--model", "others"], "is not the model of this gallery, colours"),
        (["search", "g"], "no image given"),
        (["search", "g", "bad.png"], "bad.png: not an image"),
        (["search", "g", "good.png", "-k", "0"], "k is 0"),
        (["search", "nowhere", "good.png"], "nowhere: no gallery here; make one with"),
        (["purge", "g", "--yes"], "nothing says what to delete"),
        (["label", "g", "names.csv", "--camera", "door"], "leave out --identity, --id, --tracklet and --camera"),
        (["purge", "g", "--camera", "1"], "no sighting is of '1': nothing was deleted; names must match"),
        (
            ["purge", "g", "--since", "2027-01-01", "--until", "2026-01-01"],
            "was seen since 2027-01-01 and before 2026-01-01: nothing was",
        ),
        (["purge", "g", "--id", "a", "--until", "2026-01-01"], "no sighting is of 'a' and was seen before 2026-01-01: nothing"),
        (["restore", "g", "s"], "would be lost; add --yes"),
        (["restore", "g", "s", "--yes"], "g has no snapshot 's'; it has: none"),
        (["snapshot", "g", "../s"], "cannot be called"),
        (["backup", "g", "g/old/b.sqlite"], "g/old/b.sqlite is in the folder of the gallery"),
        (["crops", "g", "g/crops"], "is in the folder of the gallery"),
        (["reembed", "g", "g/new", "--model", "student-fastest"], "g/new is in the folder of the gallery"),
        (["search", "g", "good.png", "--picture", "g/list.png"], "g/list.png is in the folder of the gallery"),
        (["verify", "nowhere"], "nowhere: no gallery here"),
        (["stats", "postgresql://me:secret@127.0.0.1:9/x"], "the database says"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    (tmp_path / "good.png").write_bytes(make_image(1))
    assert main(["gallery", "create", "g", "--model", "colours", "--retention", "1d"]) == 0
    capsys.readouterr()
    assert main(["gallery", *arguments]) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert [line.startswith("resight: ") for line in errors.splitlines()].count(True) == 1  # besides progress
    assert "secret" not in errors
    assert Path("g", "reserve").exists()  # for the purge that was meant


def test_the_longest_retention_works(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(make_image(1))
    assert main(["gallery", "create", "g", "--model", "colours", "--retention", "36500d"]) == 0
    assert main(["gallery", "add", "g", "good.png", "--time", "2020-01-01"]) == 0
    assert main(["gallery", "stats", "g"]) == 0
    assert main(["gallery", "purge", "g", "--expired", "--yes"]) == 0


def test_the_result_is_written_whatever_is_done(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    assert main(["gallery", "create", "g", "--model", "colours", "--retention", "unlimited"]) == 0
    assert main(["gallery", "add", "g", "bad.png", "--json", "out.json"]) == 2
    failures = json.loads((tmp_path / "out.json").read_text())["failures"]
    assert [[source, "not an image" in reason] for source, reason in failures] == [["bad.png", True]]
    assert main(["gallery", "purge", "g", "--expired", "--dry-run", "--json", "out.json"]) == 0
    assert json.loads((tmp_path / "out.json").read_text()) == {"dry_run": True, "sightings": []}
    assert main(["gallery", "purge", "g", "--expired", "--yes", "--json", "out.json"]) == 0
    assert json.loads((tmp_path / "out.json").read_text())["removed"] == 0


@pytest.mark.skipif(sys.platform == "win32" or sys.platform == "darwin", reason="file names are text on this system")
def test_file_names_need_not_be_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "crops").mkdir()
    for name, data in ((b"caf\xe9.png", b"no image"), (b"th\xe9.png", make_image(1))):
        (tmp_path / "crops" / os.fsdecode(name)).write_bytes(data)
    assert main(["gallery", "create", "g", "--model", "colours", "--retention", "1d"]) == 0
    assert main(["gallery", "add", "g", "crops", "--json", "out.json"]) == 0
    assert "1 added, 0 there already, 1 unreadable" in capsys.readouterr().out
    ((source, reason),) = json.loads((tmp_path / "out.json").read_text())["failures"]
    assert source == r"crops/caf\xe9.png" and "not an image" in reason


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("folder/with@sign", "folder/with@sign"),
        ("postgresql://host:5432/people", "postgresql://host:5432/people"),
        ("postgresql://user:secret@host/people", "postgresql://host/people"),
        ("postgresql://user:sec@ret@host/people", "postgresql://host/people"),
        ("postgresql://user:s/ecret@host/people", "postgresql://..."),
        ("postgresql://user:s?ecret@host/people", "postgresql://..."),
        ("postgresql://user:s#ecret@host/people", "postgresql://..."),
        ("postgresql://host/people?user=me&password=secret", "postgresql://host/people"),
        ("postgresql:///people?host=/run&password=secr@et", "postgresql://..."),
        ("postgresql://user:secret@[::1/people", "postgresql://..."),
    ],
)
def test_no_password_is_shown(location: str, expected: str) -> None:
    assert shown(location) == expected


@pytest.mark.parametrize("verb", ["", "create", "add", "stats", "search", "purge", "snapshot", "restore", "verify"])
def test_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gallery", *verb.split(), "--help"]) == 0
    assert "Usage: resight gallery" in capsys.readouterr().out


def test_the_library_needs_no_torch() -> None:
    code = "import sys, resight.gallery.picture as p; sys.exit(bool({'torch', 'scipy', 'numba', 'psycopg'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0
