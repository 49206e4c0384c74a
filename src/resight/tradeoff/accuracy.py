"""Accuracy of the models of a report: evaluated now, or read from files of `resight evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from resight.datasets.records import Dataset
from resight.errors import MeasurementError, ResightError
from resight.evaluation.model import evaluate_model
from resight.files import read_json
from resight.models import load_model
from resight.models.model import Model
from resight.progress import Progress, silent
from resight.tradeoff.report import Report, Row, marked
from resight.tradeoff.worker import USUAL

__all__ = ["Accuracy", "accuracy", "with_evaluation", "with_scores"]


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
    """Give the rows of a report the scores that ``resight evaluate --json`` wrote for the same weights.

    Parameters
    ----------
    report : Report
    files : sequence of str or Path
        Files of one data set and of different models.

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
    datasets = {report.dataset} - {""}
    known: dict[str, Accuracy] = {}
    warnings = []
    for file in files:
        try:
            scores = read_json(file)
            sha256, dataset = str(scores["model_sha256"]), str(scores["dataset"])
            score = Accuracy(rank1=float(scores["rank1"]), map=float(scores["map"]))
        except (OSError, ValueError, TypeError, KeyError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise MeasurementError(f"{file} is not a record that `resight evaluate --json` wrote ({reason})") from error
        if not sha256:
            raise MeasurementError(f"{file} belongs to an untrained model, which has no SHA-256; evaluate with --data")
        if scores.get("reranking"):
            raise MeasurementError(f"{file} was re-ranked, and this report does not time that; evaluate without --rerank")
        if sha256 in known:
            raise MeasurementError(f"{file} belongs to the same model as another score file; give one of them")
        datasets.add(dataset)
        known[sha256] = score
        if sha256 not in {row.sha256 for row in report.rows}:
            warnings.append(f"{file} belongs to none of the models")
    if len(datasets) > 1:
        raise MeasurementError(f"the scores are of different data sets: {', '.join(sorted(datasets))}; give those of one")
    scored = [_scored(row, known.get(row.sha256)) for row in report.rows]
    return replace(report, rows=marked(scored), dataset="".join(datasets), warnings=(*report.warnings, *warnings))


def _scored(row: Row, score: Accuracy | None) -> Row:
    return row if score is None else replace(row, **vars(score))
