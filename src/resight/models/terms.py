"""Terms of use of the images and weights that a network is made from, as far as they are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from resight.errors import ResightError
from resight.files import read_json, sha256_file
from resight.models.onnx_file import CARD as EXPORTED
from resight.models.onnx_graph import open_onnx
from resight.models.protobuf import Damaged
from resight.models.reference import parse
from resight.networks.card import CARD
from resight.networks.published import PUBLISHED
from resight.shipped import SHIPPED, TERMS

__all__ = ["terms_of_images", "terms_of_weights"]

_RESEARCH = frozenset(("market1501", "dukemtmc", "msmt17", "cuhk01", "cuhk03", "prid2011", "viper", "ilids-vid", "mars"))
_DRAWN = "drawn, no image of a real person"
_OWN = "your own to settle: no published data set is recognised"
_UNKNOWN = "not known: ask whoever made it"


def terms_of_images(dataset: str) -> str:
    """Terms of a data set's images by the name of its layout; names of several have + between them."""
    names = dataset.split("+")
    if found := sorted(_RESEARCH & set(names)):
        return f"for research only ({', '.join(found)})"
    return _DRAWN if names == ["drawn"] else _OWN


def terms_of_weights(reference: str) -> str:
    """Terms of a model, or of weights to start from, by what a user calls them; see `resight.load_model`.

    A run, and an exported model, have the terms of all that they were made from.
    """
    if reference in SHIPPED:
        return TERMS[reference]
    if reference in PUBLISHED:
        return PUBLISHED[reference].terms
    try:
        path = Path(reference) if Path(reference).is_file() else parse(reference).path
        if path is None:
            return _UNKNOWN
        if path.is_dir() or (path.parent / CARD).exists():
            return _said(read_json((path if path.is_dir() else path.parent) / CARD))
        if path.suffix == ".onnx" and (card := open_onnx(path).metadata.get(EXPORTED)):
            return _said(json.loads(card))
        digest = sha256_file(path)
    except (OSError, ValueError, Damaged, ResightError):
        return _UNKNOWN
    return next((known.terms for known in PUBLISHED.values() if known.sha256 == digest), _UNKNOWN)


def _said(card: Any) -> str:
    """Terms in the card of a run or of an exported model, on one line."""
    try:
        terms: Any = card["training"]["terms"]
    except (LookupError, TypeError):
        return _UNKNOWN
    if not isinstance(terms, dict):  # of an earlier version
        return str(terms)
    return "; ".join(dict.fromkeys(map(str, terms.values())))
