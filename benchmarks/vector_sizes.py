"""Accuracy with fewer numbers for each image: a student's vectors on the principal axes of its training images' vectors.

    python benchmarks/vector_sizes.py --data Market-1501-v15.09.15 --json results/market1501-vector-sizes.json

Nothing is chosen: all sizes are scored on query and gallery, by cosine.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from resight.datasets import open_dataset
from resight.evaluation.protocol import evaluate
from resight.files import write_json
from resight.models import load_model
from resight.models.embedding import embed_files
from resight.provenance import provenance

MODELS = ("student", "student-general", "student-fastest")
SIZES = (512, 256, 128, 64, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of Market-1501")
    parser.add_argument("--threads", type=int, default=0, help="cores (default: all)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    dataset = open_dataset(options.data)
    record: dict[str, Any] = {}
    for name in MODELS:
        model = load_model(name, threads=options.threads)
        parts = [embed_files(model, part.paths) for part in (dataset.train, dataset.query, dataset.gallery)]
        train, query, gallery = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in parts)
        axes = np.linalg.svd(train.T @ train)[0]  # of the second moments: a cosine has no mean to take off
        record[name] = {}
        for size in (size for size in SIZES if size <= model.embedding_size):
            turned = axes[:, :size].astype(np.float32)
            scores = evaluate(query @ turned, gallery @ turned, dataset.query, dataset.gallery, "cosine")
            record[name][size] = {"rank1": 100 * scores.rank1, "map": 100 * scores.map}
            print(f"{name}, {size} numbers: Rank-1 {100 * scores.rank1:.2f} %, mAP {100 * scores.map:.2f} %", flush=True)
    if options.json is not None:
        write_json(options.json, {"sizes": record, "provenance": provenance({"models": MODELS, "sizes": SIZES})})


if __name__ == "__main__":
    main()
