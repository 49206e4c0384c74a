"""Measure how good the targets are that a teacher gives for crops without labels, and what becomes of them without cameras.

    python tools/teacher_targets.py openvino:person-reidentification-retail-0277.xml OUT.json FOLDER ...

Asks with every training image of some data sets, or every query and gallery image if nobody is there to train on: as they are; with
half of the people seen by one camera only; and with everybody seen by one camera only, where images of the same camera count (left
out if nobody has two). The student does not learn more than its targets hold.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from resight.datasets import open_dataset
from resight.datasets.records import Records
from resight.distillation.space import with_neighbours, without_cameras
from resight.evaluation.protocol import evaluate
from resight.files import write_json
from resight.models import load_model
from resight.models.embedding import embed_files
from resight.provenance import provenance

NEIGHBOURS, POWERS = (1, 2, 3, 5, 8), (1.0, 2.0, 3.0)


def main(teacher: str, out: str, *folders: str) -> None:
    """Write the mAP of each kind of target to `out`."""
    model, found = load_model(teacher), {}
    for folder in folders:
        dataset = open_dataset(folder)
        records = dataset.train if len(dataset.train) else Records.concatenate([dataset.query, dataset.gallery])
        records = records.select(records.identities > 0)
        vectors = embed_files(model, records.paths)
        name = Path(folder).name
        for how, kept in divisions(records).items():
            if how == "all by one camera" and np.bincount(records.identities[kept]).max() < 2:
                continue
            found[f"{name}, {how}"] = row = kinds(vectors[kept], records.select(kept), how)
            print(
                f"{name}, {how}:", ", ".join(f"{kind} {score:.1f}" for kind, score in row.items() if kind != "images"), flush=True
            )
    config = {"teacher": Path(teacher).name, "data": [Path(folder).name for folder in folders]}
    write_json(out, {"figures": found, "provenance": provenance(config, seed=0)})


def divisions(records: Records) -> dict[str, NDArray[np.bool_]]:
    """Which images are left: all, or only those by one camera of some people or of everybody."""
    cameras, people = np.unique(records.cameras), np.random.default_rng(0).permutation(records.people())
    only = dict(zip(people.tolist(), np.resize(cameras, len(people)).tolist(), strict=True))
    by_one = np.array(
        [only[who] == camera for who, camera in zip(records.identities.tolist(), records.cameras.tolist(), strict=True)]
    )
    half = np.isin(records.identities, people[: len(people) // 2])
    return {"as they are": half | ~half, "half by one camera": ~half | by_one, "all by one camera": by_one}


def kinds(vectors: NDArray[np.float32], records: Records, how: str) -> dict[str, float]:
    """MAP of the targets, in per cent, and the number of images."""
    asked = records
    if how == "all by one camera":
        asked = Records(records.paths, records.identities, np.arange(len(records)))
    plain = F.normalize(torch.from_numpy(vectors), dim=-1)[None]
    centred, of = without_cameras(plain, records.cameras.tolist())
    targets = {"the teacher's": plain - plain.mean(1), "without cameras": centred}
    targets |= {f"and {count} neighbours": with_neighbours(centred, of, count) for count in NEIGHBOURS}
    targets |= {f"and 3 neighbours, cosine to the power {power:g}": with_neighbours(centred, of, 3, power) for power in POWERS}
    scores = {name: evaluate(rows[0].numpy(), rows[0].numpy(), asked, asked, "cosine").map for name, rows in targets.items()}
    return {"images": len(records), **{name: 100 * score for name, score in scores.items()}}


if __name__ == "__main__":
    main(*sys.argv[1:])
