"""Turns the list of experiments into runs: the folder of each, its whole configuration, and what stands in its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import resight
from resight.configuration import configure, read_recipe
from resight.distillation.config import DistillConfig
from resight.errors import ConfigurationError
from resight.models.reference import parse
from resight.networks import NETWORKS
from resight.networks.published import PUBLISHED
from resight.studies.ruiz2019.config import StudyConfig
from resight.studies.ruiz2019.experiments import DATASETS, EXPERIMENTS, WEIGHTS, Experiment, added_teacher
from resight.training.config import TrainConfig

__all__ = ["Run", "experiments", "plan"]

_KEYS = ", ".join(PUBLISHED)
_RECIPES = Path(resight.__file__).parent / "recipes" / "ruiz2019"


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One experiment on one data set.

    Attributes
    ----------
    experiment : Experiment
    dataset : str
        Key of `resight.studies.ruiz2019.experiments.DATASETS`.
    folder : Path
        Its run folder. Results lie beside it.
    config : TrainConfig or None
        Configuration of the training, if there is one.
    model : str
        Model to evaluate, as `resight.models.load_model` names it.
    data : str
        Folder of the data set; empty if it was not given.
    obstacle : str
        Reason not to train it; empty if there is none. If its network exists all the same, it is evaluated.
    """

    experiment: Experiment
    dataset: str
    folder: Path
    config: TrainConfig | None
    model: str
    data: str = ""
    obstacle: str = ""

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return self.experiment.name

    @property
    def scores(self) -> Path:
        """JSON file of its scores, or the record of `classical_study` or `measure_speed`."""
        return self.folder / "classical.json" if self.experiment.kind == "classical" else self._beside("json")

    @property
    def distributions(self) -> Path:
        """JSON file of its soft targets on some training images, if it teaches."""
        return self._beside("distributions.json")

    @property
    def failure(self) -> Path:
        """JSON file with the reason of its last failure."""
        return self._beside("failed.json")

    def _beside(self, ending: str) -> Path:
        return self.folder.parent / f"{self.name}.{ending}"  # not with_suffix: there are dots in the names


def experiments(config: StudyConfig) -> list[Experiment]:
    """Experiments of the paper, and those of the added teachers.

    Raises
    ------
    ConfigurationError
        If a teacher does not exist, or has the name of another one or of a network of the paper.
    """
    found = list(EXPERIMENTS)
    taken = {experiment.name for experiment in found}
    for reference in config.teacher:
        name, model = _teacher(reference)
        if name in taken:
            raise ConfigurationError(f"the study already has a network named {name!r}; rename the folder of {reference}")
        taken.add(name)
        found += added_teacher(name, model)
    return found


def _teacher(reference: str) -> tuple[str, str]:
    """Name of an added teacher, and its reference with an absolute path."""
    with suppress(ConfigurationError):
        found = parse(reference)
        if found.kind in ("run", "folder") and found.path is not None:
            return found.path.resolve().name, found.absolute
        if found.kind == "published" or (found.kind == "weights" and found.path is not None and found.path.is_file()):
            return found.name, found.absolute
    raise ConfigurationError(f"teacher {reference!r}; expected a run folder, NETWORK:FILE with an existing file, or {_KEYS}")


def plan(out: Path, config: StudyConfig, data: Mapping[str, str]) -> list[Run]:
    """All runs of the study, in the order in which they are made.

    Parameters
    ----------
    out : Path
        Folder of the study.
    config : StudyConfig
    data : mapping of str to str
        Folders of the data sets that were given, by their keys in `resight.studies.ruiz2019.experiments.DATASETS`.

    Returns
    -------
    list of Run
        Runs of other profiles are among them, with that as their obstacle.

    Raises
    ------
    ConfigurationError
        If a recipe cannot be read, or something that the user named does not exist.
    """
    weights = _given_weights(config.weights)
    listed = experiments(config)
    models = {experiment.name: experiment.model for experiment in listed}
    unknown = [pattern for pattern in config.only if not any(fnmatch(experiment.name, pattern) for experiment in listed)]
    if unknown:
        raise ConfigurationError(f"no run is named {unknown[0]!r}; runs have names such as {listed[1].name} or {listed[6].name}")
    runs = []
    for dataset, title in DATASETS.items():
        for experiment in listed:
            if dataset not in experiment.datasets:
                continue
            folder = out.resolve() / dataset / experiment.name
            model = experiment.model or str(folder)
            settings, lacking = None, ""
            if experiment.kind == "network":
                recipe = _RECIPES / f"{dataset}-{experiment.recipe}.toml"
                teacher = models.get(experiment.teacher) or str(folder.parent / experiment.teacher)
                settings, lacking = _configuration(experiment, teacher, recipe, config.overrides, weights)
            if dataset not in data:
                obstacle = f"{title} was not given"
            elif config.profile not in experiment.profiles:
                obstacle = f"not in the profile {config.profile}"
            elif config.only and not any(fnmatch(experiment.name, pattern) for pattern in config.only):
                obstacle = "not among those named with --only"
            else:
                obstacle = lacking
            runs.append(
                Run(
                    experiment=experiment,
                    dataset=dataset,
                    folder=folder,
                    config=settings,
                    model=model,
                    data=data.get(dataset, ""),
                    obstacle=obstacle,
                )
            )
    return runs


def _configuration(
    experiment: Experiment, teacher: str, recipe: Path, overrides: Mapping[str, Any], weights: Mapping[str, str]
) -> tuple[TrainConfig, str]:
    """Configuration of one training, and the reason why it cannot begin."""
    values: dict[str, Any] = read_recipe(recipe) | dict(experiment.settings) | dict(overrides)
    lacking = ""
    if "weights" not in overrides:
        values["weights"], lacking = _initial_weights(str(values.get("network")), weights)
    if not experiment.teacher:
        return configure(TrainConfig, values, source=str(recipe)), lacking
    return configure(DistillConfig, values | {"teacher": [teacher]}, source=str(recipe)), lacking


def _initial_weights(network: str, given: Mapping[str, str]) -> tuple[str, str]:
    """Start of a network: a file, a key of `PUBLISHED`, or the name of a missing file and a message that says so."""
    if network in given:
        return given[network], ""
    if network not in WEIGHTS:
        return "", f"Resight knows no ImageNet weights of {network}; give --override weights=FILE"
    wanted = WEIGHTS[network][0]
    for key, published in PUBLISHED.items():
        if published.file == wanted:
            return key, ""
    return wanted, f"the ImageNet weights of {network} are missing; name the folder of {wanted} with --weights"


def _given_weights(given: Sequence[str]) -> dict[str, str]:
    """Weights file of each network."""
    found: dict[str, str] = {}
    for item in given:
        network, colon, file = item.partition(":")
        if Path(item).is_dir():
            there = {name: [Path(item, file) for file in files if Path(item, file).is_file()] for name, files in WEIGHTS.items()}
            if not any(there.values()):
                names = ", ".join(file for files in WEIGHTS.values() for file in files)
                raise ConfigurationError(f"{item} holds none of {names}; give a file as NETWORK:FILE")
            found |= {name: str(paths[0].resolve()) for name, paths in there.items() if paths}
        elif colon and network in NETWORKS and Path(file).is_file():
            found[network] = str(Path(file).resolve())
        else:
            raise ConfigurationError(f"weights {item!r}; expected a folder, or NETWORK:FILE with an existing file")
    return found
