"""The house stays as docs/design says: data flows one way, and nobody imports against it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "resight"

LEVELS = [
    {"errors"},
    {"files", "shipped", "progress", "display", "compute", "memory", "configuration", "provenance"},
    {"images"},
    {"datasets"},
    {"drawn"},
    {"networks", "lomo", "distances"},
    {"models"},
    {"extraction"},
    {"ranking"},
    {"evaluation"},
    {"training"},
    {"distillation"},
    {"export"},
    {"cameras"},
    {"gallery"},
    {"decision"},
    {"tradeoff"},
    {"service"},
    {"studies"},
    {"cli", "__main__"},
]
"""A module imports from its own level and from those above it in this list."""

LEVEL = {name: number for number, names in enumerate(LEVELS) for name in names}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE)


def station(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("resight"):
            names = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "resight" else [str(node.module)]
            found |= {name.split(".")[1] for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("resight.")}
    return found


def test_imports_point_along_the_flow() -> None:
    for path in MODULES:
        against = {name for name in imports(path) if LEVEL[name] > LEVEL[station(path)]}
        assert not against, f"{path.relative_to(PACKAGE)} imports {against}, which come later in the flow"


def test_the_core_needs_no_optional_package() -> None:
    optional = {
        "torch",
        "scipy",
        "numba",
        "matplotlib",
        "h5py",
        "tensorboardX",
        "onnx",
        "fastapi",
        "pydantic",
        "uvicorn",
        "av",
        "paho",
    }
    core = {
        "errors",
        "files",
        "progress",
        "display",
        "compute",
        "configuration",
        "provenance",
        "images",
        "datasets",
        "ranking",
        "evaluation",
        "cameras",
        "gallery",
        "decision",
        "cli",
    }
    for path in MODULES:
        if station(path) not in core:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                assert not {name.partition(".")[0] for name in names} & optional, f"{path} needs an optional package"


def test_every_station_has_a_level() -> None:
    assert {station(path) for path in MODULES} == set(LEVEL)


def test_docstrings_and_help_texts_begin_with_a_noun_or_a_verb() -> None:
    """The help text of an option is the first line below its name in a docstring."""
    word = "(?:Of|That|Those|Where|What|Whatever|Which|Whether)"
    begins = re.compile(rf"(?:\A|^ *\w[\w, ]* : .*\n +)({word}\b.*)", re.MULTILINE)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = node.value.value if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) else ""
            if isinstance(text, str) and (found := begins.search(text)):
                raise AssertionError(f"{path.relative_to(PACKAGE)}: {found[1]}")


def test_names_that_say_nothing_are_not_used() -> None:
    for path in PACKAGE.rglob("*"):
        assert not re.fullmatch(r"(utils?|core|common|engine|manager|helpers?|misc)(\.py)?", path.name), path
