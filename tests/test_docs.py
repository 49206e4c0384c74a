"""Docs that run: the guide's Python, every command line's options, and figures that are those of results/*.json."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from resight.cli import app
from resight.shipped import SHIPPED

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "recipes/ruiz2019/README.md"]


def test_the_guides_python_runs(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/guide.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/guide.md", "exec"), {"root": tiny})


def test_the_readmes_python_runs(tiny: Path, tiny_run: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    block = block.replace('"Market-1501-v15.09.15"', repr(str(tiny))).replace('"runs/distilled"', repr(str(tiny_run)))
    exec(compile(block, "README.md", "exec"), {})


def commands() -> list[str]:
    found = []
    for page in PAGES:
        text = re.sub(r"\\\n\s*", " ", page.read_text(encoding="utf-8"))
        found += [line.strip() for line in text.splitlines() if re.match(r"^    resight ", line)]
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_docs_has_the_options_it_shows(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    app.parse_args(shlex.split(command)[1:], exit_on_error=False, print_error=False)


def test_figures_are_those_of_the_results() -> None:
    checked = subprocess.run([sys.executable, ROOT / "tools/figures", "--check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_deployment_table_names_what_a_user_types() -> None:
    table = (ROOT / "README.md").read_text().partition("<!-- figures: deployment -->\n")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert {row[0].partition(" ")[0].strip("`") for row in rows} >= {*SHIPPED, "openvino:student"}
    for number, heading in enumerate(rows[0]):
        assert {row[number] for row in rows[2:]} != {"-"}, heading


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_public_names_are_sorted_and_there() -> None:
    import resight

    assert list(resight.__all__) == sorted(resight.__all__)
    for name in resight.__all__:
        assert getattr(resight, name) is not None
    with pytest.raises(AttributeError):
        _ = resight.nothing_of_this_name
