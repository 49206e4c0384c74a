"""Figures that Ruiz et al. (2019) publish: each table typed once, by row, and the sentences of the text that runs can check.

I. Ruiz, B. Raducanu, R. Mehta, J. Amores, "Optimizing Speed/Accuracy Trade-Off for Person Re-identification via Knowledge
Distillation", 2019. Rank-1 and mAP are per cent. The paper draws the points of its figures and does not print them, so the report
compares our figures with its tables and its text.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CLAIMS", "OTHERS", "TABLE_1", "TABLE_2", "TABLE_3", "TABLE_4", "TIMING", "Published"]


class Published(NamedTuple):
    """One row of a table.

    Attributes
    ----------
    rank1, map : float
        Per cent.
    images_per_second : float or None
        Images per second of feature extraction; None if the table has no such column.
    """

    rank1: float
    map: float
    images_per_second: float | None = None


TABLE_1 = {"euclidean": Published(27.11, 8.01), "kissme": Published(41.83, 19.37), "xqda": Published(43.32, 22.01)}
"""Table 1: LOMO on Market-1501, by distance."""

TABLE_2 = {
    "market1501": {
        "resnet-50": Published(64.46, 38.95, 128),
        "mobilenet-0.25": Published(59.74, 34.13, 613),
        "mobilenet-0.5": Published(68.11, 41.52, 607),
        "mobilenet-0.75": Published(67.34, 40.44, 574),
        "mobilenet-1.0": Published(67.37, 39.54, 545),
    },
    "dukemtmc": {
        "resnet-50": Published(67.1, 44.59, 128),
        "mobilenet-0.25": Published(49.69, 28.67, 613),
        "mobilenet-0.5": Published(54.62, 32.17, 607),
        "mobilenet-0.75": Published(57.32, 34.69, 574),
        "mobilenet-1.0": Published(57.41, 34.86, 545),  # from Table 4: the copy of the paper at hand ends Table 2 a row earlier
    },
}
"""Table 2: networks trained alone, by data set and network."""

TABLE_3 = {
    "market1501": {"resnet-50": Published(71.29, 45.76), "mobilenet-1.0": Published(70.46, 45.24)},
    "dukemtmc": {"resnet-50": Published(64.99, 42.32), "mobilenet-1.0": Published(59.69, 38.48)},
}
"""Table 3: MobileNet 0.25 distilled, by data set and teacher; the best of the sweep, chosen on query and gallery."""

OTHERS = {
    "market1501": {
        "P2S": Published(70.72, 44.27),
        "CADL": Published(73.84, 47.11),
        "MSCAN Fusion": Published(80.31, 57.53),
        "SVDNet": Published(82.3, 62.1),
        "ACRN": Published(83.61, 62.60),
        "DML": Published(89.34, 70.51),
        "FD-GAN": Published(90.5, 77.7),
    },
    "dukemtmc": {
        "Dataset baseline with ResNet-50": Published(65.22, 44.99),
        "ACRN": Published(72.58, 51.96),
        "SVDNet": Published(76.7, 56.8),
        "FD-GAN": Published(80.0, 64.5),
    },
}
"""Table 3: methods of others that the paper quotes, by data set."""

TABLE_4 = {
    "market1501": {
        "LOMO + XQDA": Published(43.32, 22.01, 57),
        "ResNet-50": Published(64.46, 38.95, 128),
        "MobileNet 1.0 independent": Published(67.37, 39.54, 545),
        "MobileNet 0.25 independent": Published(59.74, 34.13, 613),
        "MobileNet 0.25 d.f. ResNet-50": Published(71.29, 45.76, 613),
        "MobileNet 0.25 d.f. MobileNet 1.0": Published(70.46, 45.24, 613),
    },
    "dukemtmc": {
        "LOMO + XQDA": Published(30.75, 17.04, 57),
        "ResNet-50": Published(67.1, 44.59, 128),
        "MobileNet 1.0 independent": Published(57.41, 34.86, 545),
        "MobileNet 0.25 independent": Published(49.69, 28.67, 613),
        "MobileNet 0.25 d.f. ResNet-50": Published(64.99, 42.32, 613),
        "MobileNet 0.25 d.f. MobileNet 1.0": Published(59.69, 38.48, 613),
    },
}
"""Table 4: accuracy beside speed, by data set; "d.f." stands for "distilled from"."""

TIMING = {"lomo_ms": 17.5, "lomo_images_per_second": 57, "xqda_fit_seconds": 892, "query_ms": 1951}
"""Section 5: a descriptor, XQDA's fit, and one query against the gallery of Market-1501, on an Intel Core i5-6300U."""

CLAIMS = {
    "flat": "the difference between the probabilities assigned to the incorrect classes and the one assigned to the correct class "
    "is less than a 0.1%",
    "low": "The distillation loss leads the training in case (a)",
    "high": "in case (b) it is done by the cross-entropy loss",
    "dimensions": "The accuracy increases with the dimensionality of XQDA",
    "peak": "For a fixed value of λ, there is always a peak of performance in T=3",
    "worst": "The worst performance across all the values of the temperature T, is for T=1",
    "student": "All the experiments improve significantly the performance of the student",
    "teacher": "and even the performance of the teacher for low temperatures",
    "saturated": "from a certain value of T, the performance gets saturated",
    "best": "distillation improves effectively the performance of efficient networks, providing the best accuracy among all the "
    "considered methods, as well as the lowest inference time",
}
"""Sentences of sections 4.3 and 5 that runs can confirm or not."""
