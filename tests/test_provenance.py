"""The commit beside a figure is Resight's, or none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from resight.provenance import provenance


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    return subprocess.run(["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_of_a_repository_that_the_package_only_lies_in_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "src" / "resight"
    package.mkdir(parents=True)
    (package / "provenance.py").write_text("")
    monkeypatch.setattr("resight.provenance.__file__", str(package / "provenance.py"))
    assert provenance()["commit"] is None  # no repository at all
    git(tmp_path, "init")
    assert provenance()["commit"] is None  # nor a commit
    git(tmp_path, "commit", "--allow-empty", "-m", "a user's own work")
    assert provenance()["commit"] is None
    (tmp_path / ".gitignore").write_text("src\n")  # as virtual environments are
    assert provenance()["commit"] is None
    git(tmp_path, "add", "--force", "src")
    git(tmp_path, "commit", "-m", "Resight itself")
    assert provenance()["commit"] == git(tmp_path, "rev-parse", "HEAD")
    (package / "provenance.py").write_text("changed")
    assert provenance()["commit"] == git(tmp_path, "rev-parse", "HEAD") + "-dirty"
