"""The page as a test drives it, the service behind it, and the gallery beside it that says what is right."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from resight.decision import Calibration, decide
from resight.gallery import EVERYTHING, Gallery, Match, Where
from resight.images import Pixels, decode
from resight.models.model import Model
from resight.service import new_token
from service.page import chromium
from service.page.chromium import eventually


@dataclass
class Service:
    """A running `resight serve`."""

    address: str
    folder: Path

    def token(self, name: str = "Desk 1", role: str = "operator", cameras: list[str] | None = None) -> str:
        return new_token(self.folder / "access.toml", name, role, cameras)

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "gallery" / "audit.jsonl").read_text("utf-8").splitlines()]


@contextmanager
def serve(folder: Path, *options: str) -> Iterator[Service]:
    """Start the service of the gallery in a folder, and end it."""
    pytest.importorskip("fastapi", reason="needs the service: pip install '.[serve]'")
    access = folder / "access.toml"
    new_token(access, "nobody", "viewer")
    command = [sys.executable, "-m", "resight.cli", "serve", str(folder / "gallery"), "--port", "0", "--access", str(access)]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://\S+/", line)
        assert found, f"the service did not start: {line}"
        yield Service(found[0], folder)
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


ANSWERS = """
const [status, detail, wait] = arguments;
const real = window.fetch;
window.fetch = async (path, options) => {
  if (path !== "api/search") return real(path, options);
  window.fetch = real;
  const headers = { "Content-Type": "application/json", ...(wait && { "Retry-After": wait }) };
  return new Response(JSON.stringify({ detail }), { status, headers });
};
"""


class Page:
    """The page, as a test drives it."""

    def __init__(self, driver: Any, service: Service) -> None:
        self.driver, self.service = driver, service
        self.expected: list[str] = []  # complaints that a test provokes
        driver.get("about:blank")
        driver.get(f"{service.address}page/icon.svg")  # of the same origin, so that its storage can be emptied
        driver.execute_script("sessionStorage.clear()")
        chromium.requests(driver), chromium.complaints(driver)

    def open(self, token: str = "") -> Page:
        self.driver.get(f"{self.service.address}#token={token}" if token else self.service.address)
        if token:
            eventually(
                lambda: self("footer").is_displayed() and self.text("statistics") and self.all("#camera-list li"), "the page"
            )
        return self

    def __call__(self, id: str) -> Any:
        return self.driver.find_element("id", id)

    def all(self, selector: str) -> list[Any]:
        found: list[Any] = self.driver.find_elements("css selector", selector)
        return found

    def one(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def text(self, id: str) -> str:
        return str(self(id).text)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def choose(self, *files: Path) -> Page:
        before = len(self.all("#strip button"))
        self("files").send_keys("\n".join(map(str, files)))
        eventually(lambda: len(self.all("#strip button")) == before + len(files), "the images")
        return self

    def search(self) -> Page:
        self.run("document.querySelector('#matches').replaceChildren()")
        self("go").click()
        eventually(lambda: self.all("#matches > li"), "an answer")
        return self

    def ids(self) -> list[str]:
        return [str(id) for id in self.run("return [...document.querySelectorAll('#matches > li')].map((one) => one.dataset.id)")]

    def sentence(self) -> str:
        return str(self.one("#answer .sentence").text)

    def announced(self, words: str) -> None:
        eventually(lambda: words in str(self("announcer").get_attribute("textContent")), f"{words!r} in the live region")

    def refuse_once(self, status: int, detail: str, *, retry_after: str = "") -> None:
        """Let the next search be answered so, as the service would; the one after it reaches the service."""
        self.run(ANSWERS, status, detail, retry_after)

    def keys(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver, duration=0).send_keys(*keys).perform()


def check(page: Page) -> None:
    """Nothing went wrong quietly, and nothing left the machine."""
    complaints = [one for one in chromium.complaints(page.driver) if not any(words in one for words in page.expected)]
    assert complaints == []
    here = (page.service.address, f"blob:{page.service.address}", "data:", "about:")  # Chromium draws its own controls from data:
    assert [url for url in chromium.requests(page.driver) if not url.startswith(here)] == []


def questions(drawn: Path, which: str) -> list[Path]:
    return sorted((drawn / "questions" / which).iterdir())


class Oracle:
    """What the gallery answers in Python."""

    def __init__(self, drawn: Path, student: Model) -> None:
        self.drawn, self.student = drawn, student
        self.calibration = Calibration.load(drawn / "calibration.json")

    def search(self, images: list[Pixels], where: Where = EVERYTHING, k: int = 20) -> list[Match]:
        with Gallery.open(self.drawn / "gallery") as gallery:
            return gallery.search(gallery.embed(self.student, images), k, where)

    def ids(self, images: list[Pixels], where: Where = EVERYTHING, k: int = 20) -> list[str]:
        return [match.record.id for match in self.search(images, where, k)]

    def decision(self, file: Path) -> str:
        return str(self.bands(self.search([decode(file.read_bytes())])[:1])[0])

    def bands(self, matches: list[Match]) -> list[str]:
        """Answers for the places of a ranked list, in a gallery of as many people as it has."""
        with Gallery.open(self.drawn / "gallery") as gallery:
            people = self.calibration.reckon(*gallery.people())
        return decide([match.distance for match in matches], self.calibration, people=people).tolist()

    def image_with(self, which: str, decision: str) -> Path:
        """The first question that the gallery decides so."""
        return next(file for file in questions(self.drawn, which) if self.decision(file) == decision)

    def identity(self, id: str) -> str:
        with Gallery.open(self.drawn / "gallery") as gallery:
            return gallery.get(id).identity
