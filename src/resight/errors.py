"""Errors that Resight raises on purpose: one tree, so that one ``except ResightError`` catches every mistake of a user.

A message says what was given, what was expected, and the way out. The command line prints it in one line and exits with 2.
"""


class ResightError(Exception):
    """Base of all errors that a user can cause and mend."""


class ConfigurationError(ResightError):
    """An option, recipe key or combination of both that cannot be used."""


class DatasetError(ResightError):
    """A folder that is missing, empty, or not laid out as its data set should be."""


class ImageError(ResightError):
    """An image that cannot be read, is truncated, or is larger than the bound."""


class VideoError(ResightError):
    """A video, stream or folder of frames that cannot be read, or that ends too early."""


class ArrayError(ResightError, ValueError):
    """An array of the wrong shape or type, or one that holds NaN or infinity."""


class NoMatchError(ResightError):
    """A query, or a whole protocol, without one true match in the gallery."""


class WeightsError(ResightError):
    """A weights file that is missing, foreign, damaged, or of another architecture."""


class CheckpointError(WeightsError):
    """A checkpoint that is damaged or belongs to another run."""


class StorageError(ResightError):
    """A file that cannot be written: full disk, read-only folder, no permission."""


class DownloadError(ResightError):
    """Published weights that are not on disk and cannot be downloaded."""


class MeasurementError(ResightError):
    """A model whose speed cannot be measured, or measurements that cannot be compared."""


class ExportError(ResightError):
    """A model that cannot be exported, or an exported file that does not agree with what was trained."""


class MissingDependencyError(ResightError):
    """A feature whose optional packages are not installed."""


class GalleryError(ResightError):
    """A gallery that is missing, exists already, is of a newer version, or cannot do what was asked."""


class GalleryAwayError(GalleryError):
    """A gallery on another machine that cannot be reached, or cannot take anything now. Ask again later.

    Attributes
    ----------
    pause : float
        Seconds to wait that it asked for.
    """

    pause: float = 0.0


class MissingSightingError(GalleryError):
    """A sighting that is not in a gallery, or not any more."""


class ModelMismatchError(GalleryError):
    """A model that is not the one whose vectors a gallery holds: theirs cannot be compared."""


class GalleryDamagedError(GalleryError):
    """Content of a gallery that is not what was written; `resight gallery verify` names it."""


class AccessError(ResightError):
    """Something that a token does not allow."""


class AuditError(ResightError):
    """An audit log that is not as it was written."""


class BusyError(ResightError):
    """A service that is asked for more than it can do at once. Ask again later."""


class UploadError(ResightError):
    """An upload that is not a form, or not the expected one."""


def one_line(error: Exception) -> str:
    """Message of an error in one line, with its type unless Resight raised it on purpose."""
    text = str(error) if isinstance(error, ResightError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())
