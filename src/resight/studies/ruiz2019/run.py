"""Run the study, as far as it is not finished, and report it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resight.configuration import to_dict
from resight.datasets import Dataset, open_dataset
from resight.errors import ConfigurationError, DownloadError, ResightError, one_line
from resight.files import claimed, write_json
from resight.images import cache_folder
from resight.networks.published import PUBLISHED, fetch
from resight.progress import Progress, silent
from resight.provenance import provenance
from resight.studies.perform import Task
from resight.studies.ruiz2019.classical import classical_study
from resight.studies.ruiz2019.config import StudyConfig
from resight.studies.ruiz2019.finished import adopt, in_bfloat16, is_evaluated, is_trained, refuse_other_data
from resight.studies.ruiz2019.outcomes import Outcomes
from resight.studies.ruiz2019.plan import Run, experiments, plan
from resight.studies.ruiz2019.report import write_report
from resight.studies.ruiz2019.speed import measure_speed
from resight.studies.runner import Job, run_jobs

__all__ = ["run_study"]


def run_study(
    data: Dataset | str | Path,
    out: str | Path,
    config: StudyConfig = StudyConfig(),  # noqa: B008 (frozen)
    *,
    duke: Dataset | str | Path | None = None,
    device: str = "auto",
    cache: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Reproduce Ruiz et al. (2019): all experiments of a profile, and a report with the paper's figures beside ours.

    Run again, it repeats no finished run, resumes an interrupted one, and tries a failed one again. It writes the report at the
    end, and also when it is interrupted.

    Parameters
    ----------
    data : Dataset, str or Path
        Market-1501, or its folder.
    out : str or Path
        Folder of the study: a folder for each data set, ``report.html``, ``report.md``, ``report.json`` and ``pictures``.
    config : StudyConfig
    duke : Dataset, str or Path, optional
        DukeMTMC-reID, or its folder.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    cache : Path, optional
        Folder for decoded images and teachers' answers; `resight.images.cache_folder` unless given.
    progress : Progress

    Returns
    -------
    dict
        Content of ``report.json``.

    Raises
    ------
    ConfigurationError
        If a recipe, weights or a teacher that the user named cannot be used, or `out` holds results of another data set.
    DatasetError
        If a folder holds no data set.
    WeightsError
        If a folder to adopt holds no finished run.
    StorageError
        If something cannot be written. The report tells of failures of single runs instead.
    """
    out = Path(out)
    origin = provenance(to_dict(config))
    datasets = {"market1501": _opened(data, duke=False)}
    if duke is not None:
        datasets["dukemtmc"] = _opened(duke, duke=True)
    folders = {name: str(dataset.root.resolve()) for name, dataset in datasets.items()}
    runs = plan(out, config, folders)
    names = {name: dataset.name for name, dataset in datasets.items()}
    refuse_other_data(runs, names)
    adopted, left = adopt(config.adopt, runs, names)
    notes = [note for dataset in datasets.values() for note in dataset.warnings] + [f"adopted: {one}" for one in adopted] + left
    if names["market1501"] != "market1501":
        notes.append(f"the data set is {names['market1501']}; the paper's figures are of Market-1501 and cannot be compared")
    if config.overrides:
        notes.append(f"all trainings were made with {', '.join(config.override)}, against their recipes")
    reasons: dict[Run, str] = {run: run.obstacle for run in runs}
    try:
        if config.run:
            with claimed(out, "makes a study"):
                networks = [run for run in runs if run.experiment.kind in ("network", "teacher")]
                for run in runs:
                    if run not in networks and not run.obstacle:  # these are timed, so nothing runs beside them
                        reasons[run] = _made(run, datasets[run.dataset], config, device, progress)
                cache = (cache or cache_folder()).resolve()
                reasons |= _make_networks(networks, config.together, device, cache, progress)
    finally:
        if coarse := [run.name for run in runs if in_bfloat16(run)]:
            notes.append(f"trained in bfloat16 instead of float32: {', '.join(coarse)}")
        report = write_report(out, Outcomes(runs, reasons), names, tuple(notes), origin)
    return report


