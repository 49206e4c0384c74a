"""Run a study, as far as it is not there, and report what is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from resight.configuration import to_dict
from resight.datasets import Dataset, open_dataset
from resight.errors import ConfigurationError
from resight.images import cache_folder
from resight.progress import Progress, silent
from resight.provenance import provenance
from resight.studies.ruiz2019.classical_side import classical_study
from resight.studies.ruiz2019.config import StudyConfig
from resight.studies.ruiz2019.finished import adopt, refuse_other_data
from resight.studies.ruiz2019.outcomes import Outcomes
from resight.studies.ruiz2019.perform import one_line
from resight.studies.ruiz2019.plan import Run, experiments, plan
from resight.studies.ruiz2019.report import write_report
from resight.studies.ruiz2019.schedule import make_runs, put_down
from resight.studies.ruiz2019.speed import measure_speed

__all__ = ["run_study"]


def run_study(
    data: str | Path,
    out: str | Path,
    config: StudyConfig = StudyConfig(),  # noqa: B008 (frozen)
    *,
    duke: str | Path | None = None,
    device: str = "auto",
    cache: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Reproduce Ruiz et al. (2019): all experiments of a profile, and a report with the paper's figures beside ours.

    Given again, finished runs are not repeated, an interrupted one goes on where it was, and one that failed is tried again. The
    report is written at the end, and also when the study is interrupted.

    Parameters
    ----------
    data : str or Path
        Folder of Market-1501.
    out : str or Path
        Folder of the study: a folder for each data set, ``report.html``, ``report.md``, ``report.json`` and ``pictures``.
    config : StudyConfig
    duke : str or Path, optional
        Folder of DukeMTMC-reID.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    cache : Path, optional
        Folder for decoded images and teachers' answers, `resight.images.cache_folder` unless given.
    progress : Progress

    Returns
    -------
    dict
        What ``report.json`` holds.

    Raises
    ------
    ConfigurationError
        If a recipe, weights or a teacher that the user named cannot be used, or `out` holds results of another data set.
    DatasetError
        If a folder holds no data set.
    WeightsError
        If a folder to be adopted holds no finished run.
    StorageError
        If something cannot be written. What goes wrong with a single run is told in the report instead.
    """
    out = Path(out)
    origin = provenance(to_dict(config))
    datasets = {"market1501": _opened(data, duke=False)}
    if duke is not None:
        datasets["dukemtmc"] = _opened(duke, duke=True)
    folders = {name: str(dataset.root) for name, dataset in datasets.items()}
    runs = plan(out, config, folders)
    names = {name: dataset.name for name, dataset in datasets.items()}
    refuse_other_data(runs, names)
    adopted, left = adopt(config.adopt, runs, names)
    notes = [note for dataset in datasets.values() for note in dataset.warnings] + [f"taken in: {one}" for one in adopted] + left
    if names["market1501"] != "market1501":
        notes.append(f"the data set is {names['market1501']}, with which the paper's figures, of Market-1501, cannot be compared")
    if config.overrides:
        notes.append(f"all trainings were made with {', '.join(config.override)}, against their recipes")
    reasons: dict[Run, str] = {run: run.obstacle for run in runs}
    try:
        if config.run:
            networks = [run for run in runs if run.experiment.kind in ("network", "teacher")]
            for run in runs:
                if run not in networks and not run.obstacle:  # these are timed, so nothing runs beside them
                    reasons[run] = _made(run, datasets[run.dataset], config, device, progress)
            cache = (cache or cache_folder()).resolve()
            made = make_runs(networks, together=config.together, device=device, cache=cache, progress=progress)
            reasons |= dict.fromkeys(networks, "") | made
    finally:
        report = write_report(out, Outcomes(runs, reasons), names, tuple(notes), origin)
    return report


def _opened(folder: str | Path, *, duke: bool) -> Dataset:
    dataset = open_dataset(Path(folder).resolve())
    if len(dataset.splits) > 1 or (dataset.name == "dukemtmc") != duke:
        wanted = "DukeMTMC-reID" if duke else "Market-1501"
        raise ConfigurationError(f"{folder} is {dataset.name}; expected {wanted} (--data Market-1501, --duke DukeMTMC-reID)")
    return dataset


def _made(run: Run, dataset: Dataset, config: StudyConfig, device: str, progress: Progress) -> str:
    """Do the classical study or measure speed, unless it is there; empty, or why it failed."""
    reason = ""
    try:
        if run.experiment.kind == "classical":
            if not run.scores.exists():
                classical_study(dataset, run.folder, progress=progress)
        else:
            teachers = [listed for listed in experiments(config) if listed.kind == "teacher"]
            record = measure_speed(dataset, run.scores, teachers, device=device, progress=progress)
            reason = "; ".join(f"{failure['model']}: {failure['reason']}" for failure in record["report"]["failures"])
    except Exception as error:  # as with the runs: the others go on
        reason = one_line(error)
    put_down(run, reason)
    return reason
