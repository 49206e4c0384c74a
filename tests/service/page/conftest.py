"""One service and one browser for all tests of the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from resight.drawn import crops
from resight.models import load_model
from resight.models.model import Model
from resight.studies.demo.gallery import make_gallery
from service.page import chromium
from service.page.driver import Oracle, Page, Service, check, serve
from support import colour_people


@pytest.fixture(scope="session")
def student() -> Model:
    return load_model("student")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's gallery, smaller: gallery, calibration.json, questions."""
    folder = tmp_path_factory.mktemp("drawn")
    network = crops.generate(
        folder / "network", identities_train=60, identities_test=24, cameras=3, images_per_camera=3, size=(64, 32)
    )
    colour_people(folder / "network")
    make_gallery(network, folder, "student", strangers=network.train)
    return folder


@pytest.fixture(scope="session")
def service(drawn: Path) -> Iterator[Service]:
    with serve(drawn, "--calibration", str(drawn / "calibration.json")) as running:
        yield running


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def browser(downloads: Path) -> Iterator[Any]:
    driver = chromium.start(downloads)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: Any, service: Service) -> Iterator[Page]:
    page = Page(browser, service)
    yield page
    check(page)


@pytest.fixture(scope="session")
def oracle(drawn: Path, student: Model) -> Oracle:
    return Oracle(drawn, student)
