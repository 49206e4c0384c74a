"""The first change that a newcomer makes: one new file and one line. Each test adds one thing and runs it end to end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from gallery.fakes import ColourModel, make_settings, make_sightings
from resight.cli import main
from resight.datasets import open_dataset
from resight.datasets.records import JUNK
from resight.decision.people_distances import search_everybody
from resight.distances import DISTANCES
from resight.distances.distance import Distance, rounding
from resight.errors import ConfigurationError
from resight.evaluation.model import evaluate_model
from resight.evaluation.protocol import score_distances
from resight.files import read_json
from resight.gallery import Gallery
from resight.models.embedding import embed_files
from resight.ranking.nearest import nearest
from resight.ranking.rerank import rerank


class Manhattan(Distance):
    """Sum of absolute differences: neither a matrix product nor the distance of points."""

    def exact(self, query: NDArray[np.float32], gallery: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.abs(gallery.astype(np.float64) - query).sum(axis=1)  # type: ignore[no-any-return]

    def fast(
        self,
        queries: NDArray[np.float32],
        gallery: NDArray[np.float32],
        squares: NDArray[np.float64],
        out: NDArray[np.float32],
    ) -> None:
        np.abs(gallery - queries[:, None]).sum(axis=2, out=out)

    def margin(self, squares: NDArray[np.float64], largest: float, dimensions: int) -> NDArray[np.float64]:
        return rounding(dimensions, np.sqrt(dimensions) * (np.sqrt(squares) + np.sqrt(largest)))


class ManhattanInSql(Manhattan):
    """The same for a server that can compute it."""

    sql = "embedding <+> %s::vector"


@pytest.mark.parametrize("distance", [Manhattan(), ManhattanInSql()], ids=["without SQL", "with SQL"])
def test_a_distance_is_one_object_and_one_line(
    distance: Distance, tiny: Path, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DISTANCES, "manhattan", distance)  # the line

    # Evaluation, in the library and on the command line.
    model, dataset = ColourModel(), open_dataset(tiny)
    split = dataset.splits[0]
    gallery = split.gallery.select(split.gallery.identities != JUNK)
    table = cdist(*(embed_files(model, side.paths).astype(float) for side in (split.query, gallery)), "cityblock")
    expected = score_distances(table, split.query.identities, split.query.cameras, gallery.identities, gallery.cameras)
    scores = evaluate_model(model, dataset, "manhattan")
    assert (scores.distance, scores.map, scores.minp) == ("manhattan", expected.map, expected.minp)
    assert scores.map not in (evaluate_model(model, dataset, name).map for name in ("euclidean", "cosine"))
    monkeypatch.setattr("resight.models.load_model", lambda *_, **__: model)
    told = ["--model", "colours", "--distance", "manhattan", "--json", str(tmp_path / "scores.json")]
    assert main(["evaluate", "--data", str(tiny), *told]) == 0
    assert read_json(tmp_path / "scores.json")["map"] == pytest.approx(100 * expected.map)

    # The nearest, re-ranking, and the searches of a calibration.
    sightings = make_sightings(400)
    ids, vectors = np.array([sighting.id for sighting in sightings]), np.stack([sighting.embedding for sighting in sightings])
    queries = vectors[:7] + np.float32(0.1)
    table = cdist(queries.astype(float), vectors.astype(float), "cityblock")
    order = np.argsort(table, axis=1)[:, :10]
    rows, distances = nearest(queries, vectors, 10, "manhattan", block=64)
    np.testing.assert_array_equal(rows, order)
    np.testing.assert_allclose(distances, np.take_along_axis(table, order, axis=1), rtol=1e-6)
    by_function = rerank(queries, vectors, lambda some, others: cdist(some, others, "cityblock"))
    np.testing.assert_allclose(rerank(queries, vectors, "manhattan"), by_function, atol=1e-6)
    people, among = np.arange(400) // 4 + 1, cdist(vectors.astype(float), vectors.astype(float), "cityblock")
    among[people[:, None] == people] = np.inf
    found = search_everybody(vectors, people, np.ones(400, int), "manhattan").strangers
    np.testing.assert_allclose(found, among.min(axis=1), rtol=1e-6)

    # A gallery: one query at a time and many, and in PostgreSQL only if the distance has SQL.
    def search(location: str) -> None:
        with Gallery.create(location, make_settings(distance="manhattan")) as made:
            made._store.add(sightings)
            for some in (slice(0, 1), slice(0, 7)):
                names, distances = made._store.search(queries[some], 10)
                np.testing.assert_array_equal(names, ids[order[some]])
                np.testing.assert_allclose(distances, np.take_along_axis(table, order, axis=1)[some], rtol=1e-6)

    search(str(tmp_path / "gallery"))
    postgres = request.getfixturevalue("postgres")
    if distance.sql:
        search(postgres)
    else:
        with pytest.raises(ConfigurationError, match="cannot compute the distance 'manhattan'; expected euclidean, cosine"):
            search(postgres)


def test_a_distance_that_nobody_added_is_refused_by_name_before_any_work(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (["evaluate", "--data", str(tiny)], ["gallery", "create", "g", "--retention", "1d"]):
        assert main([*verb, "--model", "nothing", "--distance", "cosin"]) == 2
        assert (
            "distance 'cosin' is unknown (did you mean 'cosine'?); expected euclidean, cosine, auto, kissme, xqda"
            in capsys.readouterr().err
        )
    model = ColourModel()
    with pytest.raises(ConfigurationError, match="'manhattan' is unknown; expected euclidean, cosine, kissme, xqda"):
        evaluate_model(model, open_dataset(tiny), "manhattan")
    assert model.images == 0