def _opened(data: Dataset | str | Path, *, duke: bool) -> Dataset:
    dataset = data if isinstance(data, Dataset) else open_dataset(Path(data).resolve())
    if len(dataset.splits) > 1 or (dataset.name == "dukemtmc") != duke:
        wanted = "DukeMTMC-reID" if duke else "Market-1501"
        raise ConfigurationError(f"{dataset.root} is {dataset.name}; expected {wanted} (--data Market-1501, --duke DukeMTMC-reID)")
    return dataset


def _made(run: Run, dataset: Dataset, config: StudyConfig, device: str, progress: Progress) -> str:
    """Do the classical study or measure speed, unless it is done. Returns why it failed; empty if it did not."""
    reason = ""
    try:
        if run.experiment.kind == "classical":
            if not run.scores.exists():
                classical_study(dataset, run.folder, progress=progress)
        else:
            teachers = [listed for listed in experiments(config) if listed.kind == "teacher"]
            record = measure_speed(dataset, run.scores, teachers, device=device, progress=progress)
            reason = "; ".join(f"{failure['model']}: {failure['reason']}" for failure in record["report"]["failures"])
    except Exception as error:  # as with the networks: the others go on
        reason = one_line(error)
    _record(run, reason)
    return reason


def _make_networks(runs: Sequence[Run], together: int, device: str, cache: Path, progress: Progress) -> dict[Run, str]:
    """Train and evaluate the networks that are neither finished nor impossible. Returns why each is not there, or empty."""
    reasons = dict.fromkeys(runs, "")
    jobs: dict[Run, Job] = {}
    by_name: dict[tuple[str, str], Run] = {}
    fetched: dict[str, str] = {}
    for run in runs:  # teachers come before their students
        by_name[run.dataset, run.name] = run
        teacher = by_name.get((run.dataset, run.experiment.teacher))
        try:
            trained = is_trained(run)
        except ResightError as error:
            reasons[run] = str(error)
            continue
        if not (trained and run.data and run.config is not None):
            reasons[run] = run.obstacle or _lost_weights(run, fetched)
        if reasons[run] or (trained and is_evaluated(run)):
            continue
        if teacher is not None and reasons[teacher] and not _is_there(teacher):
            reasons[run] = f"its teacher {teacher.name} is not there"
            continue
        epochs = 0 if trained or run.config is None else run.config.epochs
        task = _task(run, trained, device, cache)
        jobs[run] = Job(name=run.name, task=task, epochs=epochs, teacher=None if teacher is None else jobs.get(teacher))
    run_of = {job: run for run, job in jobs.items()}

    def ended(job: Job, reason: str) -> None:
        reasons[run_of[job]] = reason
        _record(run_of[job], reason)

    left = run_jobs(list(run_of), ended, together=together, device=device, progress=progress)
    return reasons | {run_of[job]: reason for job, reason in left.items()}


def _task(run: Run, trained: bool, device: str, cache: Path) -> Task:
    return Task(
        data=run.data,
        folder=str(run.folder),
        configuration=None if run.config is None or trained else to_dict(run.config),
        model=run.model,
        scores=str(run.scores),
        distributions=str(run.distributions) if run.experiment.teaches else "",
        device=device,
        cache=str(cache),
    )


def _lost_weights(run: Run, fetched: dict[str, str]) -> str:
    """Download the published weights that a run starts from, once for all runs. Returns why they are not to be had, or empty."""
    if run.config is None or run.config.weights not in PUBLISHED:
        return ""
    name = run.config.weights
    if name not in fetched:
        try:
            fetch(name)
            fetched[name] = ""
        except DownloadError as error:
            fetched[name] = str(error)
    return fetched[name]


def _is_there(teacher: Run) -> bool:
    """Tell if a teacher that is not to be made now was made before."""
    try:
        return is_trained(teacher)
    except ResightError:
        return False


def _record(run: Run, reason: str) -> None:
    """Write down why a run failed, for the next report; an empty reason takes that file away. Raises `StorageError`."""
    if reason:
        write_json(run.failure, {"reason": reason, "date": datetime.now(UTC).isoformat(timespec="seconds")})
    else:
        run.failure.unlink(missing_ok=True)
