"""The model that a user names."""

from __future__ import annotations

from pathlib import Path

from resight.errors import ConfigurationError
from resight.models.embedding import Model
from resight.shipped import SHIPPED, shipped_file

__all__ = ["FITTED_ARRAYS", "load_model"]

FITTED_ARRAYS = "distance.safetensors"
"""File that a folder with a fitted distance holds."""


def load_model(reference: str, *, device: str = "auto", height: int = 0, width: int = 0, threads: int = 0) -> Model:
    """Find the model that a user names.

    Parameters
    ----------
    reference : str
        A shipped model's name (see `resight.shipped`); ``lomo``, ``lomo:msrcp`` or ``lomo:none``; a folder that `fit_model`
        wrote; ``FILE.onnx`` that `resight export` wrote, or ``openvino:FILE.onnx`` to run it on OpenVINO, which also runs
        ``openvino:FILE.xml``; or whatever `resight.models.pytorch.load_extractor` takes: a run folder, ``NETWORK:FILE``, a
        published name, ``NETWORK`` alone.
    device : str
        For networks: ``"auto"``, ``"cpu"`` or ``"cuda"``.
    height, width : int
        Another input size than the model's own, in pixels; 0 is its own.
    threads : int
        Threads of the processor; 0 is one for each usable core. For networks of PyTorch it is a setting of the whole process.

    Returns
    -------
    Model

    Raises
    ------
    ConfigurationError
        If it names nothing that exists.
    WeightsError
        If the weights cannot be used.
    """
    runtime = "openvino:" if reference.startswith("openvino:") else ""
    if reference.removeprefix(runtime) in SHIPPED:
        reference = f"{runtime}{shipped_file(reference.removeprefix(runtime), '.onnx')}"
    name, _, retinex = reference.partition(":")
    if name == "lomo":
        from resight.models.lomo import LomoModel

        return LomoModel(*([retinex] if retinex else []), height=height or 128, width=width or 64, threads=threads)
    if name == "openvino" or reference.endswith(".onnx"):
        return _load_exported(reference, device, (height, width), threads)
    if (Path(reference) / FITTED_ARRAYS).exists():
        from resight.models.fitted import load_fitted

        return load_fitted(Path(reference), device, threads)
    from resight.models.pytorch import load_extractor

    if threads:
        import torch

        torch.set_num_threads(threads)
    return load_extractor(reference, device=device, height=height, width=width)


def _load_exported(reference: str, device: str, size: tuple[int, int], threads: int) -> Model:
    if device == "cuda":
        raise ConfigurationError(f"{reference} runs on the processor; use --device cpu, or the run that it was exported from")
    extractor: Model
    if reference.startswith("openvino:"):
        from resight.models.openvino import OpenVinoModel

        extractor = OpenVinoModel(reference.removeprefix("openvino:"), threads=threads)
    else:
        from resight.models.onnx import OnnxModel

        extractor = OnnxModel(reference, threads=threads)
    height, width = extractor.size
    if size[0] not in (0, height) or size[1] not in (0, width):
        raise ConfigurationError(f"{reference} takes {height}x{width} pixels and no others; export the network for another size")
    return extractor
