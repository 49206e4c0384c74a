"""A copy of the package, for tests that change it as a newcomer does: one new file and one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns

import resight


class House:
    """A copy of the package that can be changed."""

    def __init__(self, folder: Path) -> None:
        original = Path(resight.__file__).parent
        self.package = folder / "resight"
        copytree(original, self.package, ignore=ignore_patterns("shipped", "recipes"), dirs_exist_ok=False)
        for name in ("shipped", "recipes"):
            (self.package / name).symlink_to(original / name)

    def change(self, file: str, text: str, dictionary: str, line: str) -> None:
        """Write a new file, and a line behind the first of a dictionary in its folder's ``__init__.py``."""
        (self.package / file).write_text(text)
        place = (self.package / file).parent / "__init__.py"
        before = place.read_text()
        assert before.count(f"{dictionary} = {{\n") == 1
        place.write_text(before.replace(f"{dictionary} = {{\n", f"{dictionary} = {{\n    {line}\n"))

    def run(self, *arguments: str) -> str:
        """What `resight` prints."""
        environment = os.environ | {"PYTHONPATH": str(self.package.parent), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "resight.cli", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout
