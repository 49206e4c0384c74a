"""Small models in the format of `resight export`, written without it: mean colours, turned by a matrix."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = (32, 16)
WEIGHT = np.random.default_rng(5).normal(size=(6, 3)).astype(np.float32)
BIAS = np.arange(6, dtype=np.float32)


def mean_colours(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the model computes, by NumPy."""
    return pixels.astype(np.float64).mean((1, 2)) @ WEIGHT.T.astype(np.float64) + BIAS


def card(**changes: Any) -> dict[str, Any]:
    """What the model says of itself; a value of None leaves the key out."""
    values: dict[str, Any] = {
        "format": "resight-onnx-1",
        "name": "colours",
        "architecture": "colours",
        "input": list(SIZE),
        "resize": "bilinear-or-area",
        "normalised": False,
        "distance": "cosine",
        "embedding_size": len(WEIGHT),
        "parameters": WEIGHT.size + BIAS.size,
        "multiply_adds": WEIGHT.size,
        "precision": "fp32",
    } | changes
    return {name: value for name, value in values.items() if value is not None}


def colours(
    *,
    weight: NDArray[np.float32] = WEIGHT,
    bias: NDArray[np.float32] = BIAS,
    batch: str | int = "batch",
    size: tuple[int, int] = SIZE,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """The model; its metadata are a right card unless others are given."""
    nodes = [
        helper.make_node("Transpose", ["images"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("GlobalAveragePool", ["numbers"], ["means"]),
        helper.make_node("Flatten", ["means"], ["rows"]),
        helper.make_node("Gemm", ["rows", "weight", "bias"], ["embeddings"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, [batch, *size, 3])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, [batch, len(weight)])],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(metadata) if metadata is not None else {"resight": json.dumps(card())})
    return model


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DESCRIPTION = {"colour": "rgb", "mean": list(MEAN), "std": list(STD)}


def foreign(
    *,
    kind: int = TensorProto.FLOAT,
    planes: bool = True,
    batch: str | int = "batch",
    sides: tuple[Any, ...] = SIZE,
    outputs: int = 1,
) -> onnx.ModelProto:
    """A model of others: the mean of every channel of what it is given, times a matrix. The first of two outputs is a map."""
    nodes = [] if planes else [helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2])]
    nodes += [
        helper.make_node("Cast", [nodes[-1].output[0] if nodes else "pixels"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["rows"], axes=[2, 3], keepdims=0),
        helper.make_node("Gemm", ["rows", "weight", "bias"], ["vectors"], transB=1),
    ]
    shape = [batch, 3, *sides] if planes else [batch, *sides, 3]
    values = [helper.make_tensor_value_info("numbers", TensorProto.FLOAT, [batch, 3, *sides])] if outputs == 2 else []
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("pixels", kind, shape)],
        [*values, helper.make_tensor_value_info("vectors", TensorProto.FLOAT, [batch, len(WEIGHT)])],
        [numpy_helper.from_array(WEIGHT, "weight"), numpy_helper.from_array(BIAS, "bias")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def save(path: Path, model: onnx.ModelProto | None = None) -> Path:
    """Write a model, the usual one unless another is given."""
    path.write_bytes((model or colours()).SerializeToString())
    return path


def noise(count: int, size: tuple[int, int] = SIZE, seed: int = 0) -> NDArray[np.uint8]:
    """Random pixels, uint8 (count, height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 3), np.uint8)
