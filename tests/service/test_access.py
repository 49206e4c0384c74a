"""Tokens and what they allow."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gallery.fakes import CAMERAS, make_sighting
from resight.cli import main
from resight.errors import AccessError, ConfigurationError
from resight.files import read_json
from resight.gallery import EVERYTHING, Where
from resight.service import ROLES, AccessFile, Caller, new_token, remove_token, single_token


def test_a_file_knows_its_tokens_and_holds_none(tmp_path: Path) -> None:
    path = tmp_path / "access.toml"
    anna = new_token(path, "anna", "viewer", ["Küche ☂", 'a "b" \\c'])
    bob = new_token(path, "bob", "admin")
    assert AccessFile(path).find(anna) == Caller(name="anna", role="viewer", cameras=frozenset(["Küche ☂", 'a "b" \\c']))
    assert AccessFile(path).find(bob) == Caller(name="bob", role="admin")
    for nobody in ("", "x", anna[:-1], anna.upper(), f"{anna} "):
        assert AccessFile(path).find(nobody) is None
    text = path.read_text()
    assert anna not in text
    assert bob not in text
    assert [sorted(entry) for entry in tomllib.loads(text)["token"]][1] == ["created", "name", "role", "sha256"]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_changes_are_noticed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "access.toml"
    first = new_token(path, "anna", "viewer")
    access = AccessFile(path)
    assert access.find(first) is not None
    second = new_token(path, "anna", "operator")
    assert access.find(first) is None
    assert access.find(second) == Caller(name="anna", role="operator")
    remove_token(path, "anna")
    assert access.find(second) is None
    path.write_text("[[token]")
    for _ in range(2):  # nobody has access, and this does not pass
        with pytest.raises(ConfigurationError, match="cannot be used"):
            access.find(second)
    path.unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        access.find(second)


@pytest.mark.parametrize(
    "text",
    [
        "token = 3",
        "[[token]]\nname = 'a'",
        "[[token]]\nname = 'a'\nrole = 'root'\nsha256 = '" + "0" * 64 + "'",
        "[[token]]\nname = 'a'\nrole = 'viewer'\nsha256 = '0'",
        "[[token]]\nname = 3\nrole = 'viewer'\nsha256 = '" + "0" * 64 + "'",
        "[[token]]\nname = 'a'\nrole = 'viewer'\ncameras = 'entrance'\nsha256 = '" + "0" * 64 + "'",
        "[[token]]\nname = 'a'\nrole = 'viewer'\ncamera = ['entrance']\nsha256 = '" + "0" * 64 + "'",
        "[tokens]\n",
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    path = tmp_path / "access.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"access\.toml"):
        AccessFile(path)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 101, "\0"])
def test_names_that_cannot_be_used(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="printable characters"):
        new_token(tmp_path / "access.toml", name, "viewer")
    with pytest.raises(ConfigurationError, match="no token"):
        new_token(tmp_path / "access.toml", "anna", "viewer")
        remove_token(tmp_path / "access.toml", name)


def test_roles_hold_what_those_before_them_hold() -> None:
    for held, role in enumerate(ROLES):
        assert [Caller(name="a", role=role).may(other) for other in ROLES] == [number <= held for number in range(len(ROLES))]


def test_a_caller_sees_their_cameras_alone() -> None:
    caller = Caller(name="a", role="viewer", cameras=frozenset(CAMERAS[:2]))
    sightings = [make_sighting(number) for number in range(6)] + [make_sighting(7, camera="")]
    assert [caller.sees(sighting) for sighting in sightings] == [True, True, False, True, True, False, False]
    for where in (EVERYTHING, Where(identities=frozenset(["person 1"])), Where(cameras=frozenset(CAMERAS[:1]))):
        narrowed = caller.narrow(where)
        for sighting in sightings:
            assert narrowed.holds(sighting) == (where.holds(sighting) and caller.sees(sighting))
    for foreign in ([CAMERAS[2]], [CAMERAS[0], CAMERAS[2]], [""]):
        with pytest.raises(AccessError):
            caller.narrow(Where(cameras=frozenset(foreign)))
    nobody = Caller(name="a", role="viewer", cameras=frozenset())
    assert not any(nobody.narrow(EVERYTHING).holds(sighting) for sighting in sightings)


def test_one_token() -> None:
    caller = Caller(name="local", role="admin")
    find = single_token("secret", caller)
    assert find("secret") is caller
    assert find("Secret") is None
    assert find("") is None


WITHOUT_THE_EXTRA = """
import sys
from resight.cli import main
for package in ("fastapi", "starlette", "uvicorn", "prometheus_client", "python_multipart"):
    sys.modules[package] = None
assert main(["access", sys.argv[1], "anna"]) == 0
assert main(["gallery", "create", sys.argv[2], "--retention", "30d"]) == 0
sys.exit(main(["serve", sys.argv[2], "--port", "0"]))
"""


def test_without_the_extra_tokens_are_made_and_the_way_to_serve_is_said(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_THE_EXTRA, str(tmp_path / "access.toml"), str(tmp_path / "gallery")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert "in the folder of Resight, pip install '.[serve]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "access.toml"
    assert main(["access", str(path), "anna", "--role", "operator", "--cameras", "hall", "entrance"]) == 0
    token = capsys.readouterr().out.strip()
    assert AccessFile(path).find(token) == Caller(name="anna", role="operator", cameras=frozenset(["hall", "entrance"]))
    written = tmp_path / "token.json"
    assert main(["access", str(path), "anna", "--cameras", "hall", "--cameras", "entrance", "--json", str(written)]) == 0
    said = capsys.readouterr()
    token = read_json(written)["token"]
    assert (said.out.strip(), said.err) == (token, "")
    assert AccessFile(path).find(token) == Caller(name="anna", role="viewer", cameras=frozenset(["hall", "entrance"]))
    if os.name == "posix":
        assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert main(["access", str(path), "anna", "--revoke", "--json", str(written)]) == 2
    assert "leave out --role, --cameras and --json" in capsys.readouterr().err
    assert main(["access", str(path), "anna", "--revoke"]) == 0
    assert AccessFile(path).find(token) is None
    assert main(["access", str(path), "anna", "--revoke"]) == 2
    assert "no token of 'anna'" in capsys.readouterr().err


def test_cameras_in_one_word_are_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "access.toml"
    assert main(["access", str(path), "anna", "--cameras", "hall,entrance"]) == 0
    token, said = capsys.readouterr()
    assert said == ("resight: note: 'hall,entrance' has a comma and is one camera; for several cameras, repeat --cameras\n")
    caller = AccessFile(path).find(token.strip())
    assert caller == Caller(name="anna", role="viewer", cameras=frozenset(["hall,entrance"]))


def test_a_revocation_beside_a_creation_is_not_lost(tmp_path: Path) -> None:
    """Both read the file before either writes it, again and again."""
    path = tmp_path / "access.toml"
    for number in range(20):
        new_token(path, f"old {number}", "viewer")
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(new_token, path, f"new {number}", "viewer") for number in range(20)]
        done += [pool.submit(remove_token, path, f"old {number}") for number in range(20)]  # type: ignore[arg-type]
        for one in done:
            one.result()
    text = path.read_text()
    assert "old" not in text
    assert all(f'"new {number}"' in text for number in range(20))


@pytest.mark.skipif(os.name != "posix", reason="needs pipes")
def test_neither_a_pipe_nor_deep_nesting_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "deep.toml").write_text("x = " + "[" * 100_000)
    for name in ("pipe", "deep.toml"):
        with pytest.raises(ConfigurationError, match="cannot be used"):
            AccessFile(tmp_path / name)
