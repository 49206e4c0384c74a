"""`resight gallery group`: what it says, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gallery.fakes import DIMENSION, ColourModel, make_settings, make_sightings
from resight.cli import main
from resight.decision.calibrate import calibrate
from resight.decision.people_distances import search_everybody
from resight.gallery import Gallery

PEOPLE, EACH = 12, 3


def draw(seed: int, people: int = PEOPLE) -> np.ndarray:
    rng = np.random.default_rng(seed)
    looks = np.repeat(rng.normal(size=(people, DIMENSION)), EACH, axis=0)
    return (looks + 0.05 * rng.normal(size=looks.shape)).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gallery of twelve people, seen three times each, and a calibration for it."""
    monkeypatch.chdir(tmp_path)
    others = draw(1, 60)
    who = np.repeat(np.arange(1, 61), EACH)
    searches = search_everybody(others, who, np.tile(np.arange(EACH), 60), "cosine")
    calibrate(searches, ColourModel(), "cosine", rate=0.05).save("calibration.json")
    with Gallery.create("people", make_settings(distance="cosine")) as gallery:
        sightings = make_sightings(PEOPLE * EACH, tracklet="", identity="", time=None)
        gallery.add([type(one)(**vars(one) | {"embedding": look}) for one, look in zip(sightings, draw(2), strict=True)])
        gallery.label([sightings[0].id], "Anna")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["gallery", "group", "people", "--calibration", "calibration.json", *arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_it_says_how_many_people_it_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = run(capsys, "--dry-run", "--json", "out.json")
    assert "12 people without a name: 12 seen more than once, 0 once" in told and "35 sightings would be joined now" in told
    tried = json.loads(Path("out.json").read_text())
    assert tried["dry_run"] and tried["people"] == 12 and {one["name"] for one in tried["groups"]} > {"Anna?"}
    with Gallery.open("people") as gallery:
        assert sum(bool(one.identity) for one in gallery.records()) == 1

    told = run(capsys, "--json", "out.json")
    assert "resight gallery rename people person-" in told
    done = json.loads(Path("out.json").read_text())
    assert done["groups"] == tried["groups"] and sum(len(one["ids"]) for one in done["groups"]) == 35
    with Gallery.open("people") as gallery:
        named = {one.id: one.identity for one in gallery.records()}
    assert list(named.values()).count("Anna") == 1 and list(named.values()).count("Anna?") == EACH - 1
    assert {id: one["name"] for one in done["groups"] for id in one["ids"]} == {
        id: name for id, name in named.items() if name != "Anna"
    }
    assert "0 sightings are joined now, 0 are somebody else's; 1 have a name" in run(capsys)

    person = next(name for name in named.values() if name.startswith("person-"))
    assert main(["gallery", "rename", "people", person, "Bob"]) == 0  # confirmed
    assert main(["gallery", "rename", "people", "Anna", "Ann"]) == main(["gallery", "rename", "people", "Ann", "Anna"]) == 0
    assert "sightings of Ann? are of Anna? now" in capsys.readouterr().out
    assert main(["gallery", "merge", "people", "Anna?", "Anna"]) == 0
    split = next(id for id, name in named.items() if name.startswith("person-") and name != person)
    assert main(["gallery", "label", "people", "--id", split, "--identity", "person-900"]) == 0
    capsys.readouterr()
    assert f"{EACH * 2} have a name" in run(capsys)
    with Gallery.open("people") as gallery:
        after = {one.id: one.identity for one in gallery.records()}
    assert after == named | {id: "Bob" for id in named if named[id] == person} | {
        id: "Anna" for id in named if named[id] == "Anna?"
    } | {split: "person-900"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["people"], "calibration"),
        (["people", "--calibration", "none.json"], "none.json: cannot be read"),
        (["nothing", "--calibration", "calibration.json"], "no gallery"),
        (["people", "--calibration", "calibration.json", "--cameras", "none.toml"], "cannot read the cameras of none.toml"),
    ],
)
def test_mistakes_are_one_line(folder: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gallery", "group", *arguments]) == 2
    told = capsys.readouterr().err
    assert says in told and told.count("\n") == 1, told


def test_a_calibration_of_another_model_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = json.loads(Path("calibration.json").read_text())
    Path("other.json").write_text(json.dumps(values | {"model_sha256": "f" * 64}))
    assert main(["gallery", "group", "people", "--calibration", "other.json"]) == 2
    assert "the calibration is for" in capsys.readouterr().err
