"""Docs that run: the guide's Python, every command line's options, and figures that are those of results/*.json."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

from models.exported_models import foreign, save
from resight.cli import app
from resight.datasets import open_dataset
from resight.gallery import Gallery, Settings, crops_of
from resight.models import load_model
from resight.shipped import SHIPPED

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "recipes/ruiz2019/README.md"]
PYTHON = [page for page in PAGES if "```python" in page.read_text(encoding="utf-8")]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def people(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery that the pages search; each gets a copy."""
    model, folder = load_model("student"), tmp_path_factory.mktemp("people") / "gallery"
    with Gallery.create(folder, Settings.for_model("student", model, retention=None)) as gallery:
        gallery.enrol(model, crops_of(open_dataset(tiny).gallery))
    return folder


@pytest.mark.parametrize("page", PYTHON, ids=name_of)
def test_the_python_of_a_page_runs(
    page: Path, tiny: Path, tiny_run: Path, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page.read_text(encoding="utf-8")
    if 'Gallery.create("people"' not in text:
        copytree(people, tmp_path / "people")
    save(tmp_path / "theirs.onnx", foreign())
    names = {"images": open_dataset(tiny).query.paths, "data": tiny, "run": tiny_run}
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, name_of(page), "exec"), names)


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
    table = (ROOT / "docs/results.md").read_text().partition("<!-- figures: deployment -->\n")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    timed = {*SHIPPED} - {"student-general"}  # which has the same network as student
    assert {row[0].partition(" ")[0].strip("`") for row in rows} >= {*timed, "openvino:student"}
    for number, heading in enumerate(rows[0]):
        assert {row[number] for row in rows[2:]} != {"-"}, heading


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path / "site"]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr


def test_files_that_the_pages_name_exist() -> None:
    """Names of modules, tests and records, such as `ranking/nearest.py`; NAME stands for any."""
    named = {
        (page.name, name)
        for page in [*PAGES, ROOT / "CONTRIBUTING.md"]
        for name in re.findall(r"`([\w./-]+/[\w.-]+\.(?:py|md|json|toml))`", page.read_text(encoding="utf-8"))
    }
    places = [ROOT, ROOT / "src", ROOT / "src/resight", ROOT / "docs"]
    missing = [(page, name) for page, name in named if "NAME" not in name and not any((place / name).exists() for place in places)]
    assert len(named) > 20 and not missing
