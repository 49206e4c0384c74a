"""How a study is configured; kept free of PyTorch, so that `resight study --help` answers at once."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any

from resight.errors import ConfigurationError

__all__ = ["PROFILES", "StudyConfig"]

PROFILES = ("full", "cpu")
"""Everything, which is for a GPU; and the part that two cores finish in a night."""


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """Which runs of a study are made, and from what.

    Attributes
    ----------
    profile : str
        ``"full"`` is every experiment of the paper, for a GPU; ``"cpu"`` the part that two cores finish in a night.
    teacher : tuple of str
        Teachers that are not in the paper: run folders or NETWORK:FILE; their sweeps appear beside the paper's.
    weights : tuple of str
        Where the networks' ImageNet weights are: folders with files of their makers' names, or ``NETWORK:FILE``.
    adopt : tuple of str
        Folders of finished runs: those of the same configuration as a run of the study are copied instead of being made again.
    only : tuple of str
        Names of runs, or patterns such as ``*-T3-*``; all of the profile unless given.
    override : tuple of str
        ``NAME=VALUE`` for every training, against its recipe, for example ``epochs=2``: to try a study out.
    run : bool
        Make the runs that are missing; without it, only report what is there.
    together : int
        Runs at the same time, each in a process of its own; 1 makes them one after the other in this process; 0 is 4 on a GPU, and
        otherwise one for each core, up to 4.
    recipes : str
        Folder of the recipes; those that come with Resight unless given.
    """

    profile: str = "cpu"
    teacher: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    adopt: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    override: tuple[str, ...] = ()
    run: bool = True
    together: int = 0
    recipes: str = ""

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ConfigurationError(f"profile {self.profile!r}; expected {' or '.join(PROFILES)}")
        if self.together < 0:
            raise ConfigurationError(f"together = {self.together}; expected at least 0")
        _ = self.overrides

    @property
    def overrides(self) -> dict[str, Any]:
        """`override` as names and values: TOML's values, and words without quotes."""
        found: dict[str, Any] = {}
        for setting in self.override:
            name, equals, value = (part.strip() for part in setting.partition("="))
            if not (name and equals):
                raise ConfigurationError(f"override {setting!r}; expected NAME=VALUE, for example epochs=2")
            try:
                found[name] = tomllib.loads(f"value = {value}")["value"]
            except tomllib.TOMLDecodeError:
                found[name] = value
        return found
