"""A served gallery of images of noise, and clients of every role."""

from __future__ import annotations

import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

from gallery.fakes import CAMERAS, START, ColourModel, make_image, make_settings
from resight.gallery import Crop, Gallery
from resight.service import AuditLog, Caller
from resight.service.app import create_app
from resight.service.lifecycle import Service

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it would rather have a package that is hardly known yet
    from starlette.testclient import TestClient

SIGHTINGS = 24


class World:
    """A gallery of 24 sightings by three cameras, served: number n shows image n, by camera n % 3."""

    def __init__(self, folder: Path, retention: int | None = None, location: str = "", **options: Any) -> None:
        self.model = ColourModel()
        self.gallery = Gallery.create(location or folder / "gallery", make_settings(retention=retention))
        self.images = [make_image(number) for number in range(SIGHTINGS)]
        crops = [
            Crop(
                source=f"{number}.png",
                data=image,
                camera=CAMERAS[number % 3],
                time=START + timedelta(seconds=number),
                identity=f"person {number % 4}",
            )
            for number, image in enumerate(self.images)
        ]
        self.ids = list(self.gallery.enrol(self.model, crops).ids)
        self.audit = AuditLog(folder / "audit.jsonl")
        self.service = Service(self.gallery, self.model, self.audit, self.find, **options)
        self.app = create_app(self.service)

    @staticmethod
    def find(token: str) -> Caller | None:
        """Tokens are called ``admin``, or ``admin@entrance`` for one that is limited to a camera."""
        role, _, camera = token.partition("@")
        if role not in ("viewer", "operator", "admin"):
            return None
        return Caller(name=token, role=role, cameras=frozenset([camera]) if camera else None)

    def client(self, token: str = "admin") -> TestClient:
        """Whoever holds a token; without one if it is empty."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return TestClient(self.app, base_url="http://localhost", headers=headers)

    def actions(self) -> list[str]:
        """What the audit log says was done, oldest first."""
        return [entry["action"] for entry in self.audit.newest(1000)][::-1]
