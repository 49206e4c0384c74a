"""Anything that turns pixels into vectors: one protocol, and one resolver of the names that users write."""

from resight.models.embedding import Extractor, embed_files
from resight.models.resolve import load_model

__all__ = ["Extractor", "embed_files", "load_model"]
