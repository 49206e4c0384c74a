"""Anything that turns pixels into vectors: one protocol, and one resolver of the names that users write."""

from resight.models.embedding import Model, embed_files
from resight.models.resolve import load_model

__all__ = ["Model", "embed_files", "load_model"]
