"""Curves of a training: scalars for TensorBoard while it runs, and a picture afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from resight.errors import StorageError
from resight.files import atomic_write

__all__ = ["ScalarLog", "draw_curves"]


class ScalarLog:
    """Writes each epoch's figures as TensorBoard events into a run folder; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        from tensorboardX.writer import SummaryWriter

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._writer = SummaryWriter(str(self.folder), flush_secs=10)
        except OSError as error:
            raise StorageError(f"cannot write {self.folder}: {error.strerror}; choose another --out") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            self._writer.close()  # type: ignore[no-untyped-call]
        except OSError as failure:
            if error is None:  # otherwise what went wrong first is the better message
                raise StorageError(f"cannot write {self.folder}: {failure.strerror}; free space, then run it again") from failure

    def write(self, row: Mapping[str, Any]) -> None:
        """Add one row of history; the x axis counts steps."""
        for name, value in _flat(row).items():
            if name not in ("epoch", "steps"):
                self._writer.add_scalar(name, value, row["steps"])


def _flat(row: Mapping[str, Any]) -> dict[str, float]:
    return {
        f"{name}/{inner}" if isinstance(value, Mapping) else name: number
        for name, value in row.items()
        for inner, number in (value.items() if isinstance(value, Mapping) else (("", value),))
    }


def draw_curves(history: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Draw the losses and the validation figures of a training against its epochs, as PNG. Raises `StorageError`."""
    from matplotlib.figure import Figure

    rows = [_flat(row) for row in history]
    others = ("epoch", "steps", "learning_rate", "seconds", "images_per_second")
    losses = [name for name in rows[0] if name not in others and not name.endswith("accuracy") and "/" not in name]
    scores = sorted({name for row in rows for name in row if name.startswith("validation/")})
    answers = scores or "accuracy" in rows[0]
    figure = Figure(figsize=(9 if answers else 4.5, 4), layout="constrained")
    left, *rest = figure.subplots(1, 2 if answers else 1, squeeze=False)[0]
    for name in losses:
        if name != "loss" or len(losses) > 2 or len(losses) == 1:
            left.plot([row["epoch"] for row in rows], [row[name] for row in rows], label=name)
    left.set(xlabel="epoch", ylabel="loss, unweighted terms", title="Loss on training batches")
    for right in rest:
        for name in scores:
            points = [(row["epoch"], row[name]) for row in rows if name in row]
            right.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name.removeprefix("validation/"))
        if "accuracy" in rows[0]:
            values = [100 * row["accuracy"] for row in rows]
            right.plot([row["epoch"] for row in rows], values, color="0.6", label="training accuracy")
        right.set(xlabel="epoch", ylabel="per cent", title="Held out" if scores else "Training images", ylim=(0, 100))
    for axes in (left, *rest):
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=5, columnspacing=1)
        axes.grid(alpha=0.3)
    with atomic_write(path) as stream:
        figure.savefig(stream, format="png", dpi=130)
