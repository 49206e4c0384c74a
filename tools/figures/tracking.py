"""Figures of tracking and of links between cameras."""

from __future__ import annotations

from typing import Any

from records import result, table, where


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
    rows = []
    for detector, one in found.items():
        own = [f"{one['each'][figure]:.1f}" for figure in ("idf1", "mota")]
        for how, links in (("vectors as they are", one), ("without each camera's mean", one["centred"])):
            rows.append([f"`{detector}`, {how}", *own, f"{links['all']['idf1']:.1f}", *_group(links["links"])])
    return table(["detector, and vectors", "IDF1 of a camera", "MOTA of a camera", "IDF1 over all cameras", *_GROUP], rows)


def market_links() -> str:
    """Market-1501's test people as six cameras."""
    halves = result("tracking")["figures"]["market"]
    rows = []
    for half, one in zip(("first", "second"), halves, strict=True):
        about = [str(one["passages"]), str(one["people"])]
        for how, links in (("vectors as they are", one), ("without each camera's mean", one["centred"])):
            rows.append([f"{half}, {how}", *about, str(links["groups"]), *_group(links)])
    return table(["half, and vectors", "passages", "people", "groups", *_GROUP], rows)


def camera_speed() -> str:
    """From a film to a gallery, beside the usual way, and live streams."""
    record = result("benchmark-cameras")
    found = record["figures"]
    names = {
        "every frame": "`yolox:nano`, every frame",
        "one in three": "`yolox:nano`, one frame in three",
        "motion": "`motion`, every frame",
        "usual": "the usual way",
    }
    rows = []
    for name, text in names.items():
        one = found["film"][name]
        scores = [f"{each[name]['idf1']:.1f}" if name in each else "-" for each in found["scores"].values()]
        speed = [f"{one['frames_per_second']:.1f}", f"{one['times_the_usual']:.1f}", f"{one['processor_milliseconds']:.0f}"]
        rows.append([text, *speed, *scores])
    headings = ["from file to gallery", "frames/s", "times the usual", "processor ms a frame"]
    headings += [f"{sequence}, IDF1" for sequence in found["scores"]]
    alone, busy = (result(f"benchmark-streams{kind}")["figures"] for kind in ("-quiet", ""))
    text = (
        f"{where(record)}, 640x480. {alone['streams']} live streams of {alone['frames_per_second_each']} frames/s, detected on "
        f"every frame, {_streams(alone)}. Beside tests that kept both cores busy, {_streams(busy)}.\n"
    )
    return table(headings, rows) + "\n" + text


def _streams(found: dict[str, Any]) -> str:
    memory = found["memory"]
    return (
        f"for {found['seconds'] / 60:.0f} minutes: {found['frames']} frames, {found['dropped']} dropped, memory from "
        f"{memory['first_megabytes']:.0f} to {memory['last_megabytes']:.0f} MB"
    )


_GROUP = ["pairs: precision", "recall", "B-cubed F1"]


def _group(scores: dict[str, Any]) -> list[str]:
    return [f"{scores[name]:.1f}" for name in ("pair_precision", "pair_recall", "b_f1")]
