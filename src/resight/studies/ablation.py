"""Ablation: recipes of a plan, each trained with several seeds and compared on held-out people.

A plan is a TOML file: options of `resight train` or `resight distill` that all recipes share, and the changes of each one.

    seeds = [0, 1, 2]

    [base]
    epochs = 20

    [runs."plain"]

    [runs."with erasing"]
    erase = 0.5

    [runs."with a teacher"]
    teacher = ["osnet-0.25:osnet_x0_25_market1501.pth"]
    seeds = [0]

A recipe with an option that only `resight distill` has is a distillation.
"""

from __future__ import annotations

import contextlib
import json
import statistics
from collections import defaultdict
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from resight.configuration import configure, read_recipe, to_dict
from resight.datasets import open_dataset
from resight.distillation.config import DistillConfig
from resight.errors import ConfigurationError, ResightError
from resight.files import claimed, write_json, write_text
from resight.images import cache_folder
from resight.networks import check_name
from resight.networks.card import read_card
from resight.progress import Progress, silent
from resight.provenance import provenance
from resight.studies.perform import Task
from resight.studies.runner import Job, run_jobs
from resight.training.config import TrainConfig
from resight.training.train import read_history

__all__ = ["Trial", "markdown", "read_plan", "run_ablation"]

_FIGURES = ("map", "rank1")

_Found = dict[int, dict[str, Any]]  # by seed


@dataclass(frozen=True)
class Trial:
    """One recipe of a plan: its name, its changes, and a configuration for each seed."""

    name: str
    changes: dict[str, Any]
    configs: dict[int, TrainConfig]


def read_plan(path: str | Path) -> list[Trial]:
    """Read the recipes of a plan, in its order. Raises `ConfigurationError`."""
    plan = read_recipe(path)
    base, runs, seeds = plan.pop("base", {}), plan.pop("runs", {}), plan.pop("seeds", [0])
    tables = (base, runs, *runs.values()) if isinstance(runs, dict) else ()
    if plan or not runs or not tables or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError(f"{path} is not a plan; expected seeds, a table base, and in runs a table for each recipe")
    return [_trial(f"{path}, {name}", name, base, changes, seeds) for name, changes in runs.items()]


def _trial(source: str, name: str, base: dict[str, Any], changes: dict[str, Any], seeds: Any) -> Trial:
    if name in (".", "..") or Path(name).name != name:
        raise ConfigurationError(f"{source}: the name is also that of a folder; expected one without slashes")
    changes = dict(changes)
    seeds = changes.pop("seeds", seeds)
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int for seed in seeds) or len({*seeds}) < len(seeds):
        raise ConfigurationError(f"{source}: seeds = {seeds!r}; expected a list of int, each once")
    values = base | changes
    kind = TrainConfig if values.keys() <= {field.name for field in fields(TrainConfig)} else DistillConfig
    try:
        configs = {seed: configure(kind, values | {"seed": seed}, source=source) for seed in seeds}
        for config in configs.values():
            check_name(config.network)
            if isinstance(config, DistillConfig) and config.needs_teacher and not config.teacher:
                raise ConfigurationError('no teacher is named; add teacher = ["RUN"] or teacher = ["NETWORK:FILE"]')
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {str(error).removeprefix(f'{source}: ')}") from None
    if any(config.validation != "identity" for config in configs.values()):
        raise ConfigurationError(f"{source}: recipes are compared on people that none was trained on; leave out validation")
    return Trial(name, changes, configs)


