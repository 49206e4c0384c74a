"""Published weights: a table of files with their SHA-256, each downloaded once over HTTPS."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resight.configuration import nearest_name
from resight.errors import ConfigurationError, DownloadError
from resight.files import atomic_write, sha256_file
from resight.images import cache_folder
from resight.progress import Progress, silent

__all__ = ["MAX_BYTES", "PUBLISHED", "Published", "fetch", "fetch_file", "open_model_zoo"]

MAX_BYTES = 2 * 2**30
"""Largest weights file that is downloaded or read."""

_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A weights file that its authors offer for download.

    Attributes
    ----------
    file, url : str
        Its name in the cache, and its address.
    sha256 : str
        64 hexadecimal digits.
    network : str
        A key of `resight.networks.NETWORKS`, or of another table of networks; empty for a model of OpenVINO.
    terms : str
        Licence, and terms of the training images.
    beside : Published, optional
        A file that must lie beside it.
    """

    file: str
    url: str
    sha256: str
    network: str = ""
    terms: str = ""
    beside: Published | None = None


_OPEN_MODEL_ZOO = "https://storage.openvinotoolkit.org/repositories/open_model_zoo/2023.0/models_bin/1/"


def open_model_zoo(name: str, xml: str, bin: str) -> Published:
    """A model of Intel's Open Model Zoo: its graph and, beside it, its weights."""
    url = f"{_OPEN_MODEL_ZOO}{name}/FP16/{name}"
    return Published(
        file=f"{name}.xml",
        url=f"{url}.xml",
        sha256=xml,
        terms="Apache-2.0 (Open Model Zoo); its makers do not list the training images",
        beside=Published(file=f"{name}.bin", url=f"{url}.bin", sha256=bin),
    )


_TORCHVISION = "BSD-3-Clause (torchvision); trained on ImageNet, whose images are for non-commercial research"

PUBLISHED: dict[str, Published] = {
    "mobilenet-0.25-imagenet": Published(
        file="mobilenet_2_5_224_tf_no_top.h5",
        url=f"{_KERAS}mobilenet_2_5_224_tf_no_top.h5",
        sha256="dbdb03ee2a22fd895301636cd328b234bb3a9952358f436d82f46b81e0d5b0bf",
        network="mobilenet-0.25",
        terms="MIT (Keras applications); trained on ImageNet, whose images are for non-commercial research",
    ),
    "resnet-50-imagenet": Published(
        file="resnet50-0676ba61.pth",
        url="https://download.pytorch.org/models/resnet50-0676ba61.pth",
        sha256="0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
        network="resnet-50",
        terms=_TORCHVISION,
    ),
    "resnet-50-imagenet-v2": Published(
        file="resnet50-11ad3fa6.pth",
        url="https://download.pytorch.org/models/resnet50-11ad3fa6.pth",
        sha256="11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",
        network="resnet-50",
        terms=_TORCHVISION,
    ),
    "resnet-50-imagenet-timm": Published(
        file="resnet50_a1_0-14fe96d1.pth",
        url="https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-rsb-weights/resnet50_a1_0-14fe96d1.pth",
        sha256="14fe96d1f9fb311a60490082d2077e6e60427dcfe21839ddf934cce948f72b0f",
        network="resnet-50",
        terms="Apache-2.0 (timm); trained on ImageNet, whose images are for non-commercial research",
    ),
    "osnet-0.25-market1501": Published(
        file="osnet_x0_25_market1501.pth",
        url="https://drive.google.com/uc?export=download&id=1z1UghYvOTtjx7kEoRfmqSMu-z62J6MAj",
        sha256="c0ff09177a21417a19bc73bbf5af4eb5d2b097c2074ed35e67819ee6cd93612c",
        network="osnet-0.25",
        terms="MIT (torchreid); trained on Market-1501, which is for research only",
    ),
    "omz-0277": open_model_zoo(
        "person-reidentification-retail-0277",
        xml="82039b1bb986231c50345550e59def94e63579998e9cddbd1a312f293eb87729",
        bin="6bb69e09d07733cc3896b29081d2627f92db7b9aacd50f1a8c3df491cb10f1b7",
    ),
    "omz-0286": open_model_zoo(
        "person-reidentification-retail-0286",
        xml="cc547e622d8aeabf97938213f68171bf59ac7d01c910ceadfea984aa96e5d1b5",
        bin="d06beb9e2b2661d42b233f64ef623f3518fc46dc11f6b7dd53cda8962d9d1bd9",
    ),
}
"""Files of known SHA-256. Others can be downloaded by hand and named by their path."""


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to an encrypted address."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.lower().startswith("https://"):
            raise urllib.error.URLError(f"redirected to {newurl}, which is not HTTPS")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(
    name: str,
    cache: Path | None = None,
    *,
    handlers: Sequence[urllib.request.BaseHandler] = (),
    progress: Progress = silent,
) -> Path:
    """Find a published weights file, or download it the first time.

    Parameters
    ----------
    name : str
        A key of `PUBLISHED`.
    cache : Path, optional
        Folder of the file; by default ``weights`` in `resight.images.cache_folder`.
    handlers : sequence of urllib.request.BaseHandler
        Handlers beside urllib's own, for example for a proxy that needs a password.
    progress : Progress

    Returns
    -------
    Path
        The file. Its SHA-256 is checked each time.

    Raises
    ------
    ConfigurationError
        If the name is unknown.
    DownloadError
        If the file cannot be downloaded, or has another SHA-256 than the published one.
    StorageError
        If it cannot be written.
    """
    if name not in PUBLISHED:
        raise ConfigurationError(
            f"no published weights are named {name!r}{nearest_name(name, PUBLISHED)}; "
            f"there are: {', '.join(PUBLISHED)}. Other files can be given by their path: MobileNets of width 0.5, 0.75 and 1.0 "
            f"are mobilenet_5_0_224_tf_no_top.h5, mobilenet_7_5_224_tf_no_top.h5 and mobilenet_1_0_224_tf_no_top.h5 in {_KERAS}"
        )
    return fetch_file(PUBLISHED[name], cache, handlers=handlers, progress=progress)


