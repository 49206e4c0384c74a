"""Other people's ranking and scoring, timed for `benchmarks/ranking.py` by the Python of their own environment.

    python benchmarks/ranking_peers.py DATA.npz

Reads the name of a peer from each line of its standard input, and answers with one line of JSON: seconds and mAP.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import sysconfig
import time
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

Arrays = dict[str, Any]


def by_path(package: str, *place: str) -> ModuleType:
    """A module of an installed package without the package around it, which would import data sets, trainings and torchvision."""
    sys.modules[package] = None  # type: ignore[assignment]  # what the module itself tries to import from there
    folder = Path(sysconfig.get_path("purelib"), package, *place[:-1])
    (path,) = [path for path in folder.glob(f"{place[-1]}*") if path.suffix in (".py", ".so")]
    spec = importlib.util.spec_from_file_location(place[-1], path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def torchreid(data: Arrays) -> float:
    """torchreid: squared distances in PyTorch, and its evaluation in Python; the package leaves the Cython one out."""
    import torch

    distances = by_path("torchreid", "reid", "metrics", "distance").compute_distance_matrix(
        torch.from_numpy(data["queries"]), torch.from_numpy(data["gallery"])
    )
    rank = by_path("torchreid", "reid", "metrics", "rank")
    return float(rank.evaluate_rank(distances.numpy(), *labels(data), use_cython=False)[1])


def fastreid(data: Arrays) -> float:
    """FastReID: the same distances, and its evaluation in Cython."""
    import torch

    queries, gallery = torch.from_numpy(data["queries"]), torch.from_numpy(data["gallery"])
    distances = (queries**2).sum(1, keepdim=True) + (gallery**2).sum(1) - 2 * queries @ gallery.T
    rank = by_path("fastreid", "evaluation", "rank_cylib", "rank_cy")
    precisions = rank.evaluate_cy(distances.numpy(), *labels(data), 50, False)[1]
    return float(np.mean(precisions))


def oml(data: Arrays) -> float:
    """Open Metric Learning: images of one person by one camera are a sequence, which it leaves out like junk."""
    import torch
    from oml.functional.knn import batched_knn_qg
    from oml.functional.metrics import calc_retrieval_metrics

    people, others, cameras, their_cameras = (torch.from_numpy(array) for array in labels(data))
    most = 1 + int(torch.maximum(cameras.max(), their_cameras.max()))
    _, found, right = batched_knn_qg(
        torch.from_numpy(data["queries"]),
        torch.from_numpy(data["gallery"]),
        len(others),
        labels_query=people,
        labels_gallery=others,
        sequence_ids_query=people * most + cameras,
        sequence_ids_gallery=others * most + their_cameras,
    )
    scores = calc_retrieval_metrics(found, right, cmc_top_k=(1, 5, 10), precision_top_k=(), map_top_k=(len(others),), verbose=False)
    return float(scores["map"][len(others)])


def labels(data: Arrays) -> tuple[Any, Any, Any, Any]:
    """Identities of queries and gallery, then cameras."""
    return data["query_identities"], data["gallery_identities"], data["query_cameras"], data["gallery_cameras"]


def main(path: str) -> None:
    """Answer for each line."""
    data = dict(np.load(path))
    for line in sys.stdin:
        start = time.perf_counter()
        with redirect_stdout(sys.stderr):
            found = {"torchreid": torchreid, "fastreid": fastreid, "oml": oml}[line.strip()](data)
        print(json.dumps({"seconds": time.perf_counter() - start, "map": found}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
