"""A real browser for the tests of the page, and what it can tell: requests, violations, names, contrasts, the order of Tab."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

DRIVER, BROWSER = shutil.which("chromedriver"), shutil.which("chromium")
PATIENCE = 20.0  # seconds, on a machine that has other work

Found = TypeVar("Found")

ROLES = """
button checkbox combobox comboBoxMenuButton ComboBoxSelect textbox spinbutton DateTime InputTime DisclosureTriangle option link
application image dialog form navigation region table
"""
"""Of the accessibility tree, that must have a name."""

VIOLATIONS = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""

CONTRASTS = """
const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return { rgb: [r, g, b], a }; };
const over = (front, back) => front.rgb.map((value, at) => value * front.a + back[at] * (1 - front.a));
const light = (rgb) => rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
const ground = (node) => {
  const layers = [];
  for (let one = node; one; one = one.parentElement) layers.push(parse(getComputedStyle(one).backgroundColor));
  const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255];
  return layers.reverse().reduce((below, layer) => over(layer, below), canvas);
};
const found = [];
const words = document.createTreeWalker(document.querySelector("dialog[open]") ?? document.body, NodeFilter.SHOW_TEXT);
while (words.nextNode()) {
  const text = words.currentNode.textContent.trim();
  const holder = words.currentNode.parentElement;
  if (!text || !holder.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
  if (holder.closest("option, script, noscript, .visually-hidden, :disabled")) continue;
  const back = ground(holder);
  const [a, b] = [light(over(parse(getComputedStyle(holder).color), back)), light(back)];
  found.push([text.slice(0, 40), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
}
return found;
"""

REACHABLE = """
window.reached = [];
document.addEventListener("focusin", (event) => reached.push(event.target.dataset.order ?? "nothing"));
// Tab goes on from here, wherever the focus was.
document.activeElement.blur();
getSelection().removeAllRanges();
document.body.tabIndex = -1;
document.body.focus();
reached.length = 0;
return [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled && one.tabIndex >= 0)
  .map((one, at) => (one.dataset.order = String(at)));
"""


def start(folder: Path, *, width: int = 1280, height: int = 900) -> Any:
    """A headless Chromium that saves into a folder; the test is skipped, with the reason, where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium: pip install selenium")
    if not (DRIVER and BROWSER):
        pytest.skip("needs a browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    arguments = ["--headless=new", "--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={folder / 'profile'}"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # which root needs, as in a container
    for argument in arguments:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # A driver that is named is not looked for, so that nothing is downloaded.
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": VIOLATIONS})
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
    resize(driver, width, height)
    return driver


def resize(driver: Any, width: int, height: int) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def emulate(driver: Any, **features: str) -> None:
    """Media features, such as prefers_color_scheme="dark"; without any, the browser's own."""
    named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": named})


def eventually(look: Callable[[], Found], what: str) -> Found:
    """What `look` finds as soon as it is true; elements may be drawn anew while it looks."""
    from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException

    end = time.monotonic() + PATIENCE
    while True:
        try:
            if found := look():
                return found
        except (NoSuchElementException, StaleElementReferenceException, StopIteration):
            pass
        assert time.monotonic() < end, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.02)


def requests(driver: Any) -> list[str]:
    """Addresses that were asked for since this was called last."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"]


def complaints(driver: Any) -> list[str]:
    """Errors and warnings on the console since this was called last, and violations of the content security policy."""
    logged = [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    return logged + (driver.execute_script("return window.violations") or [])


def nameless(driver: Any) -> list[str]:
    """Controls and images of the accessibility tree that have no name."""
    wanted = ROLES.split()
    nodes = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    visible = [node for node in nodes if not node.get("ignored") and node.get("role", {}).get("value") in wanted]
    assert visible, "the accessibility tree holds no control at all"
    return [json.dumps(node.get("role")) for node in visible if not node.get("name", {}).get("value", "").strip()]


def tab_order(driver: Any) -> tuple[list[str], list[str]]:
    """All that can be focused, in the order of the document, and in the order in which Tab reaches it."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    expected = driver.execute_script(REACHABLE)
    for _ in range(30):
        ActionChains(driver, duration=0).send_keys(Keys.TAB * 20).perform()
        reached = driver.execute_script("return window.reached")
        if expected[-1] in reached:
            break
    # A date has a stop for each of its parts; after the last one the order begins anew.
    stops = [one for one, before in zip(reached, [None, *reached], strict=False) if one != before]
    return expected, stops[: len(expected)]


@contextmanager
def offline(driver: Any) -> Iterator[None]:
    """No network at all."""
    conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **conditions})
    yield
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **conditions})
