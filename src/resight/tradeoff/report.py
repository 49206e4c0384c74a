"""The report of a measurement: a row for each model and number of threads, and the source of the figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from resight.configuration import configure
from resight.errors import MeasurementError
from resight.files import read_json
from resight.tradeoff.pareto import pareto_front
from resight.tradeoff.speed import Speed

__all__ = ["Failure", "Report", "Row", "marked", "merged", "on_threads", "read_report"]


@dataclass(frozen=True, kw_only=True)
class Row(Speed):
    """One model on one number of threads: its speed, and more.

    Attributes
    ----------
    model : str
    threads : int
        Cores that it could use.
    rank1, map : float or None
        Scores, per cent; None if the accuracy is unknown.
    parameters : int
        Parameters of the embedding network.
    multiply_adds : int or None
        Multiply-adds for one image.
    embedding_size : int
        Numbers in one vector.
    input_size : tuple of (height, width)
    sha256 : str
        SHA-256 of the weights; empty for an untrained network.
    on_front : bool
        True if no other model of known accuracy on the same threads is both faster, from file to vector, and better in mAP.
    """

    model: str
    threads: int
    rank1: float | None = None
    map: float | None = None
    parameters: int
    multiply_adds: int | None
    embedding_size: int
    input_size: tuple[int, int]
    sha256: str = ""
    on_front: bool = False


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A model that could not be measured on some number of threads, and why."""

    model: str
    threads: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """All rows of one measurement.

    Attributes
    ----------
    rows : tuple of Row
    failures : tuple of Failure
    dataset : str
        Data set of the accuracies; empty without accuracies.
    images : dict
        Files that speed was measured on: ``count``, ``sha256``, and ``mean_bytes`` of a file.
    load : dict
        Load average of the last minute ``before`` and ``after``; None if the system does not tell.
    warnings : tuple of str
        Reasons to trust the figures less.
    provenance : dict
        See `resight.provenance.provenance`.
    """

    rows: tuple[Row, ...]
    failures: tuple[Failure, ...] = ()
    dataset: str = ""
    images: dict[str, Any] = field(default_factory=dict)
    load: dict[str, float | None] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    provenance: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the rows are called ``models``."""
        values = asdict(self)
        return {"dataset": values.pop("dataset"), "models": values.pop("rows")} | values


def marked(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Mark the rows that no other row on the same threads beats; see `Row.on_front`."""
    rows = tuple(rows)
    front: set[int] = set()
    for threads in {row.threads for row in rows}:
        known = {i: row.map for i, row in enumerate(rows) if row.threads == threads and row.map is not None}
        on = pareto_front([1 / rows[i].images_per_second for i in known], list(known.values()))
        front |= {i for i, is_on in zip(known, on, strict=True) if is_on}
    return tuple(replace(row, on_front=i in front) for i, row in enumerate(rows))


def on_threads(count: int) -> str:
    """``1 thread``, ``2 threads`` and so on."""
    return "1 thread" if count == 1 else f"{count} threads"


def read_report(path: str | Path) -> Report:
    """Read a JSON file of `resight benchmark`. Raises `MeasurementError`, and `ConfigurationError` for a damaged row."""
    try:
        values = read_json(path)
        values.pop("files", None)  # which images were used: --json adds it
        hardware = values["provenance"]["hardware"].keys()
        if not (values["models"] and "count" in values["images"] and {"processor", "cores"} <= hardware):
            raise ValueError("rows, hardware or images are missing")
        rows = []
        for row in values.pop("models"):
            if not {"images_per_second", "network_images_per_second"} <= row["ranges"].keys():
                raise ValueError("ranges are missing")
            row["by_batch"] = {int(size): float(rate) for size, rate in row["by_batch"].items()}
            row["ranges"] = {name: (float(low), float(high)) for name, (low, high) in row["ranges"].items()}
            row["input_size"] = tuple(map(int, row["input_size"]))
            rows.append(configure(Row, row, source=str(path)))
        failures = tuple(configure(Failure, failure, source=str(path)) for failure in values.pop("failures"))
        return Report(rows=tuple(rows), failures=failures, warnings=tuple(values.pop("warnings")), **values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise MeasurementError(f"{path} is not a record that `resight benchmark` wrote ({reason})") from error


def merged(reports: Sequence[Report], names: Sequence[str], provenance: dict[str, Any]) -> Report:
    """Merge reports of one machine.

    Parameters
    ----------
    reports : sequence of Report
        At least one.
    names : sequence of str
        Names of the reports, for messages.
    provenance : dict
        Provenance of the merged report. Hardware and versions are those of the first report; ``parts`` keeps each report's own.

    Returns
    -------
    Report

    Raises
    ------
    MeasurementError
        If processor, cores, accelerator, system, the versions of a package, the images or the data set differ, or one model
        is in two reports.
    """
    first, *others = reports
    for other, name in zip(others, names[1:], strict=True):
        for what, mine, theirs in _conditions(first, other):
            if mine != theirs:
                raise MeasurementError(
                    f"{names[0]} has {what} {mine} and {name} has {theirs}, so they cannot be compared; measure them in one run"
                )
    rows = [row for report in reports for row in report.rows]
    seen: set[tuple[str, int]] = set()
    for row in rows:
        if (row.model, row.threads) in seen:
            raise MeasurementError(f"{row.model}, {on_threads(row.threads)}, is in two of {', '.join(names)}; leave one out")
        seen.add((row.model, row.threads))
    origin = {name: first.provenance.get(name) for name in ("hardware", "versions")}
    return Report(
        rows=marked(rows),
        failures=tuple(failure for report in reports for failure in report.failures),
        dataset=next((report.dataset for report in reports if report.dataset), ""),
        images=first.images,
        load={"before": first.load.get("before"), "after": reports[-1].load.get("after")},
        warnings=tuple(dict.fromkeys(warning for report in reports for warning in report.warnings)),
        provenance=provenance | origin | {"parts": [report.provenance for report in reports]},
    )


def _conditions(first: Report, other: Report) -> Iterable[tuple[str, Any, Any]]:
    """Conditions that two reports must share: name, and the value of each."""
    hardware, their_hardware = (report.provenance.get("hardware", {}) for report in (first, other))
    for name in ("processor", "cores", "accelerator", "system"):
        yield name, hardware.get(name), their_hardware.get(name)
    versions, their_versions = (report.provenance.get("versions", {}) for report in (first, other))
    for package in sorted(versions.keys() & their_versions.keys()):  # what one of them lacks was not used there
        yield package, versions[package], their_versions[package]
    yield "images with SHA-256", first.images.get("sha256"), other.images.get("sha256")
    if first.dataset and other.dataset:
        yield "data set", first.dataset, other.dataset
