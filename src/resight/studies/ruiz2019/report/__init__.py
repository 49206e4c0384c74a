"""The report of the study: each table and figure of the paper beside ours, as HTML, Markdown and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resight.files import atomic_write, write_json, write_text
from resight.studies.ruiz2019.experiments import DATASETS
from resight.studies.ruiz2019.outcomes import NOT_RUN, Outcomes
from resight.studies.ruiz2019.report.beside import figure
from resight.studies.ruiz2019.report.figures import figure_6, figure_7, figure_10, figures_2_and_5
from resight.studies.ruiz2019.report.pages import Section, Table, as_html, as_markdown
from resight.studies.ruiz2019.report.sweeps import sweep_figure
from resight.studies.ruiz2019.report.tables import table_1, table_2, table_3, table_4, timing

__all__ = ["write_report"]

_TITLE = "Ruiz et al. (2019) beside Resight"


def write_report(
    out: Path, outcomes: Outcomes, names: Mapping[str, str], notes: Sequence[str], provenance: dict[str, Any]
) -> dict[str, Any]:
    """Write ``report.html``, ``report.md`` with its ``pictures``, and ``report.json`` into `out`.

    Parameters
    ----------
    out : Path
    outcomes : Outcomes
    names : mapping of str to str
        Names of the given data sets.
    notes : sequence of str
        Notes for the beginning of the report.
    provenance : dict
        See `resight.provenance.provenance`.

    Returns
    -------
    dict
        Content of ``report.json``.

    Raises
    ------
    StorageError
        If a file cannot be written.
    """
    hardware = provenance["hardware"]
    machine = ", ".join(filter(None, (hardware["processor"], f"{hardware['cores']} cores", hardware["accelerator"])))
    about = Section(
        key="about",
        title="What this is",
        paragraphs=(
            'I. Ruiz, B. Raducanu, R. Mehta, J. Amores, "Optimizing Speed/Accuracy Trade-Off for Person Re-identification via '
            f'Knowledge Distillation", 2019: every table and figure beside what was run here. Cells that say "{NOT_RUN}" were not.',
            f"Written {provenance['date']} on {machine}, commit {provenance['commit'] or 'unknown'}, by: {provenance['command']}",
            *notes,
        ),
    )
    sections = [
        about,
        table_1(outcomes),
        timing(outcomes),
        figure_7(outcomes),
        table_2(outcomes),
        figures_2_and_5(outcomes),
        figure_6(outcomes),
        sweep_figure(outcomes, "market1501", 8),
        sweep_figure(outcomes, "dukemtmc", 9),
        table_3(outcomes),
        table_4(outcomes),
        figure_10(outcomes),
        _run_list(outcomes),
    ]
    for section in sections:
        for picture in section.pictures:
            with atomic_write(out / "pictures" / f"{picture.name}.png") as stream:
                stream.write(picture.png)
    write_text(out / "report.html", as_html(_TITLE, sections, NOT_RUN))
    write_text(out / "report.md", as_markdown(_TITLE, sections, "pictures"))
    record = {"study": "ruiz2019", "datasets": dict(names), "notes": list(notes)}
    record |= {section.key: section.data for section in sections if section.data} | {"provenance": provenance}
    write_json(out / "report.json", record)
    return record


def _run_list(outcomes: Outcomes) -> Section:
    """All runs and their results."""
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
