"""The experiments of Ruiz et al. (2019), in order: the name of each, its tables and figures, and its recipe.

I. Ruiz, B. Raducanu, R. Mehta, J. Amores, "Optimizing Speed/Accuracy Trade-Off for Person Re-identification via Knowledge
Distillation", 2019. Section 4.3 says how each network is trained; `recipes/ruiz2019` holds that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "DATASETS",
    "EXPERIMENTS",
    "LAMBDAS",
    "STUDENT",
    "TEMPERATURES",
    "WEIGHTS",
    "Experiment",
    "added_teacher",
    "distilled_name",
    "sweep",
    "title_of",
]

DATASETS = {"market1501": "Market-1501", "dukemtmc": "DukeMTMC-reID"}
"""Data sets: our name and the paper's."""

STUDENT = "mobilenet-0.25"

_TITLES = {
    "resnet-50": "ResNet-50",
    "mobilenet-0.25": "MobileNet 0.25",
    "mobilenet-0.5": "MobileNet 0.5",
    "mobilenet-0.75": "MobileNet 0.75",
    "mobilenet-1.0": "MobileNet 1.0",
}

TEMPERATURES = (1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0)
"""T of Figures 8 and 9: "the range of temperatures 1-30 ... intervals of 5, and 1 for the lowest values"."""

LAMBDAS = (0.0001, 0.001, 0.01)
"""Lambda of Figures 8 and 9."""

_HIGH_LAMBDA = 0.1  # of Figure 6 (b)

WEIGHTS = {
    "resnet-50": ("resnet50-0676ba61.pth", "resnet50-11ad3fa6.pth", "resnet50_a1_0-14fe96d1.pth"),
    "mobilenet-0.25": ("mobilenet_2_5_224_tf_no_top.h5",),
    "mobilenet-0.5": ("mobilenet_5_0_224_tf_no_top.h5",),
    "mobilenet-0.75": ("mobilenet_7_5_224_tf_no_top.h5",),
    "mobilenet-1.0": ("mobilenet_1_0_224_tf_no_top.h5",),
}
"""ImageNet weights of each network: names of its makers' files, the preferred one first."""

