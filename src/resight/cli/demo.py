"""`resight demo`."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from resight.cli.options import TorchThreads
from resight.cli.terminal import check_writable, say, show_report, use_threads, write_result
from resight.progress import TerminalProgress

__all__ = ["demo"]


def demo(*, out: Path = Path("demo"), seed: int = 0, threads: TorchThreads = 0, json: Path | None = None) -> None:
    """Run the whole job on drawn people: draw a camera network, fit LOMO + XQDA, train a teacher, a student alone and the same
    student distilled, compare their speed and accuracy, make a gallery to search, and watch two films. It takes about two minutes
    and works offline.

    Parameters
    ----------
    out
        Folder for the drawn images, the runs, the figures and the gallery. Given again, finished trainings are not repeated.
    seed
        Seed of the drawing and of the trainings.
    json
        Also write the figures and the time of each part to this file.
    """
    from resight.studies.demo import run_demo

    check_writable(json)
    use_threads(threads)
    with TerminalProgress() as progress:
        outcome = run_demo(out, seed=seed, progress=progress)
    show_report("Speed beside accuracy on drawn people", outcome.report)
    say("* No other model is both faster and more accurate.\n")
    say(outcome.sentence())
    say(f"\nPictures: {out / 'tradeoff.png'} and {out / 'people.png'}. It took {sum(outcome.seconds.values()):.0f} seconds.")
    say(f"The people who walk in {out / 'films'} are in the gallery, too; {out / 'events.jsonl'} says who was seen again.")
    command = "resight" if shutil.which("resight") else sys.argv[0]  # `make demo` installs it in .venv, outside the path
    say("\nTo search these people in the browser:\n")
    say(f"    {command} serve {shlex.quote(str(out / 'gallery'))} --calibration {shlex.quote(str(out / 'calibration.json'))}\n")
    say(f"Open the address that it prints, and drop an image from {out / 'questions'} on the page.")
    times = {"seconds": outcome.seconds, "processor_seconds": outcome.processor_seconds}
    write_result(json, {"seed": seed, "sentence": outcome.sentence(), **times, **outcome.report.to_dict()})
