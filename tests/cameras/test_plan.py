"""A file of cameras."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf
from pathlib import Path

import pytest

from resight.cameras.plan import read_plan
from resight.errors import ConfigurationError

GOOD = """
[[camera]]
name = "door"
source = "films/door.mp4"
start = 2026-03-01T12:00:00Z
overlap = ["hall"]
travel = { yard = [8, 120] }

[[camera]]
name = "hall"
source = "rtsp://anna:secret@host/main"

[[camera]]
name = "yard"
start = "2026-03-01 13:00+01:00"
travel.door = [9.5, 60]
travel.hall = [1, 2]
"""


def test_sources_overlaps_and_travel_times(tmp_path: Path) -> None:
    (tmp_path / "cameras.toml").write_text(GOOD)
    plan = read_plan(tmp_path / "cameras.toml")
    assert plan.sources == {"door": str(tmp_path / "films/door.mp4"), "hall": "rtsp://anna:secret@host/main"}
    assert plan.cameras == ("door", "hall", "yard")
    assert plan.starts == dict.fromkeys(("door", "yard"), datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert plan.ways.shortest == {
        ("door", "hall"): -inf, ("hall", "door"): -inf, ("door", "yard"): 8, ("yard", "door"): 9.5,
        ("yard", "hall"): 1, ("hall", "yard"): 1,
    }  # fmt: skip
    assert plan.ways.longest == {("door", "yard"): 120, ("yard", "door"): 60, ("yard", "hall"): 2, ("hall", "yard"): 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no cameras"),
        ("camera = 3", "no cameras"),
        ("[[camera]", "not TOML"),
        ("[[cameras]]\nname='a'", "unknown key 'cameras'.*did you mean 'camera'"),
        ("[[camera]]\nnmae='a'", "has no name"),
        ("[[camera]]\nname='a'\nsorce='b'", "unknown key 'sorce'.*did you mean 'source'"),
        ("[[camera]]\nname=''", "is empty"),
        ("[[camera]]\nname='a'\n[[camera]]\nname='a'", "given to several"),
        ("[[camera]]\nname='a'\nsource='rtsp:/anna:secret@host/x'", "^[^@]*a source lacks // after rtsp: ; [^@]*$"),
        ("[[camera]]\nname='a'\nstart='noon'", "start of a: .*noon"),
        ("[[camera]]\nname='a'\nstart=2026-03-01", "start = .*expected datetime or str"),
        ("[[camera]]\nname='a'\noverlap='b'", "expected a list of str"),
        ("[[camera]]\nname='door'\n[[camera]]\nname='hall'\noverlap=['dor']", "'dor', which is not another.*did you mean 'door'"),
        ("[[camera]]\nname='a'\noverlap=['a']", "not another camera"),
        *(
            (f"[[camera]]\nname='a'\ntravel={{b={times}}}\n[[camera]]\nname='b'", "travel from a to b.*such as")
            for times in ("8", "[8]", "[9, 8]", "[-1, 8]", "[nan, 8]", "[true, 8]", "['1', 8]")
        ),
        ("[[camera]]\nname='a'\noverlap=['b']\n[[camera]]\nname='b'\ntravel={a=[1, 2]}", "overlap and have travel times"),
    ],
)
def test_mistakes_are_named(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "cameras.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_plan(tmp_path / "cameras.toml")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read the cameras of .*none\.toml"):
        read_plan(tmp_path / "none.toml")
