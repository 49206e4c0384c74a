"""Pictures of error rates: both against the threshold, and one against the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from resight.decision.calibration import Calibration
from resight.decision.open_set import LabelledSearches
from resight.decision.open_set_scores import OpenSetScores
from resight.files import atomic_write

__all__ = ["draw_errors", "draw_tradeoff"]

_POINTS = 200
_LEAST = 1e-4  # the lowest rate that is drawn


def draw_errors(path: str | Path, searches: LabelledSearches, calibration: Calibration) -> None:
    """Draw both error rates against the threshold, with their limits and the chosen thresholds, as PNG.

    Parameters
    ----------
    path : str or Path
    searches : LabelledSearches
        Searches to measure the rates on.
    calibration : Calibration

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    from matplotlib.figure import Figure

    confidence = calibration.confidence
    thresholds = np.linspace(searches.strangers.min(), np.quantile(searches.strangers, 0.9), _POINTS)
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    curves = {
        "absent person falsely found": (searches.false_positives(confidence), "C3"),
        "present person missed": (searches.misses(confidence), "C0"),
    }
    for label, (curve, colour) in curves.items():
        if curve is None:
            continue
        rates = np.clip([curve.at(threshold) for threshold in thresholds], _LEAST, 1)
        axes.plot(thresholds, 100 * rates[:, 0], color=colour, label=label)
        axes.fill_between(thresholds, 100 * rates[:, 1], 100 * rates[:, 2], color=colour, alpha=0.2, linewidth=0)
    for point, style, name in ((calibration.match, "-", "match"), (calibration.possible, "--", "possible")):
        label = f"{name}: up to {point.threshold:.4g}, for {100 * point.wanted:g} %"
        axes.axvline(point.threshold, color="0.4", linestyle=style, linewidth=1, label=label)
    axes.set(
        xlabel=f"threshold, {calibration.distance} distance",
        ylabel="per cent of searches",
        yscale="log",
        ylim=(100 * _LEAST, 130),
        title=f"{searches.people} people, each sought among the others; bands: {confidence:.0%} limits",
    )
    axes.legend(frameon=False, loc="lower right")
    axes.grid(alpha=0.3)
    with atomic_write(path) as stream:
        figure.savefig(stream, format="png", dpi=130)


def draw_tradeoff(path: str | Path, scores: OpenSetScores, title: str) -> None:
    """Draw how many present people are missed at each rate of false answers (a DET curve), with its limits, as PNG.

    Parameters
    ----------
    path : str or Path
    scores : OpenSetScores
    title : str

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    wanted = [100 * point.wanted for point in scores.curve]
    rates = 100 * np.clip([point.fnir for point in scores.curve], _LEAST, 1)
    axes.plot(wanted, rates[:, 0], color="C0", label="missed, at any rank")
    axes.fill_between(wanted, rates[:, 1], rates[:, 2], color="C0", alpha=0.2, linewidth=0)
    lost = 100 * np.clip([1 - point.dir1.value for point in scores.curve], _LEAST, 1)
    axes.plot(wanted, lost, color="C0", linestyle="--", label="not found at rank 1")
    for point in scores.points:
        axes.plot(100 * point.wanted, 100 * max(point.fnir.value, _LEAST), "o", color="C0")
        place = (100 * point.wanted, 100 * point.fnir.value)
        axes.annotate(f"{100 * point.fnir.value:.1f}", place, (4, 4), textcoords="offset points")
    axes.set(
        xlabel="non-mated searches that find somebody (FPIR, %)",
        ylabel="mated searches that miss the person (FNIR, %)",
        xscale="log",
        yscale="log",
        title=f"{title}\n{scores.people} people ask, {scores.enrolled} enrolled; band: {scores.confidence:.0%}",
    )
    axes.legend(frameon=False, loc="lower left")
    axes.grid(alpha=0.3, which="both")
    with atomic_write(path) as stream:
        figure.savefig(stream, format="png", dpi=130)
