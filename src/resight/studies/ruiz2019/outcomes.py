"""Results in the folder of the study: scores, histories, soft targets; and for each missing one, why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resight.errors import ResightError
from resight.files import read_json
from resight.studies.ruiz2019.finished import is_evaluated, is_trained
from resight.studies.ruiz2019.plan import Run
from resight.training.train import HISTORY

__all__ = ["NOT_RUN", "Outcome", "Outcomes"]

NOT_RUN = "not run"


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """Result of one run.

    Attributes
    ----------
    run : Run
    state : str
        ``"done"``, ``"failed"``, ``"begun"`` or ``"not run"``.
    reason : str
        Reason why it is not done.
    scores : dict or None
        Scores of its evaluation, in per cent; or the record of `measure_speed` or `classical_study`.
    """

    run: Run
    state: str
    reason: str = ""
    scores: dict[str, Any] | None = None

    @property
    def rank1(self) -> float | None:
        """Rank-1, per cent."""
        return self._score("rank1")

    @property
    def map(self) -> float | None:
        """Mean average precision, per cent."""
        return self._score("map")

    def _score(self, name: str) -> float | None:
        value = (self.scores or {}).get(name)
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None

    @property
    def history(self) -> list[dict[str, Any]]:
        """Rows of the history, one for each epoch; empty if there is none."""
        found = _read(self.run.folder / HISTORY) if self.state == "done" else None
        return list(found["epochs"]) if found else []

    @property
    def seconds(self) -> float | None:
        """Wall-clock time of its training."""
        return sum(row["seconds"] for row in self.history) or None

    @property
    def held_out_accuracy(self) -> float | None:
        """Accuracy on held-out images of training identities at the end, per cent; None if none were held out."""
        found = self.history[-1].get("validation", {}).get("accuracy") if self.history else None
        return None if found is None else float(found)

    @property
    def classical(self) -> dict[str, Any] | None:
        """Test figures of a classical study with the Retinex that held-out identities chose."""
        return None if self.scores is None else dict(self.scores["retinex"][self.scores["chosen"]]["test"])

    @property
    def distributions(self) -> dict[str, Any] | None:
        """Record of its soft targets on training images, if it teaches."""
        return _read(self.run.distributions) if self.state == "done" and self.run.experiment.teaches else None


class Outcomes:
    """All outcomes of a study, read once.

    Parameters
    ----------
    runs : sequence of Run
    reasons : mapping of Run to str
        Reasons of the runs that were not made, as far as they are known.
    """

    def __init__(self, runs: Sequence[Run], reasons: Mapping[Run, str]) -> None:
        self.all = [_outcome(run, reasons.get(run, "")) for run in runs]
        self._by_name = {(found.run.dataset, found.run.name): found for found in self.all}

    def get(self, dataset: str, name: str) -> Outcome:
        """Result of one run."""
        return self._by_name[dataset, name]

    def teachers(self, dataset: str) -> list[str]:
        """Names of the teachers of a data set's students: those of the paper, then the added ones."""
        names = dict.fromkeys(found.run.experiment.teacher for found in self.all if found.run.dataset == dataset)
        return [name for name in names if name]


def _outcome(run: Run, reason: str) -> Outcome:
    if run.experiment.kind in ("classical", "speed"):
        return _recorded(run, reason)
    try:
        trained = is_trained(run)
    except ResightError as error:
        return Outcome(run=run, state="failed", reason=str(error))
    if trained and is_evaluated(run):
        return Outcome(run=run, state="done", scores=_read(run.scores))
    failure = _read(run.failure)
    if failure is not None:
        return Outcome(run=run, state="failed", reason=str(failure["reason"]))
    if (run.folder / "checkpoint.safetensors").exists():
        return Outcome(run=run, state="begun", reason=reason or "not finished")
    return Outcome(run=run, state=NOT_RUN, reason=reason or ("trained and not evaluated" if trained else "not run so far"))


def _recorded(run: Run, reason: str) -> Outcome:
    """Result of the classical study or of the speeds. Measured figures stand, even if others failed."""
    record, failure = _read(run.scores), _read(run.failure)
    if failure is not None:
        return Outcome(run=run, state="failed", reason=str(failure["reason"]), scores=record)
    if record is None:
        return Outcome(run=run, state=NOT_RUN, reason=reason or "not run so far")
    return Outcome(run=run, state="done", scores=record)


def _read(file: Path) -> dict[str, Any] | None:
    """Content of a JSON file; None if it is missing or damaged."""
    try:
        found = read_json(file)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
