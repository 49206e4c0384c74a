"""The one reader of what users write for a model, such as ``student`` or ``osnet-0.25:weights.pth``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from resight.configuration import nearest_name
from resight.errors import ConfigurationError
from resight.networks import CARD, NETWORKS
from resight.networks.published import PUBLISHED
from resight.shipped import SHIPPED, shipped_file

__all__ = ["FITTED_ARRAYS", "Reference", "parse"]

FITTED_ARRAYS = "distance.safetensors"
"""File of a folder with a fitted distance."""

_OPENVINO = "openvino:"


@dataclass(frozen=True)
class Reference:
    """A model as a user names it. No file has been read.

    Attributes
    ----------
    text : str
        The text as written.
    kind : str
        ``"shipped"``, ``"lomo"``, ``"published"``, ``"network"`` (an untrained one), ``"weights"`` (NETWORK:FILE), ``"onnx"``,
        ``"openvino"``, ``"fitted"`` (a folder of `resight.fit_model`), ``"run"`` (a run folder), or ``"folder"`` (any other).
    name : str
        Shipped or published name, network, or LOMO's Retinex; otherwise empty.
    path : Path or None
        File or folder, if there is one.
    """

    text: str
    kind: str
    name: str = ""
    path: Path | None = None

    @property
    def absolute(self) -> str:
        """The same model from whatever folder: names stay, paths become absolute."""
        if self.path is None or self.name in SHIPPED:
            return self.text
        before = {"weights": f"{self.name}:", "openvino": _OPENVINO}.get(self.kind, "")
        return f"{before}{self.path.resolve()}"


def parse(given: str | os.PathLike[str]) -> Reference:
    """Find out which model a user means.

    Names come before folders and files, so that their meaning never depends on the working directory: ``student`` is the shipped
    model, and ``./student`` or a `Path` is a folder.

    Parameters
    ----------
    given : str or PathLike
        See `resight.load_model`.

    Returns
    -------
    Reference

    Raises
    ------
    ConfigurationError
        If it is neither a known name nor something on the disk. The message suggests the nearest name.
    """
    text = os.fspath(given) if isinstance(given, str) else os.path.join(os.curdir, given)
    name, colon, rest = text.partition(":")
    path = Path(text)
    if text in SHIPPED:
        return Reference(text, "shipped", text, shipped_file(text, ".onnx"))
    if name == "lomo":
        return Reference(text, "lomo", rest)
    if text in PUBLISHED:
        return Reference(text, "published", text)
    if text in NETWORKS:
        return Reference(text, "network", text)
    if name in NETWORKS and colon:
        return Reference(text, "weights", name, Path(rest))
    if text.startswith(_OPENVINO):
        return Reference(text, "openvino", *((rest, shipped_file(rest, ".onnx")) if rest in SHIPPED else ("", Path(rest))))
    if text.endswith(".xml") and not path.is_dir():
        return Reference(text, "openvino", path=path)
    if text.endswith(".onnx") and not path.is_dir():
        return Reference(text, "onnx", path=path)
    if (path / FITTED_ARRAYS).exists():
        return Reference(text, "fitted", path=path)
    if path.is_dir():
        return Reference(text, "run" if (path / CARD).exists() else "folder", path=path)
    if path.is_file():
        raise ConfigurationError(f"{text} does not say what network it is; expected FILE.onnx, FILE.xml, or NETWORK:{text}")
    hint = "" if "/" in name else nearest_name(name, [*SHIPPED, "lomo", *NETWORKS, *PUBLISHED])
    raise ConfigurationError(
        f"no model {text!r}{hint}; expected {', '.join(SHIPPED)}, FILE.onnx, FILE.xml, a run folder, NETWORK:FILE or lomo; "
        f"networks: {', '.join(NETWORKS)}; published weights: {', '.join(PUBLISHED)}"
    )