_ALL = ("full", "cpu")


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One entry of the list.

    Attributes
    ----------
    name : str
        Name of its run folder.
    shown : tuple of str
        Tables and figures that show it.
    kind : str
        ``"network"`` is trained by its recipe, ``"teacher"`` is trained already; ``"classical"`` and ``"speed"`` are
        `resight.studies.ruiz2019.classical.classical_study` and `resight.tradeoff.benchmark.benchmark`.
    recipe : str
        File name of the recipe, without the data set's name and hyphen before it and without ending.
    settings : mapping of str to float
        Settings that replace those of the recipe.
    teacher : str
        Name of the experiment whose network teaches; it must be finished first.
    model : str
        Model of a teacher that is trained already; see `resight.models.load_model`.
    teaches : bool
        True if its soft targets are shown (Figures 2 and 5).
    profiles : tuple of str
        Profiles that it belongs to.
    datasets : tuple of str
        Keys of `DATASETS`.
    """

    name: str
    shown: tuple[str, ...]
    kind: str = "network"
    recipe: str = ""
    settings: Mapping[str, float] = field(default_factory=dict)
    teacher: str = ""
    model: str = ""
    teaches: bool = False
    profiles: tuple[str, ...] = ("full",)
    datasets: tuple[str, ...] = tuple(DATASETS)


def title_of(name: str) -> str:
    """Name of a network in the paper; an added teacher keeps its own."""
    return _TITLES.get(name, name)


def distilled_name(teacher: str, temperature: float, hard_weight: float) -> str:
    """Name of one run of a sweep.

    Examples
    --------
    >>> distilled_name("resnet-50", 3.0, 0.0001)
    'mobilenet-0.25-from-resnet-50-T3-lambda0.0001'
    """
    return f"{STUDENT}-from-{teacher}-T{temperature:g}-lambda{hard_weight:g}"


def sweep(
    teacher: str,
    recipe: str,
    *,
    temperatures: tuple[float, ...] = TEMPERATURES,
    night: bool,
    high: tuple[str, ...] = (),
    datasets: tuple[str, ...] = tuple(DATASETS),
) -> list[Experiment]:
    """MobileNet 0.25 taught by one teacher at every T and lambda of Figures 8 and 9.

    Parameters
    ----------
    teacher : str
        Name of its experiment.
    recipe : str
    temperatures : tuple of float
    night : bool
        True if a part of it belongs to the profile ``"cpu"``: lambda = .001 at every T, the other two at T = 1, 1.5, 3 and 10, and
        Figure 6.
    high : tuple of str
        Data sets that also get lambda = .1 at T = 3, for Figure 6.
    datasets : tuple of str

    Returns
    -------
    list of Experiment
        Experiments with lambda = .001 come first.
    """
    found = []
    for hard_weight in sorted(LAMBDAS, key=lambda value: value != 0.001):
        for temperature in temperatures:
            shown = ["Figures 8 and 9"]
            if temperature == 3:
                shown += {0.0001: ["Figure 6"], 0.001: ["Table 3", "Table 4", "Figure 10"]}.get(hard_weight, [])
            found.append(
                Experiment(
                    name=distilled_name(teacher, temperature, hard_weight),
                    shown=tuple(shown),
                    recipe=recipe,
                    settings={"temperature": temperature, "hard_weight": hard_weight},
                    teacher=teacher,
                    profiles=_ALL if night and (hard_weight == 0.001 or temperature in (1, 1.5, 3, 10)) else ("full",),
                    datasets=datasets,
                )
            )
    if high:
        found.append(
            Experiment(
                name=distilled_name(teacher, 3, _HIGH_LAMBDA),
                shown=("Figure 6",),
                recipe=recipe,
                settings={"temperature": 3.0, "hard_weight": _HIGH_LAMBDA},
                teacher=teacher,
                profiles=_ALL if night else ("full",),
                datasets=high,
            )
        )
    return found


EXPERIMENTS = [
    Experiment(
        name="classical",
        shown=("Table 1", "Figure 7", "Table 4", "Figure 10"),
        kind="classical",
        profiles=_ALL,
    ),
    Experiment(
        name="mobilenet-0.25",
        shown=("Table 2", "Table 4", "Figures 8 and 9", "Figure 10"),
        recipe="mobilenet-0.25",
        profiles=_ALL,
    ),
    Experiment(
        name="mobilenet-1.0",
        shown=("Table 2", "Table 4", "Figures 2 and 5", "Figures 8 and 9", "Figure 10"),
        recipe="mobilenet-1.0",
        teaches=True,
        profiles=_ALL,
    ),
    Experiment(
        name="resnet-50",
        shown=("Table 2", "Table 4", "Figures 2 and 5", "Figures 8 and 9", "Figure 10"),
        recipe="resnet-50",
        teaches=True,
    ),
    Experiment(name="mobilenet-0.5", shown=("Table 2",), recipe="mobilenet-0.5"),
    Experiment(name="mobilenet-0.75", shown=("Table 2",), recipe="mobilenet-0.75"),
    *sweep("resnet-50", "distilled-from-resnet-50", night=False, high=("market1501",)),
    *sweep("mobilenet-1.0", "distilled-from-mobilenet-1.0", night=True),
    Experiment(name="speed", shown=("Table 2", "Table 4", "Figure 10"), kind="speed", profiles=_ALL, datasets=("market1501",)),
]
"""Everything in the paper: 65 trainings for each data set, one more for Figure 6, and what needs no training."""


def added_teacher(name: str, model: str) -> list[Experiment]:
    """A teacher that is not in the paper, and its sweep, on Market-1501.

    The sweep has one more temperature, because teachers trained with label smoothing are nearly flat at T = 2 already.

    Parameters
    ----------
    name : str
        Name of the teacher in the study.
    model : str
        See `resight.models.load_model`.

    Returns
    -------
    list of Experiment
    """
    here = ("market1501",)
    teacher = Experiment(
        name=name,
        shown=("Figures 2 and 5", "Figures 8 and 9"),
        kind="teacher",
        model=model,
        teaches=True,
        profiles=_ALL,
        datasets=here,
    )
    temperatures = tuple(sorted((*TEMPERATURES, 1.5)))
    return [
        teacher,
        *sweep(name, "distilled-from-resnet-50", temperatures=temperatures, night=True, high=here, datasets=here),
    ]
