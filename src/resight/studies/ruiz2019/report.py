"""The report of a study: each table and figure of the paper beside ours, as HTML, Markdown and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resight.files import atomic_write, write_json, write_text
from resight.studies.ruiz2019.classical import figure_7, table_1, timing
from resight.studies.ruiz2019.figures import figure_6, figure_10, figures_2_and_5
from resight.studies.ruiz2019.listing import run_list
from resight.studies.ruiz2019.outcomes import NOT_RUN, Outcomes
from resight.studies.ruiz2019.pages import Section, as_html, as_markdown
from resight.studies.ruiz2019.sweeps import sweep_figure
from resight.studies.ruiz2019.tables import table_2, table_3, table_4

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
        What the data sets that are there call themselves.
    notes : sequence of str
        What a reader should know first.
    provenance : dict
        See `resight.provenance.provenance`.

    Returns
    -------
    dict
        What ``report.json`` holds.

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
        run_list(outcomes),
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
