"""Compare recipes on held-out people: each is trained with several seeds, and what failed is kept.

    python tools/ablation.py PLAN.toml --data DIR --out runs/ablation --json results/market1501-ablation.json

The plan is a TOML file: options of `resight train` or `resight distill` that all recipes share, and what each one changes.

    seeds = [0, 1, 2]

    [base]
    epochs = 20

    [runs."plain"]

    [runs."with erasing"]
    erase = 0.5

    [runs."with a teacher"]
    teacher = ["osnet-0.25:osnet_x0_25_market1501.pth"]
    seeds = [0]

A recipe with an option that only `resight distill` has is a distillation. Every run has a folder below --out. The same command goes
on after an interruption, adds what was added to the plan, and tries again what failed. The table is written after each run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from resight.configuration import configure, read_recipe
from resight.datasets import Dataset, open_dataset
from resight.distillation.config import DistillConfig
from resight.distillation.distill import distill
from resight.errors import ConfigurationError, ResightError
from resight.files import write_json, write_text
from resight.progress import Progress, TerminalProgress, silent
from resight.provenance import provenance
from resight.training.config import TrainConfig
from resight.training.train import read_history, train

FIGURES = ("map", "rank1")


@dataclass(frozen=True)
class Trial:
    """One recipe of a plan: its name, what it changes, and a configuration for every seed."""

    name: str
    changes: dict[str, Any]
    configs: dict[int, TrainConfig]


def read_plan(path: str | Path) -> list[Trial]:
    """The recipes of a plan, in its order. Raises `ConfigurationError`."""
    plan = read_recipe(path)
    base, runs, seeds = plan.pop("base", {}), plan.pop("runs", {}), plan.pop("seeds", [0])
    if plan or not isinstance(base, dict) or not runs or not all(isinstance(changes, dict) for changes in (runs, *runs.values())):
        raise ConfigurationError(f"{path} is no plan; expected seeds, a table base, and a table for each recipe in runs")
    return [_trial(f"{path}, {name}", name, base, changes, seeds) for name, changes in runs.items()]


def _trial(source: str, name: str, base: dict[str, Any], changes: dict[str, Any], seeds: Any) -> Trial:
    if name in (".", "..") or Path(name).name != name:
        raise ConfigurationError(f"{source}: the name is also that of a folder; expected one without slashes")
    changes = dict(changes)
    seeds = changes.pop("seeds", seeds)
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int for seed in seeds):
        raise ConfigurationError(f"{source}: seeds = {seeds!r}; expected a list of int")
    values = base | changes
    kind = TrainConfig if values.keys() <= {field.name for field in fields(TrainConfig)} else DistillConfig
    configs = {seed: configure(kind, values | {"seed": seed}, source=source) for seed in seeds}
    if any(config.validation != "identity" for config in configs.values()):
        raise ConfigurationError(f"{source}: recipes are compared on people that none was trained on; leave out validation")
    return Trial(name, changes, configs)


def run_plan(
    plan: list[Trial],
    data: Dataset,
    out: Path,
    report: Callable[[list[dict[str, Any]]], None],
    *,
    device: str = "auto",
    cache: Path | None = None,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Train what is not trained yet, the first seeds of all recipes first, and call `report` with all rows after every run."""
    found: dict[str, dict[int, dict[str, Any]]] = {trial.name: {} for trial in plan}
    rows: list[dict[str, Any]] = []
    for turn in range(max(len(trial.configs) for trial in plan)):
        for trial in plan:
            if turn >= len(trial.configs):
                continue
            seed, config = list(trial.configs.items())[turn]
            fit: Callable[..., Path] = distill if isinstance(config, DistillConfig) else train
            try:
                run = fit(data, out / trial.name / str(seed), config, device=device, cache=cache, progress=progress)
                found[trial.name][seed] = _figures(run)
            except ResightError as error:
                found[trial.name][seed] = {"failure": str(error)}
            rows = [summary(other, found[other.name]) for other in plan]
            report(rows)
    return rows


def _figures(run: Path) -> dict[str, Any]:
    epochs = read_history(run)["epochs"]
    held_out = epochs[-1]["validation"]
    return {name: held_out[name] for name in FIGURES} | {"minutes": sum(row["seconds"] for row in epochs) / 60}


def summary(trial: Trial, found: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """One row: what every seed gave, and over those that did not fail the mean and the sample standard deviation."""
    rows = [{"seed": seed, **figures} for seed, figures in sorted(found.items())]
    whole = [row for row in rows if "failure" not in row]
    row: dict[str, Any] = {"name": trial.name, "changes": trial.changes, "seeds": rows}
    for name in (*FIGURES, "minutes"):
        values = [one[name] for one in whole]
        row[name] = statistics.fmean(values) if values else None
        row[f"{name}_deviation"] = statistics.stdev(values) if len(values) > 1 else None
    return row


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table, and below it what failed."""
    lines = ["| Recipe | mAP held out (%) | Rank-1 (%) | minutes | seeds |", "| --- | ---: | ---: | ---: | ---: |"]
    failures = []
    for row in rows:
        cells = [row["name"], *(_spread(row, name) for name in FIGURES)]
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


def main(arguments: list[str] | None = None) -> int:
    """Run a plan; the exit code is that of `resight`: 0, 2 after a user's mistake, 130 after an interruption."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="also a Markdown table beside it, of the same name")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.threads > 0:
        import torch

        torch.set_num_threads(options.threads)
    target = options.json or options.out / "ablation.json"
    source = provenance({"plan": options.plan.name})

    def report(rows: list[dict[str, Any]]) -> None:
        rows = json.loads(json.dumps(rows).replace(str(Path.home()), "~"))  # what is published names nobody's folders
        write_json(target, {"runs": rows, "provenance": source})
        write_text(target.with_suffix(".md"), markdown(rows))

    try:
        with TerminalProgress() as progress:
            plan = read_plan(options.plan)
            cache = options.out / "cache"  # images are decoded and teachers asked once for all runs
            data = open_dataset(options.data)
            rows = run_plan(plan, data, options.out, report, device=options.device, cache=cache, progress=progress)
    except ResightError as error:
        print(f"ablation: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nablation: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    print(markdown(rows), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
