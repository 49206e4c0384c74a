"""Every run of a study, and what became of it."""

from __future__ import annotations

from collections import Counter

from resight.studies.ruiz2019.beside import figure
from resight.studies.ruiz2019.experiments import DATASETS
from resight.studies.ruiz2019.outcomes import NOT_RUN, Outcomes
from resight.studies.ruiz2019.pages import Section, Table

__all__ = ["run_list"]


def run_list(outcomes: Outcomes) -> Section:
    """Every run: what became of it."""
    rows, data = [], []
    why: Counter[tuple[str, str]] = Counter()
    for found in outcomes.all:
        run = found.run
        seconds, experiment = found.seconds, run.experiment
        data.append(
            {
                "dataset": run.dataset,
                "name": run.name,
                "shown": list(experiment.shown),
                "profiles": list(experiment.profiles),
                "state": found.state,
                "reason": found.reason,
                "rank1": found.rank1,
                "map": found.map,
                "training_seconds": seconds,
            }
        )
        if found.state == NOT_RUN:
            why[run.dataset, found.reason] += 1
            continue
        minutes = "-" if seconds is None else f"{seconds / 60:.1f}"
        scores = (figure(found.rank1), figure(found.map)) if run.config or experiment.kind == "teacher" else ("-", "-")
        rows.append((run.name, DATASETS[run.dataset], found.state, *scores, minutes, ", ".join(experiment.shown), found.reason))
    headings = ("run", "data set", "state", "Rank-1 (%)", "mAP (%)", "training, minutes", "shown in", "remark")
    tables = [Table(caption="", headings=headings, rows=tuple(rows), text=True)] if rows else []
    if why:
        lines = tuple((str(count), DATASETS[dataset], reason) for (dataset, reason), count in why.most_common())
        tables.append(Table(caption="Not run", headings=("runs", "data set", "why"), rows=lines, text=True))
    states = Counter(found.state for found in outcomes.all)
    return Section(
        key="runs",
        title="All runs",
        paragraphs=(", ".join(f"{states[state]} {state}" for state in ("done", "failed", "begun", NOT_RUN)) + ".",),
        tables=tuple(tables),
        data={"runs": data},
    )
