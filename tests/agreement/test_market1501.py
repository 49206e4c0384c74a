"""Market-1501 at full size: other people's weights give their known figures, and half a million distractors fit into the memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

from resight.datasets import open_dataset
from resight.evaluation.protocol import evaluate
from resight.models import load_model
from resight.models.embedding import embed_files
from support import SHARED, market1501, needs_market1501, needs_shared

OSNET = "weights/osnet_x0_25_market1501.pth"


@pytest.mark.slow
@needs_market1501
@needs_shared(OSNET)
def test_osnet_gives_its_known_figures() -> None:
    dataset = open_dataset(market1501())
    model = load_model(f"osnet-0.25:{SHARED / OSNET}")
    gallery = dataset.gallery.select(dataset.gallery.identities != -1)
    queries, answers = embed_files(model, dataset.query.paths), embed_files(model, gallery.paths)
    known = {"euclidean": (91.18, 74.94, 74.22), "cosine": (91.48, 77.38, 76.66)}
    for distance, (rank1, mean, trapezoidal) in known.items():
        found = evaluate(queries, answers, dataset.query, gallery, distance).to_dict()
        assert found["rank1"] == pytest.approx(rank1, abs=0.05)
        assert found["map"] == pytest.approx(mean, abs=0.05)
        assert found["map_trapezoidal"] == pytest.approx(trapezoidal, abs=0.05)
        assert (found["queries"], found["gallery"]) == (3368, 15913)


@pytest.mark.slow
def test_half_a_million_distractors_fit_into_a_gigabyte() -> None:
    script = """
import resource, numpy as np
from resight.datasets.records import Records
from resight.evaluation.protocol import evaluate
random = np.random.default_rng(0)
q, g, d = 3368, 516_000, 512
queries, gallery = random.standard_normal((q, d), np.float32), random.standard_normal((g, d), np.float32)
who = np.concatenate([random.integers(1, 751, 16_000), np.zeros(g - 16_000, np.int64)])
query = Records(("q",) * q, random.integers(1, 751, q), random.integers(1, 7, q))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
evaluate(queries, gallery, query, Records(("g",) * g, who, random.integers(1, 7, g)))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    megabytes = float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
    assert megabytes < 1024
