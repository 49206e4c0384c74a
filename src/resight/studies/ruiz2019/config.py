"""Configuration of the study, without PyTorch, so that `resight study --help` answers at once."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any

from resight.errors import ConfigurationError

__all__ = ["PROFILES", "StudyConfig"]

PROFILES = ("full", "cpu")
"""Every experiment, for a GPU; and the part that two cores finish in a night."""


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """The runs to make, and their sources.

    Attributes
    ----------
    profile : str
        Experiments to run: ``"full"`` is everything in the paper, for a GPU; ``"cpu"`` is what two cores finish in a night.
    teacher : tuple of str
        Teachers that are not in the paper: run folders or NETWORK:FILE. Their sweeps appear beside the paper's.
    weights : tuple of str
        ImageNet weights of the networks: folders with the files under their makers' names, or ``NETWORK:FILE``.
    adopt : tuple of str
        Folders of finished runs. A run of the study with the same configuration is copied from there instead of made again.
    only : tuple of str
        Names of runs, or patterns such as ``*-T3-*``; the default is all runs of the profile.
    override : tuple of str
        Settings ``NAME=VALUE`` that replace those of every recipe, for example ``epochs=2`` to try the study out.
    run : bool
        Make the runs that are missing. Without it, only report what is there.
    together : int
        Runs at the same time, each in a process of its own. 1 makes them one after the other in this process; 0 is 4 on a GPU,
        otherwise one for each core, up to 4.
    """

    profile: str = "cpu"
    teacher: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    adopt: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    override: tuple[str, ...] = ()
    run: bool = True
    together: int = 0

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ConfigurationError(f"profile {self.profile!r}; expected {' or '.join(PROFILES)}")
        if self.together < 0:
            raise ConfigurationError(f"together = {self.together}; expected at least 0")
        _ = self.overrides

    @property
    def overrides(self) -> dict[str, Any]:
        """Names and values of `override`: TOML values, and words without quotes."""
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
