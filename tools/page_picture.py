"""Draw the README's picture of the page: a search in the demo's gallery of drawn people, in a real Chromium.

    python tools/page_picture.py [--out docs/pictures/page.png]

Needs Debian's chromium and chromium-driver, and selenium, like the tests of the page.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from resight.decision import Calibration, decide
from resight.files import atomic_write
from resight.gallery import Gallery
from resight.images import read_image
from resight.models import load_model
from resight.service import new_token
from resight.studies.demo import run_demo

ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 1280, 860
NEAREST = 6  # results that the picture shows


def question(folder: Path) -> Path:
    """The first image of somebody who is there, to which the nearest answer in all three bands, the first two without a name."""
    calibration = Calibration.load(folder / "calibration.json")
    with Gallery.open(folder / "gallery") as gallery:
        model = load_model(gallery.settings.model)
        for file in sorted((folder / "questions" / "present").iterdir()):
            found = gallery.search(gallery.embed(model, [read_image(file)]), NEAREST)
            bands = set(decide([match.distance for match in found], calibration).tolist())
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


def picture(folder: Path, out: Path) -> None:
    """Serve the gallery in a folder, search, confirm two, and write what the browser shows."""
    access = folder / "access.toml"
    token = new_token(access, "Control room", "operator")
    command = [sys.executable, "-m", "resight.cli", "serve", str(folder / "gallery"), "--port", "0", "--access", str(access)]
    service = subprocess.Popen([*command, "--calibration", str(folder / "calibration.json")], stdout=subprocess.PIPE, text=True)
    browser = None
    try:
        assert service.stdout is not None
        address = service.stdout.readline().split()[-1]
        browser = start_browser(folder)

        def shown(selector: str) -> list[webdriver.remote.webelement.WebElement]:
            return WebDriverWait(browser, 30).until(lambda browser: browser.find_elements("css selector", selector))

        browser.get(f"{address}#token={token}")
        shown("#camera-list li")
        browser.find_element("id", "files").send_keys(str(question(folder)))
        shown("#editor:not([hidden])")
        browser.find_element("id", "go").click()
        for rank in range(2):
            shown(".confirm")[rank].click()
            if rank == 0:
                browser.find_element("id", "name").send_keys("Visitor 12\n")
            shown(f"#matches > li:nth-child({rank + 1}) .confirm[aria-pressed=true]")
        loaded = "return [...document.querySelectorAll('#matches img')].slice(0, arguments[0]).every((one) => one.naturalWidth > 0)"
        WebDriverWait(browser, 30).until(lambda browser: browser.execute_script(loaded, NEAREST))
        browser.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
        with atomic_write(out) as stream:
            stream.write(browser.get_screenshot_as_png())
    finally:
        if browser is not None:
            browser.quit()
        service.terminate()
        service.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures" / "page.png")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run_demo(folder)
        picture(folder, arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
