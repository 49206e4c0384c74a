"""`resight classical`: the classical side of the paper."""

from __future__ import annotations

from pathlib import Path

from resight.cli.options import Data
from resight.cli.terminal import check_writable, say, show, table, warn, write_result
from resight.progress import TerminalProgress

__all__ = ["classical"]


def classical(*, data: Data, out: Path = Path("classical"), seed: int = 0, json: Path | None = None) -> None:
    """Reproduce the paper's classical side: LOMO with Euclidean distance, KISSME and XQDA (Table 1, Figure 7, times). Resumable.

    Parameters
    ----------
    data
        Folder of Market-1501, or of a data set in its layout. Given several times, the sets are taken together.
    out
        Folder for descriptors (7 GB for Market-1501), finished steps, classical.json and classical.png.
    seed
        Seed of KISSME's random pairs.
    json
        Also write the figures to this file.
    """
    from resight.datasets import open_dataset
    from resight.lomo.descriptor import RETINEX
    from resight.studies.ruiz2019.classical import classical_study
    from resight.studies.ruiz2019.published import TABLE_1

    check_writable(json)
    dataset = open_dataset(data)
    warn(dataset.warnings)
    with TerminalProgress() as progress:
        record = classical_study(dataset, out, seed=seed, progress=progress)
    rows = []
    for distance, paper in TABLE_1.items():
        found = [record["retinex"][retinex]["test"][distance] for retinex in RETINEX]
        rows.append([distance, *(f"{one['rank1']:.2f} / {one['map']:.2f}" for one in found), f"{paper.rank1} / {paper.map}"])
    show(table(f"LOMO on {dataset.name}, Rank-1 / mAP (%)", ["", *RETINEX, "paper (Market-1501)"], rows))
    say(f"chosen on held-out identities: {record['chosen']}. {out / 'classical.png'} shows XQDA against its dimensions.")
    write_result(json, record, dataset.accounting)
