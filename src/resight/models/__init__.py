"""Anything that turns pixels into vectors: one base class, and one resolver of the names that users write."""

from resight.models.model import Model
from resight.models.resolve import load_model

__all__ = ["Model", "load_model"]
