"""`resight demo`."""

from __future__ import annotations

from pathlib import Path

from resight.cli.terminal import say, show_report, use_threads, write_result
from resight.progress import TerminalProgress

__all__ = ["demo"]


def demo(*, out: Path = Path("demo"), threads: int = 0, json: Path | None = None) -> None:
    """The whole job on drawn pedestrians, offline, in minutes: data set, teacher, student alone, student distilled, trade-off.

    Parameters
    ----------
    out
        Folder for the drawn camera network, the runs and the trade-off. Given again, finished parts are not done again.
    threads
        CPU threads; 0 leaves it to PyTorch.
    json
        Also write the trade-off's JSON to this file.
    """
    from resight.demo import run_demo

    use_threads(threads)
    with TerminalProgress() as progress:
        report = run_demo(out, progress=progress)
    show_report("Trade-off on the drawn camera network", report)
    say(f"* nobody is both faster and better. Look at {out / 'tradeoff.png'} and {out / 'people.png'}.")
    write_result(json, report.to_dict())
