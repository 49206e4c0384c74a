"""Galleries on other machines: tracklets wait on disk, and are delivered as soon as the gallery can take them."""

from resight.gallery.remote.delivery import Delivery
from resight.gallery.remote.open import is_remote, open_delivery

__all__ = ["Delivery", "is_remote", "open_delivery"]
