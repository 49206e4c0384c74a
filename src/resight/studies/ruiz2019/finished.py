"""Finished runs, told by their content and not by their place; and the adoption of runs made elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from resight.configuration import configure, to_dict
from resight.errors import ConfigurationError, ResightError, StorageError, WeightsError
from resight.files import atomic_write, read_json
from resight.models import load_model
from resight.networks.card import CARD, WEIGHTS, Card, read_card
from resight.networks.published import PUBLISHED
from resight.studies.ruiz2019.experiments import WEIGHTS as INITIAL
from resight.studies.ruiz2019.plan import Run
from resight.training.train import HISTORY

__all__ = ["adopt", "differences", "in_bfloat16", "is_evaluated", "is_trained", "refuse_other_data"]

_ELSEWHERE = ("weights", "teacher")  # compared by content, since paths differ between machines
_HARMLESS = ("validate_every", "targets", "precision")
"""The weights do not depend on the first two. The third depends on the machine: "auto" is bfloat16 on a GPU."""


def refuse_other_data(runs: Sequence[Run], names: Mapping[str, str]) -> None:
    """Refuse the folder of a study of another data set, because the report would show its results as those of this one.

    Parameters
    ----------
    runs : sequence of Run
    names : mapping of str to str
        Names that the given data sets have, by their keys in the study.

    Raises
    ------
    ConfigurationError
        If a run, its scores or another record belongs to a data set of another name.
    """
    for run in runs:
        expected = names.get(run.dataset, run.dataset)
        for file in (run.folder / CARD, run.scores):
            found = _data_set(file)
            if found not in ("", expected):
                raise ConfigurationError(
                    f"{run.folder.parent} holds results of the data set {found} ({file.name} of {run.name}), and this one is "
                    f"{expected}; choose another --out"
                )


def _data_set(file: Path) -> str:
    """Name of the data set in a card or record; empty if the file is missing or does not name one."""
    try:
        values = read_json(file)
        return str(values.get("dataset") or values.get("training", {}).get("dataset", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def is_trained(run: Run) -> bool:
    """Tell if there is a network to evaluate.

    Raises
    ------
    ConfigurationError
        If the folder holds a finished run of another configuration.
    WeightsError
        If its card is damaged.
    """
    if run.config is None:
        return True
    if not (run.folder / CARD).exists():
        return False
    if unlike := differences(run, read_card(run.folder)):
        raise ConfigurationError(
            f"{run.folder} holds a finished run of another configuration ({'; '.join(unlike)}); choose another --out, or delete it"
        )
    return True


def is_evaluated(run: Run) -> bool:
    """Tell if the network's scores are recorded, and its soft targets if it teaches."""
    wanted = [run.scores, run.distributions] if run.experiment.teaches else [run.scores]
    try:
        return all(read_json(file)["model_sha256"] == _sha256(run.model) for file in wanted)
    except (OSError, ValueError, LookupError, TypeError, ResightError):
        return False


def in_bfloat16(run: Run) -> bool:
    """Tell if a finished run's card names bfloat16 as its precision; False if there is no card to read."""
    try:
        return read_card(run.folder).configuration.get("precision") == "bfloat16"
    except ResightError:
        return False


def differences(run: Run, card: Card) -> list[str]:
    """Differences between a finished run and one of the study; empty if they are the same.

    Initial weights are compared by the name of their file, of which every network has a few; teachers by the SHA-256 of
    their weights.

    Parameters
    ----------
    run : Run
        A training.
    card : Card
        Card of the finished run.

    Returns
    -------
    list of str
        Each difference: what was found and what was expected.
    """
    config = run.config
    if config is None:
        return ["the run of the study is not a training"]
    try:
        found, wanted = to_dict(configure(type(config), card.configuration)), to_dict(config)
    except ConfigurationError as error:
        return [str(error)]
    unlike = [
        f"{name} is {found[name]} instead of {value}"
        for name, value in wanted.items()
        if found[name] != value and name not in _ELSEWHERE + _HARMLESS
    ]
    begun, expected = _file(found["weights"]), _file(wanted["weights"])
    if begun != expected and not {begun, expected} <= set(INITIAL.get(config.network, ())):
        unlike.append(f"weights are {begun or 'random'} instead of {expected or 'random'}")
    if run.experiment.teacher:
        theirs = [teacher["sha256"] for teacher in card.training.get("teachers", ())]
        ours = [_sha256(teacher) for teacher in wanted["teacher"]]
        if theirs != ours:
            unlike.append(f"the teacher is {_short(theirs)} instead of {_short(ours)}")
    return unlike


def _file(weights: str) -> str:
    """File name of initial weights, given by their path or by their published name."""
    return PUBLISHED[weights].file if weights in PUBLISHED else Path(weights).name


def _short(digests: Iterable[str]) -> str:
    return ", ".join(digest[:8] for digest in digests) or "missing"


def _sha256(model: str) -> str:
    """SHA-256 of a model's weights; empty if there are none."""
    try:
        if (Path(model) / CARD).exists():
            return read_card(model).weights_sha256
        return _foreign_sha256(model)
    except ResightError:
        return ""


@cache
def _foreign_sha256(model: str) -> str:
    return load_model(model, device="cpu").sha256


def adopt(folders: Sequence[str | Path], runs: Sequence[Run], names: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Copy finished runs of the same configuration into the study.

    Parameters
    ----------
    folders : sequence of str or Path
        Run folders that `resight train` or `resight distill` wrote.
    runs : sequence of Run
        Runs of the study. A run that is finished already stays as it is.
    names : mapping of str to str
        Names that the given data sets have, by their keys in the study.

    Returns
    -------
    adopted : list of str
        Folder of each adopted run, and its name in the study.
    left : list of str
        Each other folder, and why it was left out.

    Raises
    ------
    WeightsError
        If a folder holds no finished run.
    StorageError
        If it cannot be copied.
    """
    adopted, left = [], []
    for folder in map(Path, folders):
        card = read_card(folder)
        there = card.training.get("dataset")
        taught = card.training.get("kind") == "distilled"
        candidates = [
            run
            for run in runs
            if run.config is not None and names.get(run.dataset) == there and bool(run.experiment.teacher) == taught
        ]
        if not candidates:
            left.append(f"{folder} was trained on {there}, which is not a data set of the study")
            continue
        found = [(differences(run, card), run) for run in candidates]
        same = [run for unlike, run in found if not unlike]
        if not same:
            nearest, _ = min(found, key=lambda pair: len(pair[0]))
            left.append(f"{folder} matches none of the study's runs: {'; '.join(nearest)}")
            continue
        if not (same[0].folder / CARD).exists():
            _copy(folder, same[0].folder)
        adopted.append(f"{folder} is {same[0].name}")
    return adopted, left


def _copy(folder: Path, into: Path) -> None:
    """Copy a finished run, the card last, so that a folder with a card is complete."""
    for name in (WEIGHTS, HISTORY, "curves.png", CARD):
        try:
            source = (folder / name).open("rb")
        except FileNotFoundError as error:
            if name in (WEIGHTS, CARD):
                raise WeightsError(f"{folder / name} is missing; restore it") from error
            continue
        except OSError as error:
            raise StorageError(f"cannot read {folder / name}: {error.strerror}") from error
        with source, atomic_write(into / name) as target:
            shutil.copyfileobj(source, target)
