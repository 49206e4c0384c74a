"""`resight fit` and `resight classical`: learned distances, and the classical side of the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from resight.cli.options import Data, Device, Layout, NamePattern, TorchThreads
from resight.cli.terminal import say, show, table, use_threads, warn, write_result
from resight.progress import TerminalProgress

__all__ = ["classical", "fit"]


def fit(
    *,
    data: Data,
    out: Path,
    model: str = "lomo",
    distance: Literal["kissme", "xqda"] = "xqda",
    dimensions: int = 0,
    layout: Layout = "auto",
    name_pattern: NamePattern = "",
    height: int = 0,
    width: int = 0,
    seed: int = 0,
    device: Device = "auto",
    threads: TorchThreads = 0,
    json: Path | None = None,
) -> None:
    """Learn a distance (KISSME or XQDA) for LOMO or a network's features; the result is a model like any other.

    Parameters
    ----------
    data
        Folder of a data set, or a table; only its training images are read. May be given several times.
    out
        Folder to write.
    model
        lomo, lomo:msrcp, or a network: student, FILE.onnx, a run folder, or NETWORK:FILE with foreign weights.
    distance
        What to learn.
    dimensions
        At most so many for xqda (0: what its rule gives); components of the PCA before kissme (0: 200).
    height
        Of the model's input, in pixels; 0 is the model's own.
    width
        Of the model's input, in pixels; 0 is the model's own. VIPeR's images are 48 wide, LOMO's own is 64.
    seed
        Of kissme's random pairs.
    json
        Also write the model's card to this file.
    """
    from resight.datasets import open_dataset
    from resight.files import read_json
    from resight.models.fitted import fit_model

    use_threads(threads)
    dataset = open_dataset(data, layout, name_pattern=name_pattern)
    warn(dataset.warnings)
    with TerminalProgress() as progress:
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
    write_result(json, card, dataset.account("train"))


def classical(*, data: Data, out: Path = Path("classical"), seed: int = 0, json: Path | None = None) -> None:
    """The paper's classical side: LOMO with Euclidean, KISSME and XQDA (Table 1, Figure 7, timing); resumable step by step.

    Parameters
    ----------
    data
        Folder of Market-1501 or a data set in its layout.
    out
        Folder for descriptors (7 GB for Market-1501), finished steps, classical.json and classical.png.
    seed
        Of KISSME's random pairs.
    json
        Also write the figures to this file.
    """
    from resight.datasets import open_dataset
    from resight.lomo.descriptor import RETINEX
    from resight.studies.ruiz2019.classical_side import PAPER_TABLE_1, classical_study

    dataset = open_dataset(data)
    warn(dataset.warnings)
    with TerminalProgress() as progress:
        record = classical_study(dataset, out, seed=seed, progress=progress)
    rows = []
    for distance, paper in PAPER_TABLE_1.items():
        figures = [record["retinex"][retinex]["test"][distance] for retinex in RETINEX]
        rows.append([distance, *(f"{found['rank1']:.2f} / {found['map']:.2f}" for found in figures), f"{paper[0]} / {paper[1]}"])
    show(table(f"LOMO on {dataset.name}, Rank-1 / mAP (%)", ["", *RETINEX, "paper (Market-1501)"], rows))
    say(f"chosen on held-out identities: {record['chosen']}. {out / 'classical.png'} shows XQDA against its dimensions.")
    write_result(json, record, dataset.accounting)
