"""The model that a user names, loaded."""

from __future__ import annotations

import os
from pathlib import Path

from resight.errors import ConfigurationError
from resight.models.model import Model
from resight.models.reference import Reference, parse
from resight.networks.published import PUBLISHED, fetch
from resight.shipped import SHIPPED, shipped_file

__all__ = ["load_model", "weights_file"]


def load_model(
    reference: str | os.PathLike[str] = "student",
    *,
    device: str = "auto",
    height: int = 0,
    width: int = 0,
    threads: int = 0,
    precise: bool = True,
) -> Model:
    """Load the model that a user names.

    Parameters
    ----------
    reference : str or PathLike
        One of these; a name wins over a folder of the same name, which is ``./NAME``:

        - ``student``, ``student-general``, ``student-accurate``, ``student-fast`` or ``student-fastest``: the models in the package
        - ``lomo``, ``lomo:msrcp`` or ``lomo:none``: the classical descriptor
        - ``FILE.onnx``, or ``openvino:FILE.onnx`` to run it on OpenVINO; one that `resight export` did not write needs a
          description, ``FILE.json``
        - ``openvino:student``, and ``FILE.xml`` in OpenVINO's own format, with a description too
        - a run folder of `resight train` or `resight distill`, or a folder of `resight fit`
        - ``NETWORK:FILE``: foreign weights, for example ``osnet-0.25:osnet_x0_25_market1501.pth``
        - a key of `resight.networks.published.PUBLISHED`, which is downloaded once
        - ``NETWORK``: a network before any training
    device : str
        Device of networks of PyTorch: ``"auto"``, ``"cpu"`` or ``"cuda"``.
    height, width : int
        Input size in pixels; 0 is the model's own.
    threads : int
        Threads of the processor; 0 is one for each usable core. For networks of PyTorch this is a setting of the whole process.
    precise : bool
        False lets OpenVINO compute in bfloat16 if the processor can: faster, and good enough for a teacher.

    Returns
    -------
    Model

    Raises
    ------
    ConfigurationError
        If nothing has that name.
    WeightsError
        If the weights cannot be used.
    """
    found = parse(reference)
    match found.kind:
        case "lomo":
            from resight.models.lomo import LomoModel

            return LomoModel(*([found.name] if found.name else []), height=height or 128, width=width or 64, threads=threads)
        case "shipped" | "onnx" | "openvino":
            return _load_exported(found, device, (height, width), threads, precise)
        case "fitted":
            from resight.models.fitted import load_fitted

            return load_fitted(found, device, threads)
        case "published" if not PUBLISHED[found.name].network:
            path = fetch(found.name)
            return _load_exported(Reference(found.text, "openvino", path=path), device, (height, width), threads, precise)
        case _:
            from resight.models.pytorch import load_network_model

            if threads:
                import torch

                torch.set_num_threads(threads)
            return load_network_model(found, device=device, height=height, width=width)


def _load_exported(found: Reference, device: str, size: tuple[int, int], threads: int, precise: bool) -> Model:
    path = found.path or Path()
    if device == "cuda":
        raise ConfigurationError(f"{found.text} runs on the processor; use --device cpu, or the run that it was exported from")
    model: Model
    if found.kind == "openvino":
        from resight.models.openvino import OpenVinoModel

        model = OpenVinoModel(path, threads=threads, precise=precise)
    else:
        from resight.models.onnx import OnnxModel

        model = OnnxModel(path, threads=threads)
    height, width = model.size
    if size[0] not in (0, height) or size[1] not in (0, width):
        raise ConfigurationError(f"{found.text} takes images of {height}x{width} pixels only; export the network for another size")
    return model


def weights_file(reference: str) -> Path:
    """Find the weights that a training starts from: a shipped model's, published ones (see `fetch`), a run folder's, or a file."""
    if reference in SHIPPED:
        return shipped_file(reference, ".safetensors")
    from resight.networks.card import WEIGHTS

    path = fetch(reference) if reference in PUBLISHED else Path(reference)
    return path / WEIGHTS if path.is_dir() else path
