"""Pictures of the report, as PNG: the paper's figures, drawn from our runs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from resight.studies.ruiz2019.published import TABLE_1

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_dimensions", "draw_distributions", "draw_losses", "draw_sweep", "draw_tradeoff", "shares"]

Points = Sequence[tuple[float, float]]

_HERE, _PAPER = "C0", "0.55"
_LAMBDA_COLOURS = ("C0", "C1", "C2")


def draw_distributions(title: str, logits: NDArray[np.float64], panels: Sequence[tuple[float, float, float]]) -> bytes:
    """Figures 2 and 5: a teacher's distribution for one image at several temperatures.

    Parameters
    ----------
    title : str
    logits : float array of shape (classes,)
    panels : sequence of (temperature, entropy of this image, mean entropy of many images)
        Entropies in nats.
    """
    figure = _figure(9, 1.6 * len(panels))
    for axes, (temperature, entropy, mean) in zip(figure.subplots(len(panels), 1, sharex=True), panels, strict=True):
        axes.stairs(shares(logits, temperature), np.arange(len(logits) + 1) - 0.5, fill=True, color=_HERE)
        axes.set_title(f"T = {temperature:g}: entropy {entropy:.2f} nats, mean over images {mean:.2f}", fontsize=9, loc="left")
        axes.set_xlim(-1, len(logits))
        axes.set_ylim(bottom=0)
    axes.set_xlabel("identity")
    figure.supylabel("probability", fontsize=10)
    figure.suptitle(title)
    return _png(figure)


def shares(logits: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Equation (1): softmax(logits / T)."""
    scaled = np.exp((logits - logits.max()) / temperature)
    found: NDArray[np.float64] = scaled / scaled.sum()
    return found


def draw_losses(panels: Sequence[tuple[str, float, Sequence[Mapping[str, Any]]]]) -> bytes:
    """Figure 6: the two terms of equation (2) while a student learns.

    Parameters
    ----------
    panels : sequence of (title, lambda, rows of history)
        A panel without rows says "not run".
    """
    figure = _figure(9, 3.4)
    for axes, (title, hard_weight, rows) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        epochs = [row["epoch"] for row in rows]
        if rows:
            axes.plot(epochs, [row["soft"] for row in rows], label="distillation term")
            axes.plot(epochs, [hard_weight * row["hard"] for row in rows], label="lambda x cross-entropy")
            axes.plot(epochs, [row["hard"] for row in rows], label="cross-entropy", linestyle=":")
            axes.set_ylim(bottom=0)
            axes.legend(frameon=False)
        else:
            _say_not_run(axes)
        axes.set(xlabel="epoch", ylabel="nats", title=title)
        axes.grid(alpha=0.3)
    return _png(figure)


def draw_dimensions(curve: Sequence[Mapping[str, float]]) -> bytes:
    """Figure 7: Rank-1 and mAP against XQDA's dimensions, with the paper's Table 1 at 75."""
    figure = _figure(9, 3.4)
    for axes, name, title in zip(figure.subplots(1, 2), ("rank1", "map"), ("Rank-1 (%)", "mAP (%)"), strict=True):
        axes.plot([row["dimensions"] for row in curve], [row[name] for row in curve], marker="o", color=_HERE, label="here")
        axes.plot([75], [getattr(TABLE_1["xqda"], name)], marker="D", linestyle="", color=_PAPER, label="paper, 75 dimensions")
        axes.set(xlabel="XQDA dimensions", ylabel=title)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, loc="lower right")
    return _png(figure)


def draw_sweep(
    title: str,
    curves: Mapping[float, Mapping[str, Points]],
    here: Mapping[str, Mapping[str, float]],
    paper: Mapping[str, Mapping[str, float]],
) -> bytes:
    """Figures 8 and 9: Rank-1 and mAP against T, with the teacher and the student trained alone as lines.

    Parameters
    ----------
    title : str
    curves : mapping of lambda to mapping of ``"rank1"`` and ``"map"`` to points (T, per cent)
        Runs that were made.
    here, paper : mapping of ``"teacher"``, ``"student"`` and ``"best"`` to mapping of ``"rank1"`` and ``"map"`` to per cent
        Lines, and the best of the paper's sweep, which is at T = 3. Unknown figures are left out.
    """
    figure = _figure(9, 4.2)
    styles = {"teacher": "-", "student": "-."}
    panels = figure.subplots(1, 2)
    for axes, score, heading in zip(panels, ("rank1", "map"), ("Rank-1 (%)", "mAP (%)"), strict=True):
        for colour, (hard_weight, points) in zip(_LAMBDA_COLOURS, curves.items(), strict=True):
            if points[score]:
                places = zip(*points[score], strict=True)
                axes.plot(*places, marker="o", markersize=4, color=colour, label=f"lambda = {hard_weight:g}")
        for whose, colour, lines in (("here", "black", here), ("paper", _PAPER, paper)):
            for name, style in styles.items():
                if name in lines:
                    text = f"{name if name == 'teacher' else 'student alone'}, {whose}"
                    axes.axhline(lines[name][score], color=colour, linestyle=style, linewidth=1, label=text)
        if "best" in paper:
            axes.plot([3], [paper["best"][score]], marker="D", linestyle="", color=_PAPER, label="best distilled, paper (T = 3)")
        if not any(points[score] for points in curves.values()):
            _say_not_run(axes)
        axes.set(xlabel="temperature T", ylabel=heading, xlim=(0, 31))
        axes.grid(alpha=0.3)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside lower center", ncols=4, fontsize=8)
    figure.suptitle(title)
    return _png(figure)


def draw_tradeoff(title: str, here: Mapping[str, tuple[float, float]], paper: Mapping[str, tuple[float, float]]) -> bytes:
    """Figure 10: mAP against the milliseconds for one image, ours and the paper's, a colour for each row."""
    from matplotlib.ticker import FuncFormatter

    figure = _figure(9, 4.6)
    axes = figure.subplots()
    for number, name in enumerate(dict.fromkeys([*paper, *here])):
        colour = f"C{number % 10}"
        if name in paper:
            label = "" if name in here else name
            axes.plot(*paper[name], marker="D", linestyle="", color=colour, markerfacecolor="none", label=label)
        if name in here:
            axes.plot(*here[name], marker="o", linestyle="", color=colour, label=name)
    axes.set(xlabel="milliseconds for one image", ylabel="mAP (%)", xscale="log", title=title)
    for which in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        which(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False, fontsize=8, title="filled: here, hollow: paper", loc="center left", bbox_to_anchor=(1, 0.5))
    return _png(figure)


def _say_not_run(axes: Any) -> None:
    axes.text(0.5, 0.5, "not run", transform=axes.transAxes, ha="center", va="center", color=_PAPER, style="italic")


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()
