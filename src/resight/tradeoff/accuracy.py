"""Accuracy of the models of a report: evaluated now, or read from the records of earlier commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from resight.datasets.records import Dataset
from resight.errors import MeasurementError, ResightError
from resight.evaluation.model import evaluate_model
from resight.files import read_json
from resight.models import load_model
from resight.models.model import Model
from resight.progress import Progress, silent
from resight.tradeoff.report import Report, Row, marked, read_report
from resight.tradeoff.worker import USUAL

__all__ = ["Accuracy", "accuracy", "read_scores", "with_evaluation", "with_scores"]


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Scores of one model, in per cent."""

    rank1: float
    map: float


def accuracy(extractor: Model, dataset: Dataset, distance: str = "", *, progress: Progress = silent) -> Accuracy:
    """Evaluate a model, as `resight.evaluation.model.evaluate_model` does, with its errors."""
    scores = evaluate_model(extractor, dataset, distance, progress=progress)
    return Accuracy(rank1=100 * scores.rank1, map=100 * scores.map)


def with_evaluation(
    report: Report,
    models: Sequence[str],
    dataset: Dataset,
    *,
    distance: str = "",
    device: str = "auto",
    progress: Progress = silent,
) -> Report:
    """Evaluate the models of a report.

    Parameters
    ----------
    report : Report
    models : sequence of str
        Models that were measured. The usual way is left out, because it gives the same weights other pixels.
    dataset : Dataset
    distance : str
        Distance for all of them; empty for each model's own.
    device : str
    progress : Progress

    Returns
    -------
    Report
        The report with scores, and a warning for each model that cannot be evaluated.

    Raises
    ------
    MeasurementError
        If the report has scores of another data set.
    """
    if report.dataset not in ("", dataset.name):
        raise MeasurementError(f"the report has scores of {report.dataset}; {dataset.name} needs a report of its own")
    known: dict[str, Accuracy] = {}
    warnings = []
    for model in models:
        if model.startswith(USUAL):
            continue
        try:
            extractor = load_model(model, device=device)
            known[extractor.name] = accuracy(extractor, dataset, distance, progress=progress)
        except ResightError as error:
            warnings.append(f"{model} was not evaluated: {error}")
    scored = [_scored(row, known.get(row.model)) for row in report.rows]
    return replace(report, rows=marked(scored), dataset=dataset.name, warnings=(*report.warnings, *warnings))


def with_scores(report: Report, files: Sequence[str | Path]) -> Report:
    """Give the rows of a report the scores that an evaluation or an earlier benchmark recorded for the same weights.

    Parameters
    ----------
    report : Report
    files : sequence of str or Path
        JSON of ``resight evaluate`` or ``resight benchmark``, of one data set and of different models.

    Returns
    -------
    Report
        The report with scores, and a warning for each file of another model.

    Raises
    ------
    MeasurementError
        If a file is not such a record, belongs to an untrained model, or belongs to the same model or another data set than
        another file.
    """
    dataset, records = read_scores(files, report.dataset)
    known: dict[str, Accuracy] = {}
    warnings = []
    for file, found in zip(files, records, strict=True):
        known |= found.scores
        rows = [row for row in report.rows if row.sha256 in found.scores]
        if not rows:
            warnings.append(f"{file} belongs to none of the models")
        if found.size and any(row.input_size != found.size for row in rows):
            height, width = found.size
            raise MeasurementError(f"{file} was measured at {height}x{width}, and the speed at another size; evaluate at that size")
    scored = [_scored(row, known.get(row.sha256)) for row in report.rows]
    return replace(report, rows=marked(scored), dataset=dataset, warnings=(*report.warnings, *warnings))


class Known(NamedTuple):
    """Scores by the SHA-256 of the weights, and how they were measured where the file says it."""

    dataset: str
    scores: dict[str, Accuracy]
    way: str = ""
    size: tuple[int, ...] = ()


def read_scores(files: Sequence[str | Path], dataset: str = "") -> tuple[str, list[Known]]:
    """Read the files that `with_scores` takes, so that mistakes are found before anything is measured.

    Parameters
    ----------
    files : sequence of str or Path
    dataset : str
        The data set that they must be of; empty for any.

    Returns
    -------
    str
        The data set, empty without any.
    list of Known
        One for each file.

    Raises
    ------
    MeasurementError
        As in `with_scores`. Input sizes are not compared: for that a report is needed.
    """
    records = []
    models: set[str] = set()
    for file in files:
        found = _read_scores(file)
        if found.scores.keys() & models:
            raise MeasurementError(f"{file} has scores of a model that another file has, too; leave one of the files out")
        models |= found.scores.keys()
        records.append(found)
    datasets = {dataset, *(found.dataset for found in records)} - {""}
    ways = {found.way for found in records} - {""}
    if len(datasets) > 1:
        raise MeasurementError(f"the scores are of different data sets: {', '.join(sorted(datasets))}; give those of one")
    if len(ways) > 1:
        raise MeasurementError(f"the scores were measured in different ways: {'; '.join(sorted(ways))}; give those of one")
    return "".join(datasets), records


def _read_scores(file: str | Path) -> Known:
    try:
        values = read_json(file)
        if "models" in values:
            report = read_report(file)
            found = {}
            for row in report.rows:
                if row.sha256 and row.rank1 is not None and row.map is not None:
                    found[row.sha256] = Accuracy(rank1=row.rank1, map=row.map)
            return Known(report.dataset, found)
        sha256, dataset = str(values["model_sha256"]), str(values["dataset"])
        score = Accuracy(rank1=float(values["rank1"]), map=float(values["map"]))
        way = f"{values['queries']} queries, {values['gallery']} gallery images, {values.get('protocol', 'other cameras')}"
        size = tuple(map(int, values.get("input_size", ())))
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise MeasurementError(
            f"{file} is not a record that `resight evaluate --json` or `resight benchmark` wrote ({reason})"
        ) from error
    if not sha256:
        raise MeasurementError(f"{file} belongs to an untrained model, which has no SHA-256; evaluate with --data")
    if values.get("reranking"):
        raise MeasurementError(f"{file} was re-ranked, and this report does not time that; evaluate without --rerank")
    return Known(dataset, {sha256: score}, way, size)


def _scored(row: Row, score: Accuracy | None) -> Row:
    return row if score is None else replace(row, **vars(score))
