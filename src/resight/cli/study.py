"""`resight study`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from resight.cli.options import Count, Device
from resight.cli.terminal import check_writable, say, use_threads, warn, write_result
from resight.progress import TerminalProgress
from resight.studies.ruiz2019.config import StudyConfig

__all__ = ["study"]


def study(
    name: Literal["ruiz2019"],
    /,
    *,
    data: Path,
    duke: Path | None = None,
    out: Path = Path("study"),
    device: Device = "auto",
    threads: Count = 0,
    cache: Path | None = None,
    json: Path | None = None,
    config: Annotated[StudyConfig, Parameter(name="*", consume_multiple=True, negative_iterable=())] = StudyConfig(),  # noqa: B008 (frozen)
) -> None:
    """Reproduce a paper: all its experiments, resumable, and a report with each of its tables and figures beside ours.

    Parameters
    ----------
    name
        ruiz2019: "Optimizing Speed/Accuracy Trade-Off for Person Re-identification via Knowledge Distillation".
    data
        Folder of Market-1501.
    duke
        Folder of DukeMTMC-reID, for those who hold it.
    out
        Folder for runs, scores and the report. Given again, finished runs are not made again.
    threads
        CPU threads of what runs alone; 0 leaves it to PyTorch. Runs beside each other share the cores.
    cache
        Folder for decoded images and teachers' answers.
    json
        Also write the report's JSON to this file.
    """
    from resight.studies.ruiz2019.run import run_study

    check_writable(out / "report.json", json)
    use_threads(threads)
    with TerminalProgress() as progress:
        report = run_study(data, out, config, duke=duke, device=device, cache=cache, progress=progress)
    runs = report["runs"]["runs"]
    states = [run["state"] for run in runs]
    counts = ", ".join(f"{states.count(state)} {state}" for state in ("done", "failed", "begun", "not run"))
    say(f"{name}, profile {config.profile}: {counts}")
    for run in runs:
        if run["state"] == "failed":
            say(f"{run['dataset']} {run['name']} failed: {run['reason']}")
    warn(tuple(report["notes"]))
    say(f"{out / 'report.html'} shows everything.")
    write_result(json, report)