def run_ablation(
    plan: str | Path,
    data: str | Path,
    out: str | Path,
    *,
    together: int = 1,
    device: str = "auto",
    cache: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train every recipe of a plan with every seed, and write ``ablation.json`` and ``ablation.md`` after each run.

    Run again, it repeats no finished run, resumes an interrupted one, tries a failed one again, and adds what was added to the
    plan. The first seeds of all recipes come first.

    Parameters
    ----------
    plan : str or Path
        TOML file.
    data : str or Path
        Folder of a data set, or a table; only its training images are read.
    out : str or Path
        Folder for the runs, ``RECIPE/SEED``, and for the two files.
    together : int
        See `resight.studies.runner.run_jobs`.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    cache : Path, optional
        Folder for decoded images and teachers' answers; `resight.images.cache_folder` unless given.
    progress : Progress

    Returns
    -------
    dict
        Content of ``ablation.json``.

    Raises
    ------
    ConfigurationError
        If the plan cannot be run.
    DatasetError
        If `data` holds no data set.
    StorageError
        If a file cannot be written. The record tells of failures of single runs instead.
    """
    trials = read_plan(plan)
    open_dataset(data)  # each run opens it again
    root, out = Path(data).resolve(), Path(out).resolve()
    where = {"device": device, "cache": str((cache or cache_folder()).resolve())}
    jobs: dict[Job, tuple[str, int]] = {}
    for turn in range(max(len(trial.configs) for trial in trials)):
        for trial in trials:
            for seed, config in list(trial.configs.items())[turn : turn + 1]:
                folder = str(out / trial.name / str(seed))
                task = Task(data=str(root), folder=folder, configuration=to_dict(config), **where)
                jobs[Job(name=f"{trial.name}, seed {seed}", task=task, epochs=config.epochs)] = trial.name, seed
    found: dict[str, _Found] = defaultdict(dict)
    for job, (name, seed) in jobs.items():  # else the table would lack, until its turn comes, what an earlier call made
        with contextlib.suppress(ResightError):
            if read_card(job.task.folder).configuration == json.loads(json.dumps(job.task.configuration)):
                found[name][seed] = _figures(Path(job.task.folder))
    origin = provenance({"plan": Path(plan).name})
    record: dict[str, Any] = {}

    def ended(job: Job, reason: str) -> None:
        name, seed = jobs[job]
        found[name][seed] = {"failure": reason} if reason else _figures(Path(job.task.folder))
        rows = [_summary(trial, found[trial.name]) for trial in trials]
        rows = json.loads(json.dumps(rows).replace(str(Path.home()), "~"))  # a published record names nobody's folders
        record.update(runs=rows, provenance=origin)
        write_json(out / "ablation.json", record)
        write_text(out / "ablation.md", markdown(rows))

    with claimed(out, "makes a study"):
        run_jobs(list(jobs), ended, together=together, device=device, progress=progress)
    return record


def _figures(run: Path) -> dict[str, Any]:
    """Scores and minutes of a run; and temperature and mean entropy, in nats, of its soft targets, if teachers gave some."""
    history = read_history(run)
    held_out = history["epochs"][-1]["validation"]
    found = {name: held_out[name] for name in _FIGURES} | {"minutes": sum(row["seconds"] for row in history["epochs"]) / 60}
    about = history["about"]
    if "temperature" in about:
        found["temperature"] = about["temperature"]
        found["entropy"] = statistics.fmean(
            teacher["entropy"]["nats"][f"{about['temperature']:g}"] for teacher in about["teachers"]
        )
    return found


def _summary(trial: Trial, found: _Found) -> dict[str, Any]:
    """One row: the figures of each seed, and their mean and sample standard deviation over the runs that did not fail."""
    rows = [{"seed": seed, **figures} for seed, figures in sorted(found.items())]
    whole = [row for row in rows if "failure" not in row]
    row: dict[str, Any] = {"name": trial.name, "changes": trial.changes, "seeds": rows}
    for name in (*_FIGURES, "minutes"):
        values = [one[name] for one in whole]
        row[name] = statistics.fmean(values) if values else None
        row[f"{name}_deviation"] = statistics.stdev(values) if len(values) > 1 else None
    return row


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table, and below it the failures."""
    lines = ["| Recipe | mAP held out (%) | Rank-1 (%) | minutes | seeds |", "| --- | ---: | ---: | ---: | ---: |"]
    failures = []
    for row in rows:
        cells = [row["name"].replace("|", "\\|"), *(_spread(row, name) for name in _FIGURES)]
        cells.append("-" if row["minutes"] is None else f"{row['minutes']:.1f}")
        cells.append(str(sum("failure" not in one for one in row["seeds"])))
        lines.append(f"| {' | '.join(cells)} |")
        failures += [f"- {row['name']}, seed {one['seed']}: {one['failure']}" for one in row["seeds"] if "failure" in one]
    if failures:
        lines += ["", "Failed:", "", *failures]
    return "\n".join(lines) + "\n"


def _spread(row: dict[str, Any], name: str) -> str:
    if row[name] is None:
        return "-"
    deviation = row[f"{name}_deviation"]
    return f"{row[name]:.1f}" + ("" if deviation is None else f" ± {deviation:.1f}")
