"""CUHK03 under its new protocol: 767 people to train on, 700 to test, in Market-1501's folders.

W. Li, R. Zhao, T. Xiao, X. Wang, "DeepReID: Deep Filter Pairing Neural Network for Person Re-identification", CVPR 2014; Z. Zhong,
L. Zheng, D. Cao, S. Li, "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017 (the protocol, CUHK03-NP).
For research only; nothing here downloads it.
"""

from __future__ import annotations

from pathlib import Path

from resight.datasets import market1501
from resight.datasets.layout import Layout, find
from resight.datasets.names import NEARLY, STYLES
from resight.datasets.records import Dataset
from resight.datasets.tree import Tree
from resight.errors import DatasetError

__all__ = ["LAYOUT", "fit", "load"]

_KINDS = ("detected", "labeled", "labelled")
_INSIDE = ("cuhk03-np", "CUHK03-NP", "cuhk03", "CUHK03")


def fit(tree: Tree) -> float:
    """Share of the names that fit in `detected` or `labeled`. Raises `DatasetError` if both are there."""
    found = [kind for kind in _KINDS if (part := tree.below(kind)) is not None and market1501.fit(part) >= NEARLY]
    if len(found) > 1:
        raise DatasetError(f"{tree.root}: CUHK03 has boxes of two kinds, {' and '.join(found)}; name the folder of one of them")
    part = tree.below(found[0]) if found else None
    return 0.0 if part is None else market1501.fit(part)


def load(root: str | Path | Tree, *, seed: int = 0) -> Dataset:
    """Read CUHK03-NP: the folder `detected` or `labeled` with Market-1501's three folders in it.

    Parameters
    ----------
    root : str, Path or Tree
        The folder that holds one of the two, or its parent. Named by itself, `detected` is read as Market-1501's layout.
    seed : int
        Not used: the division is fixed.

    Returns
    -------
    Dataset
        With one split.

    Raises
    ------
    DatasetError
        If neither is there, or both.
    """
    share, found = find(tree := Tree.read(root), fit, _INSIDE)
    if not share:
        raise DatasetError(f"{tree.root}: no CUHK03 here; expected detected or labeled with {', '.join(market1501.FOLDERS)} in it")
    part = next(part for kind in _KINDS if (part := found.below(kind)) is not None and market1501.fit(part))
    return market1501.load_named(part, STYLES["market1501"], "cuhk03")


LAYOUT = Layout(about="CUHK03-NP's folder detected or labeled with Market-1501's folders in it", fit=fit, load=load, inside=_INSIDE)
