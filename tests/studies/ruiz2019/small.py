"""A study that takes seconds: few epochs, small images, one added teacher; and one whose results are made up."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import TINY
from resight.configuration import to_dict
from resight.files import read_json, write_json
from resight.studies.ruiz2019.config import StudyConfig
from resight.studies.ruiz2019.plan import Run, plan

_KEPT = ("height", "width", "batch_size", "epochs", "learning_rate", "held_out", "validation", "validate_every")


def small(**changes: Any) -> StudyConfig:
    """Every training as `tiny_run` was made, from random weights, one after the other."""
    override = tuple(f"{name}={json.dumps(getattr(TINY, name))}" for name in _KEPT)
    given = {"override": (*override, 'weights=""'), "together": 1} | changes
    return StudyConfig(**given)


def make_up(out: Path, config: StudyConfig, card: Path, scores: Callable[[Run], tuple[float, float] | None]) -> list[Run]:
    """Write what finished runs would have written, with invented scores (Rank-1, mAP); None leaves a run out.

    `card` is that of any trained network.
    """
    runs = plan(out, config, {"market1501": "nowhere"})
    template = read_json(card)
    teachers: dict[str, str] = {}
    for run in runs:
        found = scores(run) if run.data else None
        if found is None or run.config is None:
            continue
        teachers[run.name] = sha256 = f"{len(teachers):064x}"
        training = {"dataset": "market1501", "kind": "distilled" if run.experiment.teacher else "alone"}
        if run.experiment.teacher:
            training["teachers"] = [{"name": run.experiment.teacher, "sha256": teachers[run.experiment.teacher]}]  # type: ignore[assignment]
        made = template | {"weights_sha256": sha256, "configuration": to_dict(run.config), "training": training}
        write_json(run.folder / "card.json", made)
        weight = getattr(run.config, "hard_weight", 0.0)
        epochs = [
            {"epoch": n, "seconds": 30.0, "loss": 6.0 / n + weight * 5.0 / n, "soft": 6.0 / n, "hard": 5.0 / n} for n in (1, 2, 3)
        ]
        epochs[-1]["validation"] = {"accuracy": 100 - found[0]}  # type: ignore[assignment]
        write_json(run.folder / "history.json", {"epochs": epochs})
        write_json(run.scores, {"model_sha256": sha256, "dataset": "market1501", "rank1": found[0], "map": found[1]})
        if run.experiment.teaches:
            nats = {f"{t:g}": float(t) / 10 for t in (1, 3, 5, 10, 20, 30)}
            said = {"entropy": {"nats": nats, "uniform": 6.62}, "logits": [0.0] * 750 + [9.0], "images": 1, "image": "a.jpg"}
            write_json(run.distributions, said | {"model_sha256": sha256})
    return runs


def without(config: StudyConfig, *names: str) -> StudyConfig:
    """The same without some overrides."""
    return dataclasses.replace(config, override=tuple(one for one in config.override if one.partition("=")[0] not in names))
