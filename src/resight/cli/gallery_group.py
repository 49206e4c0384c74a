"""`resight gallery group`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from resight.cli.terminal import say, show, shown, table, warn, write_result
from resight.progress import TerminalProgress

if TYPE_CHECKING:
    from resight.gallery.group import Group, Grouping

__all__ = ["group"]

_SHOWN = 20  # groups


def group(
    gallery: str,
    /,
    *,
    calibration: Path,
    plan: Annotated[Path | None, Parameter(name="--cameras")] = None,
    dry_run: bool = False,
    json: Path | None = None,
) -> None:
    """Join the sightings that nobody has named into people, who get provisional names such as person-12.

    Two sightings are one person if they are nearer than the calibration's distance for joining (if it has none: if the answer is
    match), and if one person can have been at both places. After an interruption, the same command goes on where it stopped. A
    name that somebody gave is never changed.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    calibration
        File from `resight calibrate`.
    plan
        TOML file that names cameras, their overlaps and travel times; by default nobody is in two places at once.
    dry_run
        Only show whom the sightings would be joined into.
    json
        Also write all people with a provisional name, and their sightings, to this file.
    """
    from resight.cameras.plan import read_plan
    from resight.decision import Calibration
    from resight.gallery import Gallery
    from resight.gallery.group import group_people

    read = Calibration.load(calibration)
    ways = None if plan is None else read_plan(plan).ways
    with Gallery.open(gallery) as opened:
        read.check(opened.settings)
        warn(read.notes(opened.settings))
        with TerminalProgress() as progress:
            found = group_people(opened, read.limits(), ways, keep=not dry_run, progress=progress)
    _show(found, gallery, dry_run=dry_run)
    write_result(json, found.to_dict() | {"dry_run": dry_run})


def _show(found: Grouping, gallery: str, *, dry_run: bool) -> None:
    """Print whom the sightings were joined into."""
    several = [one for one in found.groups if one.passes > 1]
    if several:
        title = f"{shown(gallery)}: people without a name who were seen more than once"
        show(table(title, ["name", "passes", "cameras", "first", "last"], [_row(one) for one in several[:_SHOWN]]))
        if len(several) > _SHOWN:
            say(f"and {len(several) - _SHOWN} more; --json lists them all")
    would = "would be" if dry_run else "are"
    once = len(found.groups) - len(several)
    say(f"{len(found.groups)} people without a name: {len(several)} seen more than once, {once} once")
    say(f"{found.joined} sightings {would} joined now, {found.changed} {would} somebody else's; {found.named} have a name")
    if found.left_out:
        warn((f"{found.left_out} sightings are left out, because their vector is zero",))
    if several and not dry_run:
        name, where = several[0].name, shown(gallery)
        say(
            f"to confirm: `resight gallery rename {where} {name} NAME`, or `merge` if somebody has that name; "
            f"to split: `resight gallery label {where} --id ID --identity NAME`"
        )


def _row(one: Group) -> list[str]:
    times = [time.isoformat(sep=" ", timespec="seconds") if time else "" for time in (one.first, one.last)]
    return [one.name, str(one.passes), ", ".join(one.cameras), *times]
