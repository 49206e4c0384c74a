from __future__ import annotations

import numpy as np
import pytest

from resight.distances import DISTANCES
from resight.distances.fitted import FittedDistance, fit_distance
from resight.distances.xqda import XQDA
from resight.errors import ExportError
from resight.export.projection import euclidean_projection


def people(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors of 20 numbers of 30 people, four by each of two cameras."""
    rng = np.random.default_rng(seed)
    identities, cameras = np.repeat(np.arange(30), 8), np.tile([1, 1, 1, 1, 2, 2, 2, 2], 30)
    means = 3 * rng.normal(size=(30, 20))
    return (means[identities] + rng.normal(size=(240, 20))).astype(np.float32), identities, cameras


@pytest.mark.parametrize(("kind", "dimensions"), [("kissme", 12), ("xqda", 0)])
def test_euclidean_distances_after_it_are_the_fitted_ones(kind: str, dimensions: int) -> None:
    features, identities, cameras = people()
    fitted = fit_distance(kind, features, identities, cameras, dimensions=dimensions)
    matrix, offset = euclidean_projection(fitted, 20)
    new = people(1)[0]
    projected = new @ matrix.T + offset
    expected = fitted.compare(fitted.transform(new[:40]), fitted.transform(new[40:]))
    found = DISTANCES["euclidean"].between(projected[:40], projected[40:]) ** 2
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.max())


def test_distances_that_can_be_negative_are_refused() -> None:
    features, identities, cameras = people()
    xqda = XQDA().fit(features, identities, cameras)
    xqda.M_ = xqda.M_ - 2 * np.linalg.eigvalsh(xqda.M_)[0] * np.eye(len(xqda.M_)) * 1.5
    with pytest.raises(ExportError, match="can be negative"):
        euclidean_projection(FittedDistance("xqda", None, xqda), 20)
