"""A picture of the error rates of searches against the threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from resight.decision.calibration import Calibration
from resight.decision.open_set import LabelledSearches
from resight.files import atomic_write

__all__ = ["draw_errors"]

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
