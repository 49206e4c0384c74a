"""Figures of tracking and of links between cameras."""

from __future__ import annotations

from typing import Any

from records import result, table


def sequences() -> str:
    """Tracking of sequences that others measured, too."""
    found = result("tracking")["figures"]["sequences"]
    rows = [
        [name, *(f"{scores[figure]:.1f}" for figure in ("idf1", "mota", "hota")), str(scores["switches"])]
        for name, scores in sorted(found.items())
    ]
    return table(["sequence", "IDF1", "MOTA", "HOTA", "switches"], rows)


def drawn_films() -> str:
    """Tracking of drawn films, a camera at a time and over all cameras."""
    found = result("tracking-drawn")["figures"]["drawn"]
    rows = [
        [
            f"`{detector}`",
            *(f"{one['each'][figure]:.1f}" for figure in ("idf1", "mota")),
            f"{one['all']['idf1']:.1f}",
            *_group(one["links"]),
        ]
        for detector, one in found.items()
    ]
    return table(["detector", "IDF1 of a camera", "MOTA of a camera", "IDF1 over all cameras", *_GROUP], rows)


def market_links() -> str:
    """Market-1501's test people as six cameras."""
    halves = result("tracking")["figures"]["market"]
    rows = [
        [half, f"{one['threshold']:.2f}", str(one["passages"]), str(one["people"]), str(one["groups"]), *_group(one)]
        for half, one in zip(("first", "second"), halves, strict=True)
    ]
    return table(["half", "threshold", "passages", "people", "groups", *_GROUP], rows)


_GROUP = ["pairs: precision", "recall", "B-cubed F1"]


def _group(scores: dict[str, Any]) -> list[str]:
    return [f"{scores[name]:.1f}" for name in ("pair_precision", "pair_recall", "b_f1")]
