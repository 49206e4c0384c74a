"""Bytes to pixels: one way to decode, so that every caller gets the same pixels from the same file."""

from resight.images.ahead import grouped, read_ahead
from resight.images.cache import cache_folder, load_pixels
from resight.images.containers import holds_several, kind_of
from resight.images.decode import MAX_PIXELS, RESIZE, Pixels, can_decode, decode, resize
from resight.images.header import FORMATS, header_size
from resight.images.inputs import boxes_of, cut, is_frame, is_image, pixels_of
from resight.images.preprocessing import Preprocessing
from resight.images.reading import MAX_FILE_BYTES, read_file, read_image, read_images, read_into, unreadable
from resight.images.remote import filesystem_of, is_url, list_files, read_url, states_of

__all__ = [
    "FORMATS",
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "RESIZE",
    "Pixels",
    "Preprocessing",
    "boxes_of",
    "cache_folder",
    "can_decode",
    "cut",
    "decode",
    "filesystem_of",
    "grouped",
    "header_size",
    "holds_several",
    "is_frame",
    "is_image",
    "is_url",
    "kind_of",
    "list_files",
    "load_pixels",
    "pixels_of",
    "read_ahead",
    "read_file",
    "read_image",
    "read_images",
    "read_into",
    "read_url",
    "resize",
    "states_of",
    "unreadable",
]
