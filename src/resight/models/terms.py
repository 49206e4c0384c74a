"""Terms of use of the images and weights that a network is made from, as far as they are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from resight.errors import ResightError
from resight.files import read_json, sha256_file
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

    A run has the terms of all that it was made from.
    """
    if reference in SHIPPED:
        return TERMS
    if reference in PUBLISHED:
        return PUBLISHED[reference].terms
    try:
        path = Path(reference) if Path(reference).is_file() else parse(reference).path
        if path is None:
            return _UNKNOWN
        if path.is_dir() or (path.parent / CARD).exists():
            return _of_run((path if path.is_dir() else path.parent) / CARD)
        digest = sha256_file(path)
    except (OSError, ResightError):
        return _UNKNOWN
    return next((known.terms for known in PUBLISHED.values() if known.sha256 == digest), _UNKNOWN)


def _of_run(card: Path) -> str:
    """Terms of a run folder, on one line."""
    try:
        terms: Any = read_json(card)["training"]["terms"]
    except (OSError, ValueError, LookupError, TypeError):
        return _UNKNOWN
    if not isinstance(terms, dict):  # of an earlier version
        return str(terms)
    return "; ".join(dict.fromkeys(map(str, terms.values())))
