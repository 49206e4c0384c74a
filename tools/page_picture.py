"""Draw the pictures of the page, in a real Chromium: a search in the demo's gallery, and the room of the cameras over drawn films.

    python tools/page_picture.py [--demo FOLDER] [--out docs/pictures]

Without --demo, the demo runs first. Needs Debian's chromium and chromium-driver, and selenium, like the tests of the page.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from resight.decision import Calibration, decide
from resight.drawn.video import Films, generate_video
from resight.files import atomic_write
from resight.gallery import Gallery
from resight.images import read_image
from resight.models import load_model
from resight.service import new_token
from resight.studies.demo import run_demo

ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 1280, 860
NEAREST = 6  # results that the picture shows
FILMS = Films(people=10, cameras=3, seconds=120, rate=5, size=(270, 360), seed=4)
CAMERAS = ("entrance", "hall", "platform")
PATIENCE = 600  # seconds

NAME = """
const button = document.querySelector(".pass-by:nth-child(2)")?.closest(".person").querySelector("[data-key^=name]");
button?.click();
return Boolean(button);
"""
"""Asks for a name of somebody whom two cameras have seen, if there is somebody."""


def question(folder: Path) -> Path:
    """The first image of somebody who is there, to which the nearest answer in all three bands, the first two without a name."""
    calibration = Calibration.load(folder / "calibration.json")
    with Gallery.open(folder / "gallery") as gallery:
        model = load_model(gallery.settings.model)
        for file in sorted((folder / "questions" / "present").iterdir()):
            found = gallery.search(gallery.embed(model, [read_image(file)]), NEAREST)
            people = calibration.reckon(*gallery.people())
            bands = set(decide([match.distance for match in found], calibration, people=people).tolist())
            if len(bands) == 3 and not any(match.record.identity for match in found[:2]):
                return file
    raise SystemExit("no question is answered in all three bands; draw another network")


def start_browser(folder: Path) -> webdriver.Chrome:
    """A headless Chromium whose window is as large as the picture."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    browser = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    return browser


@contextmanager
def opened(folder: Path, gallery: str, *options: str) -> Iterator[webdriver.Chrome]:
    """The page of a gallery in a folder, signed in."""
    access = folder / "access.toml"
    token = new_token(access, "Control room", "operator")
    command = [sys.executable, "-m", "resight.cli", "serve", str(folder / gallery), "--port", "0", "--access", str(access)]
    command += ["--calibration", str(folder / "calibration.json"), *options]
    service = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    browser = None
    try:
        assert service.stdout is not None
        address = service.stdout.readline().split()[-1]
        browser = start_browser(folder)
        browser.get(f"{address}#token={token}")
        shown(browser, "#footer:not([hidden])")
        yield browser
    finally:
        if browser is not None:
            browser.quit()
        service.terminate()
        service.wait()


def shown(browser: webdriver.Chrome, selector: str) -> list[webdriver.remote.webelement.WebElement]:
    """Elements, as soon as there are any."""
    return WebDriverWait(browser, PATIENCE).until(lambda browser: browser.find_elements("css selector", selector))


def write(browser: webdriver.Chrome, out: Path) -> None:
    """Write what the browser shows."""
    browser.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    with atomic_write(out) as stream:
        stream.write(browser.get_screenshot_as_png())
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB")


def search_picture(folder: Path, out: Path) -> None:
    """Search the demo's gallery, and confirm two."""
    with opened(folder, "gallery") as browser:
        shown(browser, "#camera-list li")
        browser.find_element("id", "files").send_keys(str(question(folder)))
        shown(browser, "#editor:not([hidden])")
        browser.find_element("id", "go").click()
        for rank in range(2):
            shown(browser, ".confirm")[rank].click()
            if rank == 0:
                browser.find_element("id", "name").send_keys("Visitor 12\n")
            shown(browser, f"#matches > li:nth-child({rank + 1}) .confirm[aria-pressed=true]")
        loaded = "return [...document.querySelectorAll('#matches img')].slice(0, arguments[0]).every((one) => one.naturalWidth > 0)"
        WebDriverWait(browser, PATIENCE).until(lambda browser: browser.execute_script(loaded, NEAREST))
        write(browser, out)


def cameras_picture(folder: Path, out: Path) -> None:
    """Watch three drawn films and a stream that is away, and name somebody before the films are over."""
    generate_video(folder / "three films", FILMS)
    began = datetime.now(UTC) - timedelta(seconds=FILMS.seconds)
    tables = ['[[camera]]\nname = "car park"\nsource = "rtsp://10.255.255.1/main"\n']
    for number, name in enumerate(CAMERAS, 1):
        tables.append(f'[[camera]]\nname = "{name}"\nsource = "three films/camera-{number}"\nstart = {began.isoformat()}\n')
    (folder / "cameras.toml").write_text("\n".join(tables))
    with Gallery.open(folder / "gallery") as gallery:
        settings = gallery.settings
    shutil.rmtree(folder / "watched", ignore_errors=True)
    Gallery.create(folder / "watched", settings).close()
    with opened(folder, "watched", "--watch", str(folder / "cameras.toml")) as browser:
        browser.find_element("id", "view-cameras").click()
        browser.execute_script("document.getElementById('lately').value = '300'")
        end = time.monotonic() + PATIENCE
        named = "return [...document.querySelectorAll('.person-name')].map((one) => one.textContent)"
        while "Visitor 12" not in (names := browser.execute_script(named)):
            if len(names) >= 4 and browser.execute_script(NAME):
                browser.find_element("id", "new-name").send_keys("Visitor 12\n")
            assert time.monotonic() < end, f"no picture of {names}"
            time.sleep(0.5)
        loaded = "return [...document.querySelectorAll('.pass-by img')].slice(0, 6).every((one) => one.naturalWidth > 0)"
        WebDriverWait(browser, PATIENCE).until(lambda browser: browser.execute_script(loaded))
        write(browser, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, help="folder of a demo that has run")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.demo or Path(name)
        if arguments.demo is None:
            run_demo(folder)
        search_picture(folder, arguments.out / "page.png")
        cameras_picture(folder, arguments.out / "cameras.png")


if __name__ == "__main__":
    main()
