"""Evaluate a model on a data set: every image is embedded once, and every split is scored."""

from __future__ import annotations

import numpy as np

from resight.datasets.records import JUNK, Dataset, Records
from resight.evaluation.protocol import evaluate
from resight.evaluation.scores import Scores, mean_scores
from resight.features.extraction import Extractor, embed_files
from resight.progress import Progress, silent

__all__ = ["evaluate_model"]


def evaluate_model(extractor: Extractor, dataset: Dataset, distance: str = "euclidean", *, progress: Progress = silent) -> Scores:
    """Embed the queries and the gallery of each split, rank and score.

    Gallery images of identity -1 count neither for nor against, so they are not embedded.

    Parameters
    ----------
    extractor : Extractor
    dataset : Dataset
        With several splits, as VIPeR has, the result is the mean over them.
    distance : str
        ``"euclidean"`` or ``"cosine"``.
    progress : Progress

    Returns
    -------
    Scores

    Raises
    ------
    ImageError
        If an image cannot be read.
    NoMatchError
        If no query has a match in the gallery.
    """
    pairs = [(split.query, split.gallery.select(split.gallery.identities != JUNK)) for split in dataset.splits]
    paths = sorted({path for pair in pairs for records in pair for path in records.paths})
    vectors = embed_files(extractor, paths, progress=progress)
    place = {path: row for row, path in enumerate(paths)}

    def of(records: Records) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return vectors[[place[path] for path in records.paths]]

    return mean_scores([evaluate(of(query), of(gallery), query, gallery, distance) for query, gallery in pairs])