def fetch_file(
    published: Published,
    cache: Path | None = None,
    *,
    handlers: Sequence[urllib.request.BaseHandler] = (),
    progress: Progress = silent,
) -> Path:
    """Find or download a published file of any table, and what must lie beside it; see `fetch`."""
    folder = cache or cache_folder() / "weights"
    for one in _missing(published, folder):
        try:
            data = _download(one, handlers, progress)
        except (OSError, ValueError, http.client.HTTPException) as error:  # URLError and time-outs are OSErrors
            raise DownloadError(_way_out(published, folder, getattr(error, "reason", None) or error)) from error
        with atomic_write(folder / one.file) as stream:
            stream.write(data)
    return folder / published.file


def _missing(published: Published, folder: Path) -> list[Published]:
    """A file and those beside it that are not in a folder, the last one first."""
    files = [] if published.beside is None else _missing(published.beside, folder)
    return files if _holds(folder / published.file, published.sha256) else [*files, published]


def _way_out(published: Published, folder: Path, reason: object) -> str:
    """Say what is missing, what to put where, and under which terms."""
    states, ways = [], []
    for one in _missing(published, folder):
        path = folder / one.file
        states.append(f"{path} {'is not the published file (its SHA-256 differs)' if path.exists() else 'is missing'}")
        ways.append(f"{one.url} elsewhere and put it into {folder} as {one.file}")
    ways_out = f"download {', and '.join(ways)}; terms of use: {published.terms}"
    return f"{' and '.join(states)} and cannot be downloaded ({reason}); {ways_out}"


def _holds(path: Path, sha256: str) -> bool:
    try:
        return sha256_file(path) == sha256
    except OSError:
        return False


def _download(published: Published, handlers: Sequence[urllib.request.BaseHandler], progress: Progress) -> bytes:
    """Download the content of a file. Raises `OSError`, `ValueError` or `http.client.HTTPException`."""
    opener = urllib.request.build_opener(_HttpsOnly(), *handlers)
    data = bytearray()
    with opener.open(urllib.request.Request(published.url, headers={"User-Agent": "resight"}), timeout=30) as response:
        total = int(response.headers.get("Content-Length") or 0)
        while block := response.read(2**20):
            data += block
            if len(data) > MAX_BYTES:
                raise ValueError(f"the download has more than {MAX_BYTES // 2**30} GiB")
            progress(f"downloading {published.file}", len(data), max(total, len(data)))
    digest = hashlib.sha256(data).hexdigest()
    if digest != published.sha256:
        raise ValueError(f"the download has SHA-256 {digest} instead of {published.sha256}")
    return bytes(data)
