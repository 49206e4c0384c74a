"""Published weights: loaded exactly or refused, and fetched once over HTTPS."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from resight.configuration import nearest_name
from resight.errors import ConfigurationError, DownloadError, WeightsError
from resight.files import atomic_write, sha256_file
from resight.images import cache_folder
from resight.networks import NETWORKS
from resight.networks.foreign import MAX_BYTES, architecture, differences, read_weights
from resight.networks.network import ReidNetwork
from resight.progress import Progress, silent
from resight.shipped import SHIPPED, shipped_file

__all__ = ["PUBLISHED", "LoadedWeights", "Published", "fetch", "load_weights", "weights_classes", "weights_file"]

_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/"


@dataclass(frozen=True)
class LoadedWeights:
    """What `load_weights` did.

    Attributes
    ----------
    path : Path
        The file.
    sha256 : str
        Of the file, 64 hexadecimal digits.
    loaded : tuple of str
        The network's tensors that came from the file.
    left : tuple of str
        The network's tensors that stayed as they were: the head, where the file has none or one for another number of classes,
        and counters of batches, which not every format keeps.
    """

    path: Path
    sha256: str
    loaded: tuple[str, ...]
    left: tuple[str, ...]


def load_weights(network: ReidNetwork, path: str | Path) -> LoadedWeights:
    """Fill a network from a weights file; everything but its head must be in the file, and nothing else.

    Parameters
    ----------
    network : ReidNetwork
        Changed in place: it gets a neck where the file has one, and the weights unless an error is raised.
    path : str or Path
        See `resight.networks.foreign.read_weights` for the formats.

    Returns
    -------
    LoadedWeights

    Raises
    ------
    WeightsError
        If the file cannot be read, its names or shapes differ from the network's (a head for another number of classes is left
        out instead), or it holds NaN or infinity.
    """
    state, digest = read_weights(path)
    if network.neck is None and "neck.weight" in state:
        network.add_neck()
    expected = network.state_dict()
    if problems := differences(state, expected, network.head):
        wanted = architecture(expected) or type(network).__name__
        guess = f"it looks like {found}" if (found := architecture(state)) else f"it is none of {', '.join(NETWORKS)}"
        raise WeightsError(f"{path} does not fit {wanted}: {'; '.join(problems)}; {guess}")
    loaded = tuple(name for name in expected if name in state and state[name].shape == expected[name].shape)
    values = {name: state[name].to(expected[name].dtype) for name in loaded}
    for name, value in values.items():
        if not torch.isfinite(value).all():
            raise WeightsError(f"{path}: {name} holds NaN or infinity; the file cannot be used")
    with torch.no_grad():
        for name, value in values.items():
            expected[name].copy_(value)
    return LoadedWeights(Path(path), digest, loaded, tuple(name for name in expected if name not in values))


def weights_classes(source: str | Path | Mapping[str, Tensor], head: str) -> int | None:
    """How many classes the head in a weights file has, so that a network can be built for all of it.

    Parameters
    ----------
    source : str, Path, or mapping of str to Tensor
        The file, or what `read_weights` gave.
    head : str
        `ReidNetwork.head` of the network to be built.

    Returns
    -------
    int or None
        None if there is no such head.

    Raises
    ------
    WeightsError
        If the file cannot be read.
    """
    state = source if isinstance(source, Mapping) else read_weights(source)[0]
    weight = state.get(f"{head}.weight")
    return None if weight is None or weight.ndim != 2 else weight.shape[0]


@dataclass(frozen=True, kw_only=True)
class Published:
    """A weights file that its makers offer for download.

    Attributes
    ----------
    file, url : str
        Name in the cache, and where it comes from.
    sha256 : str
        64 hexadecimal digits.
    network : str
        Key of `NETWORKS`.
    terms : str
        What its makers ask of those who use it.
    """

    file: str
    url: str
    sha256: str
    network: str
    terms: str


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
}
"""Files whose SHA-256 is known. Others can be downloaded by hand and named by their path."""


def weights_file(reference: str) -> Path:
    """The file of the weights that a user names: a key of `resight.shipped.SHIPPED` or of `PUBLISHED` (see `fetch`), or a path."""
    if reference in SHIPPED:
        return shipped_file(reference, ".safetensors")
    return fetch(reference) if reference in PUBLISHED else Path(reference)


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only where it stays encrypted."""

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
    """A published weights file, downloaded at its first use.

    Parameters
    ----------
    name : str
        A key of `PUBLISHED`.
    cache : Path, optional
        Folder that holds the file, or gets it; ``weights`` in `resight.images.cache_folder` unless given.
    handlers : sequence of urllib.request.BaseHandler
        Added to urllib's own, for example for a proxy that needs a password.
    progress : Progress

    Returns
    -------
    Path
        The file; its SHA-256 is checked each time.

    Raises
    ------
    ConfigurationError
        If there is no such name.
    DownloadError
        If the file is not there and cannot be downloaded, or if what comes is not what was published.
    StorageError
        If it cannot be written.
    """
    if name not in PUBLISHED:
        raise ConfigurationError(
            f"no published weights are named {name!r}{nearest_name(name, PUBLISHED)}; "
            f"there are: {', '.join(PUBLISHED)}. Other files can be given by their path: MobileNets of width 0.5, 0.75 and 1.0 "
            f"are mobilenet_5_0_224_tf_no_top.h5, mobilenet_7_5_224_tf_no_top.h5 and mobilenet_1_0_224_tf_no_top.h5 in {_KERAS}"
        )
    published = PUBLISHED[name]
    folder = cache or cache_folder() / "weights"
    path = folder / published.file
    if _holds(path, published.sha256):
        return path
    try:
        data = _download(published, handlers, progress)
    except (OSError, ValueError, http.client.HTTPException) as error:  # URLError and time-outs are OSErrors
        state = "is not the published file (another SHA-256)" if path.exists() else "is not there"
        raise DownloadError(
            f"{path} {state} and cannot be downloaded ({getattr(error, 'reason', None) or error}); "
            f"download {published.url} elsewhere and put it into {folder} as {published.file}"
        ) from error
    with atomic_write(path) as stream:
        stream.write(data)
    return path


def _holds(path: Path, sha256: str) -> bool:
    try:
        return sha256_file(path) == sha256
    except OSError:
        return False


def _download(published: Published, handlers: Sequence[urllib.request.BaseHandler], progress: Progress) -> bytes:
    """Content of a published file. Raises `OSError`, `ValueError` or `http.client.HTTPException`."""
    opener = urllib.request.build_opener(_HttpsOnly(), *handlers)
    data = bytearray()
    with opener.open(urllib.request.Request(published.url, headers={"User-Agent": "resight"}), timeout=30) as response:
        total = int(response.headers.get("Content-Length") or 0)
        while block := response.read(2**20):
            data += block
            if len(data) > MAX_BYTES:
                raise ValueError(f"more than {MAX_BYTES // 2**30} GiB came")
            progress(f"downloading {published.file}", len(data), max(total, len(data)))
    digest = hashlib.sha256(data).hexdigest()
    if digest != published.sha256:
        raise ValueError(f"what came has SHA-256 {digest} instead of {published.sha256}")
    return bytes(data)
