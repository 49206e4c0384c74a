"""Try an installed wheel as a newcomer does: embed drawn people, keep them in a gallery, search it. Fails if PyTorch is there.

Run it by the interpreter of an environment that holds the wheel and what it depends on, and nothing else: `make dist` does.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import resight
from resight.drawn import crops


def main() -> None:
    if importlib.util.find_spec("torch"):
        sys.exit("PyTorch is installed here; expected an environment with the wheel alone")
    if Path(__file__).parents[1] in Path(resight.__file__).parents and "site-packages" not in resight.__file__:
        sys.exit(f"{resight.__file__} is the checkout's; expected the installed wheel")
    with tempfile.TemporaryDirectory() as folder:
        people = Path(folder, "people")
        crops.generate(people, identities_train=2, identities_test=4, cameras=2, images_per_camera=2)
        image = next((people / "query").glob("*.jpg"))
        for verb in (
            ["--version"],
            ["extract", "--images", people, "--out", Path(folder, "vectors")],
            ["gallery", "create", Path(folder, "gallery"), "--retention", "30d"],
            ["gallery", "add", Path(folder, "gallery"), people],
            ["gallery", "search", Path(folder, "gallery"), image],
        ):
            subprocess.run([Path(sys.executable).with_name("resight"), *verb], check=True)


if __name__ == "__main__":
    main()
