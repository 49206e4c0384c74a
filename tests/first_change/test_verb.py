"""A new verb: a file, and a line in `resight.cli.VERBS`."""

from __future__ import annotations

from pathlib import Path

from first_change.house import House

VERB = '''
from pathlib import Path

from resight.cli.terminal import say


def count(images: Path) -> None:
    """Count the images of a folder.

    Parameters
    ----------
    images
        Folder with images.
    """
    say(f"{len(list(images.iterdir()))} images")
'''


def test_a_verb(tiny: Path, tmp_path: Path) -> None:
    house = House(tmp_path)
    house.change("cli/count.py", VERB, "VERBS", '"count": ("count", _MEASURE),')
    listed = house.run("--help")
    assert "count" in listed[listed.index("Measure") : listed.index("Reproduce")]
    assert "Count the images of a folder." in listed
    assert "Folder with images." in house.run("count", "--help")
    assert house.run("count", str(tiny / "query")) == f"{len(list((tiny / 'query').iterdir()))} images\n"
