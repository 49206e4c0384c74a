"""`resight evaluate`."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from resight.cli.options import (
    EXPERT,
    Data,
    Device,
    DistanceName,
    Layout,
    ModelName,
    NamePattern,
    SkipUnreadable,
    Threads,
    chosen,
    read_for,
)
from resight.cli.terminal import check_writable, say, show, table, warn, write_result
from resight.cli.terminal import skip_unreadable as skip
from resight.progress import TerminalProgress

__all__ = ["evaluate"]


def evaluate(
    *,
    data: Data,
    model: ModelName = "student",
    distance: DistanceName = "auto",
    rerank: bool = False,
    rerank_k1: Annotated[int | None, EXPERT] = None,
    rerank_k2: Annotated[int | None, EXPERT] = None,
    rerank_lambda: Annotated[float | None, EXPERT] = None,
    layout: Layout = "auto",
    name_pattern: NamePattern = "",
    skip_unreadable: SkipUnreadable = False,
    same_camera: bool = False,
    open_set: bool = False,
    tracklets: bool = False,
    cohort: str = "",
    picture: Path | None = None,
    height: Annotated[int, EXPERT] = 0,
    width: Annotated[int, EXPERT] = 0,
    device: Device = "auto",
    threads: Threads = 0,
    json: Path | None = None,
) -> None:
    """Measure accuracy: rank the gallery for every query, and give Rank-k and mAP by the data set's own protocol.

    If all images are by one camera, or no camera is known, a query is compared with all images but itself, and a note says so.

    --open-set measures what a threshold can do, in the terms of ISO/IEC 19795-1. Every query is also searched without its person
    in the gallery. The result is how often present people are missed, at several rates of falsely finding absent ones.

    Parameters
    ----------
    data
        Folder of a data set, or a table, whose queries search its gallery. Given several times, the sets are taken together.
    rerank
        Re-rank by k-reciprocal encoding (Zhong et al., CVPR 2017), which moves images that share neighbours closer together.
    rerank_k1
        Number of neighbours that may be reciprocal; the default is 20.
    rerank_k2
        Number of images over which an encoding is averaged; the default is 6.
    rerank_lambda
        Weight of the original distance beside the Jaccard distance of the encodings, from 0 to 1; the default is 0.3.
    same_camera
        Count images of a person by the query's own camera, too. This is easier than the usual protocol; say so beside figures.
    open_set
        Measure misses at rates of false answers instead: FNIR, and the detection and identification rate at rank 1, at a FPIR of
        0.1, 1, 2, 5 and 10 per cent.
    tracklets
        With --open-set: let all crops of a person by one camera ask and answer as one.
    cohort
        With --open-set: crops of strangers that tell how common an appearance is, as for `resight calibrate`. The default is the
        shipped model's; none does without.
    picture
        With --open-set: draw misses against false answers (a DET curve) into this PNG file.
    height
        Input height in pixels; 0 is the model's own.
    width
        Input width in pixels; 0 is the model's own.
    json
        Also write all figures to this file, in per cent (with --open-set, as shares from 0 to 1), with their provenance.
    """
    from resight.datasets import open_dataset
    from resight.datasets.splits import same_camera as count_same_camera
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
    if (tracklets or cohort or picture is not None) and not open_set:
        raise ConfigurationError("--tracklets, --cohort and --picture belong to an open-set evaluation; give --open-set, too")
    if open_set and rerank:
        raise ConfigurationError("re-ranked distances depend on the whole gallery: no threshold holds for them; leave --rerank out")
    check_writable(json, picture)
    if picture is not None:
        import matplotlib.figure  # noqa: F401 (missing, it is to be missed before the work)
    dataset = open_dataset(data, layout, name_pattern=name_pattern)
    extractor = load_model(model, device=device, height=height, width=width, threads=threads)
    divisions = len(dataset.splits)
    warn(dataset.warnings)
    if skip_unreadable:
        with TerminalProgress() as progress:
            dataset = skip(dataset, "train", "query", "gallery", progress=progress)
    if same_camera and dataset.protocol != "all but itself":
        dataset = count_same_camera(dataset)
        warn(("images of a person by the query's own camera count, which is easier than the usual protocol",))
    if divisions > 1 and _learned_from(model) == dataset.name:
        note = (
            "was trained on people that most divisions test, so its scores are too good; --distance xqda learns anew for each one"
        )
        warn((f"{model} {note}",))
    if open_set:
        from resight.cli.evaluate_open_set import measure_open_set

        strangers = cohort or "auto"
        opened = measure_open_set(model, extractor, dataset, chosen(distance), strangers, tracklets=tracklets, picture=picture)
        write_result(json, *opened)
        return
    with TerminalProgress() as progress:
        scores = evaluate_model(extractor, dataset, chosen(distance), reranking=reranking, progress=progress)
    values, used = scores.to_dict(), scores.distance
    named = {"rank1": "Rank-1", "rank5": "Rank-5", "rank10": "Rank-10", "rank20": "Rank-20", "map": "mAP"}
    named |= {"map_trapezoidal": "mAP, trapezoidal", "minp": "mINP"}
    rows = [[heading, f"{values[name]:.2f}" + _deviation(values, name)] for name, heading in named.items()]
    how = f"{used} distance" + (", re-ranked" if reranking else "")
    show(table(f"{extractor.name}, {how}, on {dataset.name}", ["", "%"], rows))
    mean = f"; mean ± deviation of {divisions} divisions" if divisions > 1 else ""
    lost = values["queries_without_match"]
    alone = f"; {lost} more {'query has' if lost == 1 else 'queries have'} nobody to find and did not count" if lost else ""
    say(
        f"{values['queries']} queries, {values['gallery']} gallery images, ranked in {values['seconds_ranking']:.2f} s{mean}{alone}"
    )
    about: dict[str, Any] = {"model": extractor.name, "model_sha256": extractor.sha256, "dataset": dataset.name, "distance": used}
    about |= {"input_size": extractor.size, "protocol": dataset.protocol}
    about["reranking"] = asdict(reranking) if reranking else None
    about |= values | {"provenance": provenance({"model": model, "distance": used})}
    write_result(json, about, dataset.account(*read_for(used)))


def _learned_from(model: str) -> str:
    """Name of the data set that a run or a fitted distance learned from; empty for any other model."""
    from resight.files import read_json
    from resight.models.reference import parse
    from resight.networks import CARD

    found = parse(model)
    if found.kind not in ("run", "fitted") or found.path is None:
        return ""
    try:
        return str(read_json(found.path / CARD)["training"]["dataset"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _deviation(values: dict[str, Any], name: str) -> str:
    return f" ± {values[f'{name}_deviation']:.2f}" if f"{name}_deviation" in values else ""
