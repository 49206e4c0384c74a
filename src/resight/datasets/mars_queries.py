"""MARS's own queries: a list of tracklets in MATLAB files, which SciPy reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from resight.errors import DatasetError

__all__ = ["query_images"]

_MOST_NUMBERS = 10_000_000
_MOST_BYTES = 2**26


def query_images(root: Path) -> frozenset[str] | None:
    """Name of the middle image of each query tracklet.

    Parameters
    ----------
    root : Path
        The folder with `info` in it: ``test_name.txt``, ``tracks_test_info.mat`` and ``query_IDX.mat``.

    Returns
    -------
    set of str or None
        None if a file is missing, or SciPy is not installed.

    Raises
    ------
    DatasetError
        If the files are damaged or do not belong together.
    """
    names, tracks, asks = (root / "info" / name for name in ("test_name.txt", "tracks_test_info.mat", "query_IDX.mat"))
    if not all(path.is_file() for path in (names, tracks, asks)):
        return None
    try:
        import scipy.io  # noqa: F401
    except ModuleNotFoundError:
        return None
    images = _read(names).decode(errors="replace").split()
    rows, chosen = _matrix(tracks, "track_test_info", 4), _matrix(asks, "query_IDX", None)
    try:
        if chosen.size and chosen.min() < 1:
            raise IndexError("tracklets are counted from 1")
        places = [int(rows[int(number) - 1][:2].sum()) // 2 - 1 for number in chosen.reshape(-1)]
        if min(places, default=0) < 0:
            raise IndexError("images are counted from 1")
        return frozenset(images[place] for place in places)
    except IndexError as error:
        raise DatasetError(f"{asks}: names a tracklet or image that {tracks.name} and {names.name} do not have") from error


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise DatasetError(f"{path}: more than {_MOST_BYTES} bytes; expected MARS's own file")
    return data


def _matrix(path: Path, name: str, columns: int | None) -> Any:
    import io

    from scipy.io import loadmat, whosmat

    stream: Any = io.BytesIO(_read(path))
    try:
        shapes = {found: shape for found, shape, _ in whosmat(stream)}
        shape = shapes[name]
        if len(shape) != 2 or shape[0] * shape[1] > _MOST_NUMBERS or (columns and shape[1] != columns):
            raise ValueError(f"{name} has the shape {shape}")
        stream.seek(0)
        matrix = loadmat(stream, variable_names=[name])[name]
        if matrix.shape != shape or matrix.dtype.kind not in "iuf":
            raise ValueError(f"{name} is not a matrix of numbers")
        return matrix
    except Exception as error:  # SciPy's reader raises many kinds
        raise DatasetError(f"{path}: not MARS's own file ({error})") from error
