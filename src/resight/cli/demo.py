"""`resight demo`."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from resight.cli.options import TorchThreads
from resight.cli.terminal import say, show_report, use_threads, write_result
from resight.progress import TerminalProgress

__all__ = ["demo"]


def demo(*, out: Path = Path("demo"), threads: TorchThreads = 0, json: Path | None = None) -> None:
    """Do the whole job on drawn people, offline, in minutes: data set, teacher, student, trade-off, and a gallery to search.

    Parameters
    ----------
    out
        Folder for the drawn camera network, the runs and the trade-off. Finished parts in it are not repeated.
    json
        Also write the trade-off's JSON to this file.
    """
    from resight.studies.demo import run_demo

    use_threads(threads)
    with TerminalProgress() as progress:
        report = run_demo(out, progress=progress)
    show_report("Trade-off on the drawn camera network", report)
    say(f"* nobody is both faster and better. Look at {out / 'tradeoff.png'} and {out / 'people.png'}.")
    command = "resight" if shutil.which("resight") else sys.argv[0]  # `make demo` has it in .venv alone
    say("\nTo search these people in the browser:\n")
    say(f"    {command} serve {shlex.quote(str(out / 'gallery'))} --calibration {shlex.quote(str(out / 'calibration.json'))}\n")
    say(f"Open the address that it prints, and drop an image from {out / 'questions'} on the page.")
    write_result(json, report.to_dict())
