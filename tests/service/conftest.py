"""Galleries that are served for the length of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from service.worlds import World


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes a `World`, with the options of its service; it ends with the test."""
    with ExitStack() as stack:

        def make(**options: Any) -> World:
            world = World(tmp_path, **options)
            stack.callback(world.gallery.close)
            stack.callback(world.audit.close)
            stack.enter_context(world.service)
            return world

        yield make


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A `World` for all tests of a file, which must not disturb each other."""
    world = World(tmp_path_factory.mktemp("world"))
    with world.service:
        yield world
    world.audit.close()
    world.gallery.close()


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, serve: Callable[..., World]) -> World:
    """A `World` with the usual limits, once for each back end."""
    return serve() if request.param == "sqlite" else serve(location=request.getfixturevalue("postgres"))
