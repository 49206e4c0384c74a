"""`resight fit`: learned distances."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from resight.cli.options import EXPERT, Data, Device, Layout, NamePattern, SkipUnreadable, TorchThreads
from resight.cli.terminal import check_writable, say, use_threads, warn, write_result
from resight.cli.terminal import skip_unreadable as skip
from resight.progress import TerminalProgress

__all__ = ["fit"]


def fit(
    *,
    data: Data,
    out: Path,
    model: str = "lomo",
    distance: Literal["kissme", "xqda"] = "xqda",
    dimensions: Annotated[int, EXPERT] = 0,
    layout: Layout = "auto",
    name_pattern: NamePattern = "",
    skip_unreadable: SkipUnreadable = False,
    height: Annotated[int, EXPERT] = 0,
    width: Annotated[int, EXPERT] = 0,
    seed: Annotated[int, EXPERT] = 0,
    device: Device = "auto",
    threads: TorchThreads = 0,
    json: Path | None = None,
) -> None:
    """Learn a distance (KISSME or XQDA) for LOMO or a network. The result is a model like any other.

    Parameters
    ----------
    data
        Folder of a data set, or a table; only its training images are read. Given several times, the sets are taken together.
    out
        Folder to write.
    model
        Model that gives the vectors: lomo, lomo:msrcp, student, FILE.onnx, a run folder, or NETWORK:FILE with foreign weights.
    distance
        Distance to learn.
    dimensions
        Largest number of dimensions of xqda, 0 for what its rule gives; components of the PCA before kissme, 0 for 200, or
        fewer if there are few images: half as many as people, if each has two.
    height
        Input height in pixels; 0 is the model's own.
    width
        Input width in pixels; 0 is the model's own. VIPeR's images are 48 wide, LOMO's own width is 64.
    seed
        Seed of kissme's random pairs.
    json
        Also write the model's card to this file.
    """
    from resight.datasets import open_dataset
    from resight.files import read_json
    from resight.models.fitted import fit_model
    from resight.networks import CARD

    check_writable(out / CARD, json)
    use_threads(threads)
    dataset = open_dataset(data, layout, name_pattern=name_pattern)
    warn(dataset.warnings)
    with TerminalProgress() as progress:
        if skip_unreadable:
            dataset = skip(dataset, "train", progress=progress)
        fit_model(
            dataset,
            out,
            model,
            distance,
            dimensions=dimensions,
            seed=seed,
            device=device,
            height=height,
            width=width,
            progress=progress,
        )
    card = read_json(out / "card.json")
    say(f"{out}: {distance} on {model}, {card['dimensions']} dimensions, from {card['training']['images']} images")
    write_result(json, card, dataset.account("train", first=True))
