"""What an answer costs: present people missed at measured rates of false answers, with and without a cohort, on other people.

    python benchmarks/decision.py --data /path/to/Market-1501 [--model student] --json results/decision.json

The test people are divided into halves, both ways round, several times: thresholds are fitted to one half and measured on the
other. The cohort comes from training crops.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from resight.datasets import open_dataset
from resight.datasets.records import DISTRACTOR, Records
from resight.decision.calibration import PROMISES, measure
from resight.decision.cohort import fit_cohort
from resight.decision.open_set import search_everybody
from resight.files import write_json
from resight.models import load_model
from resight.models.embedding import embed_files
from resight.progress import TerminalProgress
from resight.provenance import provenance

RATES = (0.02, 0.05, 0.1)
CONFIDENCE = 0.95


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", default="student")
    parser.add_argument("--divisions", type=int, default=5)
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    dataset, model = open_dataset(given.data), load_model(given.model)
    records = Records.concatenate([dataset.query, dataset.gallery])
    records = records.select(records.identities > DISTRACTOR)
    distance = str(model.distance)
    rows: list[dict[str, Any]] = []
    with TerminalProgress() as progress:
        cohort = fit_cohort(embed_files(model, dataset.train.paths, progress=progress), distance)
        vectors = embed_files(model, records.paths, progress=progress)
        for division in range(given.divisions):
            people = np.random.default_rng(division).permutation(records.people())
            first = np.isin(records.identities, people[: len(people) // 2])
            for strangers in (None, cohort):
                halves = [
                    search_everybody(vectors[half], records.identities[half], records.cameras[half], distance, cohort=strangers)
                    for half in (first, ~first)
                ]
                for fitted, others in (halves, halves[::-1]):
                    curve = fitted.false_positives(CONFIDENCE)
                    for promise in PROMISES:
                        for rate in RATES:
                            at = (curve.expected_threshold if promise == "expected" else curve.threshold_for)(rate)
                            point = measure(others, rate, at, CONFIDENCE)
                            how = {"division": division, "cohort": strangers is not None, "promise": promise, "wanted": rate}
                            found = point.to_dict()
                            rows.append(how | {name: found[name] for name in ("false_positives", "misses")})
            progress("divisions", division + 1, given.divisions)
    about = {"model": model.name, "model_sha256": model.sha256, "dataset": dataset.name, "people": len(records.people())}
    source = provenance({"model": given.model, "divisions": given.divisions}, seed=0)
    write_json(given.json, about | {"rows": rows, "provenance": source})


if __name__ == "__main__":
    main()
