"""A fitted distance as one more layer, so that any Euclidean search can use what KISSME and XQDA learned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from resight.distances.fitted import FittedDistance
from resight.errors import ExportError
from resight.export.graph import Projection

__all__ = ["euclidean_projection", "euclidean_root"]

_ROUNDING = 1e-9  # an eigenvalue this far below zero, relative to the largest, is a zero


def euclidean_root(fitted: FittedDistance) -> NDArray[np.float64]:
    """Find the matrix R, (k, k), for which the fitted distance of u and v is the squared length of R (u - v).

    A fitted distance is (u - v)' M (u - v), so R'R = M, which exists if M has no negative eigenvalue.

    Raises
    ------
    ExportError
        If M has negative eigenvalues, as XQDA's can.
    """
    values, vectors = np.linalg.eigh(fitted.metric.M_)
    negative = int((values < -_ROUNDING * values[-1]).sum())
    if negative:
        raise ExportError(
            f"this {fitted.kind} distance can be negative ({negative} of {len(values)} eigenvalues are), which no vectors can "
            "express; export the network alone, or fit kissme, whose distances are positive"
        )
    root: NDArray[np.float64] = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    return root


def euclidean_projection(fitted: FittedDistance, features: int) -> Projection:
    """Find the affine map of vectors of `features` numbers after which the Euclidean distance ranks like the fitted one.

    Raises `ExportError` as `euclidean_root` does.
    """
    root = euclidean_root(fitted)
    offset = fitted.transform(np.zeros((1, features)))[0].astype(np.float64)
    matrix = fitted.transform(np.eye(features)).astype(np.float64) - offset
    return (root @ matrix.T).astype(np.float32), (root @ offset).astype(np.float32)
