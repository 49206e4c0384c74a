"""`resight study`: reproduce a paper, or compare recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from resight.cli.options import EXPERT, Count, Device
from resight.cli.terminal import check_writable, say, use_threads, warn, write_result
from resight.progress import TerminalProgress
from resight.studies.ruiz2019.config import StudyConfig

__all__ = ["ablation", "ruiz2019"]

Together = Annotated[
    Count,
    Parameter(
        help="Runs at the same time, each in a process of its own. 1 makes them in turn in this process; 0 is 4 on a GPU, "
        "otherwise one for each core, up to 4."
    ),
]


def ruiz2019(
    *,
    data: Path,
    duke: Path | None = None,
    out: Path = Path("study"),
    device: Device = "auto",
    threads: Annotated[Count, EXPERT] = 0,
    cache: Annotated[Path | None, EXPERT] = None,
    json: Path | None = None,
    config: Annotated[StudyConfig, Parameter(name="*", consume_multiple=True, negative_iterable=())] = StudyConfig(),  # noqa: B008 (frozen)
) -> None:
    """Reproduce Ruiz et al. (2019), "Optimizing Speed/Accuracy Trade-Off for Person Re-identification via Knowledge Distillation".

    Makes all experiments of the paper, and a report with each of its tables and figures beside ours. Resumable.

    Parameters
    ----------
    data
        Folder of Market-1501.
    duke
        Folder of DukeMTMC-reID, if you hold it.
    out
        Folder for runs, scores and the report. Finished runs in it are not repeated.
    threads
        Processor threads of a run that is alone; 0 leaves the number to PyTorch. Runs beside each other share the cores.
    cache
        Folder for decoded images and teachers' answers.
    json
        Also write the report's JSON to this file.
    """
    from resight.datasets import open_dataset
    from resight.studies.ruiz2019.run import run_study

    check_writable(out / "report.json", json)
    use_threads(threads)
    market, dukemtmc = open_dataset(data), None if duke is None else open_dataset(duke)
    with TerminalProgress() as progress:
        report = run_study(market, out, config, duke=dukemtmc, device=device, cache=cache, progress=progress)
    runs = report["runs"]["runs"]
    states = [run["state"] for run in runs]
    counts = ", ".join(f"{states.count(state)} {state}" for state in ("done", "failed", "begun", "not run"))
    say(f"ruiz2019, profile {config.profile}: {counts}")
    for run in runs:
        if run["state"] == "failed":
            say(f"{run['dataset']} {run['name']} failed: {run['reason']}")
    warn(tuple(report["notes"]))
    say(f"{out / 'report.html'} shows everything.")
    write_result(json, report, market.accounting if dukemtmc is None else market.accounting + dukemtmc.accounting)


def ablation(
    plan: Path,
    /,
    *,
    data: Path,
    out: Path = Path("ablation"),
    device: Device = "auto",
    together: Together = 1,
    threads: Annotated[Count, EXPERT] = 0,
    cache: Annotated[Path | None, EXPERT] = None,
    json: Path | None = None,
) -> None:
    """Train several recipes with several seeds, and compare them on held-out people. Resumable.

    Parameters
    ----------
    plan
        TOML file with the recipes: a list seeds, a table base with options of `resight train` or `resight distill`, and for each
        recipe a table runs."NAME" with the options that it changes.
    data
        Folder of a data set; only its training images are read.
    out
        Folder for the runs, ablation.json and ablation.md. Finished runs in it are not repeated.
    threads
        Processor threads of a run that is alone; 0 leaves the number to PyTorch. Runs beside each other share the cores.
    cache
        Folder for decoded images and teachers' answers.
    json
        Also write the table's JSON to this file.
    """
    from resight.datasets import open_dataset
    from resight.studies.ablation import markdown, run_ablation

    check_writable(out / "ablation.json", json)
    use_threads(threads)
    dataset = open_dataset(data)
    warn(dataset.warnings)
    with TerminalProgress() as progress:
        record = run_ablation(plan, data, out, together=together, device=device, cache=cache, progress=progress)
    say(markdown(record["runs"]).rstrip())
    write_result(json, record, dataset.account("train", first=True))
