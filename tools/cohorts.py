"""Make the cohorts of the shipped students from Market-1501's training crops: python tools/cohorts.py DATA [MODEL...]."""

from __future__ import annotations

import sys

from resight.datasets import open_dataset
from resight.decision.cohort import fit_cohort
from resight.files import write_json
from resight.models import load_model
from resight.models.embedding import embed_files
from resight.progress import TerminalProgress
from resight.provenance import provenance
from resight.shipped import SHIPPED, shipped_file

dataset = open_dataset(sys.argv[1])
crops = dataset.train.select(dataset.train.identities > 0)
for name in sys.argv[2:] or SHIPPED:
    model = load_model(name)
    with TerminalProgress() as progress:
        cohort = fit_cohort(embed_files(model, crops.paths, progress=progress), str(model.distance), model_sha256=model.sha256)
    made_by = provenance({"model": name, "data": dataset.name, "part": "train"}, seed=0)
    about = {"crops": len(crops), "provenance": made_by}
    write_json(shipped_file(name, ".cohort.json"), cohort.to_dict() | about)
