"""`resight evaluate --open-set`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from resight.cli.calibrate import cohort_of
from resight.cli.options import read_for
from resight.cli.terminal import say, show, table, warn
from resight.progress import TerminalProgress

if TYPE_CHECKING:
    from resight.datasets import Accounting, Dataset
    from resight.decision.confidence import Rate
    from resight.models.model import Model

__all__ = ["measure_open_set"]


def measure_open_set(
    model: str, extractor: Model, dataset: Dataset, distance: str, cohort: str, *, tracklets: bool, picture: Path | None
) -> tuple[dict[str, Any], Accounting]:
    """Measure and show; return what to write, and the accounting of the files."""
    from resight.decision.evaluate_open_set import evaluate_open_set
    from resight.decision.picture import draw_tradeoff
    from resight.distances import LEARNED
    from resight.errors import ConfigurationError
    from resight.provenance import provenance

    used = distance or extractor.distance
    named = isinstance(used, str) and used not in LEARNED
    if not named and cohort not in ("auto", "none"):
        raise ConfigurationError("a cohort is compared by a named distance, and this one is fitted; give --cohort none")
    with TerminalProgress() as progress:
        strangers, read = cohort_of(cohort if named else "none", model, extractor, str(used), progress)
        scores = evaluate_open_set(extractor, dataset, distance, cohort=strangers, tracklets=tracklets, progress=progress)
    text = used if isinstance(used, str) else "fitted"
    with_cohort = "with a cohort" if strangers is not None else "without a cohort"
    kind = "tracklets" if tracklets else "images"
    title = f"{extractor.name}, {text} distance, {with_cohort}, {kind} of {dataset.name}"
    headings = ["FPIR, wanted", "measured", "limits", "missed (FNIR)", "limits", "found at rank 1", "limits"]
    rows = [[f"{100 * point.wanted:g}", *_cells(point.fpir), *_cells(point.fnir), *_cells(point.dir1)] for point in scores.points]
    show(table(f"{title}, %", headings, rows))
    mean = f"; means of {scores.splits} divisions" if scores.splits > 1 else ""
    say(
        f"{scores.people} people ask {scores.searches} times, {scores.mated} of them for somebody whom another camera saw; "
        f"{scores.enrolled} others are enrolled; limits: {scores.confidence:.0%}, over people{mean}"
    )
    if scores.people * scores.points[0].wanted < 1:
        least = f"{100 * scores.points[0].wanted:g} %"
        warn((f"{scores.people} people hardly show a rate of {least}: see how far its limits are apart",))
    if picture is not None:
        draw_tradeoff(picture, scores, f"{extractor.name}, {kind} of {dataset.name}")
        say(f"picture: {picture}")
    about: dict[str, object] = {
        "model": extractor.name,
        "model_sha256": extractor.sha256,
        "dataset": dataset.name,
        "distance": text,
    }
    about |= {"protocol": dataset.protocol, "tracklets": tracklets, "cohort": strangers is not None}
    made_by = provenance({"model": model, "distance": text, "cohort": cohort, "tracklets": tracklets}, seed=0)
    return about | scores.to_dict() | {"provenance": made_by}, dataset.account(*read_for(text)) + read


def _cells(rate: Rate) -> list[str]:
    return [f"{100 * rate.value:.2f}", f"{100 * rate.lower:.2f} to {100 * rate.upper:.2f}"]
