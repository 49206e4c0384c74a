"""`resight evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from resight.cli.options import DeviceName, DistanceName
from resight.cli.terminal import say, show, table, use_threads, warn, write_result
from resight.progress import TerminalProgress

__all__ = ["evaluate"]


def evaluate(
    *,
    data: Path,
    model: str,
    distance: DistanceName = "",
    layout: str = "auto",
    height: int = 0,
    width: int = 0,
    device: DeviceName = "auto",
    threads: int = 0,
    json: Path | None = None,
) -> None:
    """Rank the gallery for every query and score the ranking: Rank-k and mAP, by the data set's own protocol.

    Parameters
    ----------
    data
        Folder of a data set.
    model
        Run folder, or NETWORK:FILE with foreign weights, for example osnet-0.25:osnet_x0_25_market1501.pth.
    distance
        Between vectors: the model's own (Euclidean, or what it was fitted with) unless given. kissme and xqda are learned from the
        data set's training images.
    layout
        market1501, dukemtmc, viper, cuhk01, folder or synthetic; auto recognises it.
    height
        Of the network's input, in pixels; 0 is the model's own.
    width
        Of the network's input, in pixels; 0 is the model's own.
    device
        Where to compute.
    threads
        CPU threads; 0 leaves it to PyTorch.
    json
        Also write all figures to this file, in per cent, with their provenance.
    """
    from resight.datasets import open_dataset
    from resight.evaluation.model import evaluate_model
    from resight.models import load_model
    from resight.provenance import provenance

    use_threads(threads)
    dataset = open_dataset(data, layout)
    extractor = load_model(model, device=device, height=height, width=width)
    warn(dataset.warnings)
    used = distance or (extractor.distance if isinstance(extractor.distance, str) else "fitted")
    with TerminalProgress() as progress:
        values = evaluate_model(extractor, dataset, distance, progress=progress).to_dict()
    named = {"rank1": "Rank-1", "rank5": "Rank-5", "rank10": "Rank-10", "rank20": "Rank-20", "map": "mAP"}
    named |= {"map_trapezoidal": "mAP, trapezoidal", "minp": "mINP"}
    rows = [[heading, f"{values[name]:.2f}" + _deviation(values, name)] for name, heading in named.items()]
    show(table(f"{extractor.name}, {used} distance, on {dataset.name}", ["", "%"], rows))
    say(f"{values['queries']} queries, {values['gallery']} gallery images, ranked in {values['seconds_ranking']:.2f} s")
    about = {"model": extractor.name, "model_sha256": extractor.sha256, "dataset": dataset.name, "distance": used}
    write_result(json, about | values | {"provenance": provenance({"model": model, "distance": used})})


def _deviation(values: dict[str, Any], name: str) -> str:
    return f" ± {values[f'{name}_deviation']:.2f}" if f"{name}_deviation" in values else ""
