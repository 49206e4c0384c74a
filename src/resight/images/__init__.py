"""Bytes to pixels: one way to decode, so that every caller gets the same pixels from the same file."""

from resight.images.cache import cache_folder, load_pixels
from resight.images.decode import (
    MAX_FILE_BYTES,
    MAX_PIXELS,
    RESIZE,
    Pixels,
    decode,
    read_file,
    read_image,
    read_images,
    read_into,
    resize,
    unreadable,
)
from resight.images.header import header_size
from resight.images.preprocessing import Preprocessing

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "RESIZE",
    "Pixels",
    "Preprocessing",
    "cache_folder",
    "decode",
    "header_size",
    "load_pixels",
    "read_file",
    "read_image",
    "read_images",
    "read_into",
    "resize",
    "unreadable",
]
