"""`resight evaluate`."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from resight.cli.options import Data, Device, DistanceName, Layout, ModelName, NamePattern, Threads, chosen
from resight.cli.terminal import check_writable, say, show, table, warn, write_result
from resight.progress import TerminalProgress

__all__ = ["evaluate"]


def evaluate(
    *,
    data: Data,
    model: ModelName = "student",
    distance: DistanceName = "auto",
    rerank: bool = False,
    rerank_k1: int | None = None,
    rerank_k2: int | None = None,
    rerank_lambda: float | None = None,
    layout: Layout = "auto",
    name_pattern: NamePattern = "",
    height: int = 0,
    width: int = 0,
    device: Device = "auto",
    threads: Threads = 0,
    json: Path | None = None,
) -> None:
    """Rank the gallery for every query and score the ranking: Rank-k and mAP, by the data set's own protocol.

    If all images are by one camera, or no camera is known, a query is compared with all images but itself, and a note says so.

    Parameters
    ----------
    distance
        Between vectors; auto is the model's own. kissme and xqda are learned from the data set's training images, for each of its
        divisions anew.
    rerank
        Re-rank by k-reciprocal encoding (Zhong et al., CVPR 2017): queries and gallery images that share neighbours come nearer.
    rerank_k1
        How many neighbours may be reciprocal; 20 unless given.
    rerank_k2
        Over how many images an encoding is averaged; 6 unless given.
    rerank_lambda
        Weight of the original distance beside the Jaccard distance of the encodings, from 0 to 1; 0.3 unless given.
    height
        Of the network's input, in pixels; 0 is the model's own.
    width
        Of the network's input, in pixels; 0 is the model's own.
    json
        Also write all figures to this file, in per cent, with their provenance.
    """
    from resight.datasets import open_dataset
    from resight.errors import ConfigurationError
    from resight.evaluation.model import evaluate_model
    from resight.models import load_model
    from resight.provenance import provenance
    from resight.ranking.rerank import PAPER

    options = {"k1": rerank_k1, "k2": rerank_k2, "original_weight": rerank_lambda}
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if given and not rerank:
        raise ConfigurationError("--rerank-k1, --rerank-k2 and --rerank-lambda belong to re-ranking; give --rerank, too")
    reranking = replace(PAPER, **given) if rerank else None
    check_writable(json)
    dataset = open_dataset(data, layout, name_pattern=name_pattern)
    extractor = load_model(model, device=device, height=height, width=width, threads=threads)
    divisions = len(dataset.splits)
    warn(dataset.warnings)
    if divisions > 1 and _learned_from(model) == dataset.name:
        note = "learned from people whom all but the first division test: too good; --distance xqda learns anew for each division"
        warn((f"{model} {note}",))
    wanted = chosen(distance)
    used = wanted or (extractor.distance if isinstance(extractor.distance, str) else "fitted")
    with TerminalProgress() as progress:
        values = evaluate_model(extractor, dataset, wanted, reranking=reranking, progress=progress).to_dict()
    named = {"rank1": "Rank-1", "rank5": "Rank-5", "rank10": "Rank-10", "rank20": "Rank-20", "map": "mAP"}
    named |= {"map_trapezoidal": "mAP, trapezoidal", "minp": "mINP"}
    rows = [[heading, f"{values[name]:.2f}" + _deviation(values, name)] for name, heading in named.items()]
    how = f"{used} distance" + (", re-ranked" if reranking else "")
    show(table(f"{extractor.name}, {how}, on {dataset.name}", ["", "%"], rows))
    mean = f"; mean ± deviation of {divisions} divisions" if divisions > 1 else ""
    say(f"{values['queries']} queries, {values['gallery']} gallery images, ranked in {values['seconds_ranking']:.2f} s{mean}")
    about: dict[str, Any] = {"model": extractor.name, "model_sha256": extractor.sha256, "dataset": dataset.name, "distance": used}
    about["protocol"] = dataset.protocol
    about["reranking"] = asdict(reranking) if reranking else None
    about |= values | {"provenance": provenance({"model": model, "distance": used})}
    write_result(json, about, dataset.account("query", "gallery"))


def _learned_from(model: str) -> str:
    """The data set that a run folder says it learned from; empty for everything else."""
    from resight.files import read_json

    try:
        return str(read_json(Path(model) / "card.json")["training"]["dataset"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _deviation(values: dict[str, Any], name: str) -> str:
    return f" ± {values[f'{name}_deviation']:.2f}" if f"{name}_deviation" in values else ""
