"""Scores as plain numbers, and their mean over splits."""

from __future__ import annotations

import json
import statistics

import numpy as np
import pytest

from resight.errors import NoMatchError
from resight.evaluation.protocol import score_distances
from resight.evaluation.scores import FIGURES, Scores, mean_scores


def split(seed: int, gallery: int = 30) -> Scores:
    rng = np.random.default_rng(seed)
    people = np.arange(1, 11)
    return score_distances(rng.random((10, gallery)), people, np.ones(10, int), np.resize(people, gallery), np.full(gallery, 2))


def test_plain_numbers_are_per_cent_and_survive_json() -> None:
    # By hand: the matches stand at rank 1 and at rank 2.
    scores = score_distances([[0.1, 0.5], [0.1, 0.5]], [1, 2], [1, 1], [1, 2], [2, 2])
    expected = {"rank1": 50, "rank5": 100, "rank10": 100, "rank20": 100, "map": 75, "map_trapezoidal": 62.5, "minp": 75}
    plain = json.loads(json.dumps(scores.to_dict()))
    assert plain.pop("seconds_ranking") > 0
    assert plain == expected | {"queries": 2, "queries_without_match": 0, "gallery": 2, "splits": 1}


def test_mean_over_splits() -> None:
    splits = [split(seed) for seed in range(4)]
    mean = mean_scores(splits)
    for name in FIGURES:
        values = [getattr(scores, name) for scores in splits]
        assert getattr(mean, name) == pytest.approx(statistics.mean(values))
        assert mean.deviations[name] == pytest.approx(statistics.stdev(values))
        assert mean.to_dict()[f"{name}_deviation"] == pytest.approx(100 * statistics.stdev(values))
    np.testing.assert_allclose(mean.cmc, sum(scores.cmc for scores in splits) / 4)
    assert (mean.queries, mean.gallery, mean.splits, mean.queries_without_match) == (10, 30, 4, 0)
    assert len(mean.average_precisions) == 40
    assert mean.seconds_ranking == pytest.approx(sum(scores.seconds_ranking for scores in splits))


def test_one_split_has_no_deviation() -> None:
    assert mean_scores([split(0)]).deviations == {}
    with pytest.raises(NoMatchError, match="no scores"):
        mean_scores([])
