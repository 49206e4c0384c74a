"""Shapes of what the operators of an ONNX graph give, worked out without running any of them.

A graph of others computes some shapes itself: it takes the shape of an image apart and puts another one together. So small whole
numbers are worked out too. An operator whose shape depends on anything else, such as pixels, is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from resight.models.onnx_moving import MOST_KNOWN, MOVING, Attributes, Inputs, Shape, Tensor, axis_of, numbers_of, one_of

__all__ = ["OPERATORS_OF_OTHERS", "multiply_adds", "outputs_of"]

_INT32, _INT64 = 6, 7  # onnx.TensorProto.DataType


def outputs_of(operator: str, inputs: Inputs, attributes: Attributes, outputs: int) -> list[Tensor]:
    """Work out what an operator gives.

    Parameters
    ----------
    operator : str
        A key of `OPERATORS_OF_OTHERS`.
    inputs : sequence of Tensor
        An input that is left out has the shape ``()``.
    attributes : mapping
    outputs : int
        Number of its outputs.

    Returns
    -------
    list of Tensor
        One for each output.

    Raises
    ------
    IndexError, KeyError, TypeError, ValueError
        If the inputs do not fit the operator, or if a shape depends on numbers that are not known.
    """
    if operator in _ON_NUMBERS and all(one.values is not None for one in inputs):
        shape = _broadcast(inputs, attributes)
        if prod(shape) <= MOST_KNOWN:
            with np.errstate(all="ignore"):
                return [Tensor(shape, np.asarray(_ON_NUMBERS[operator](*(one.values for one in inputs)), np.int64))]
    found = OPERATORS_OF_OTHERS[operator](inputs, attributes)
    if isinstance(found, list):
        return found[:outputs] if operator != "Split" or len(found) == outputs else _refuse(f"{len(found)} parts")
    return [Tensor(found)] * outputs


def multiply_adds(operator: str, inputs: Inputs, attributes: Attributes) -> int:
    """Multiply-adds for each number that an operator computes. Raises `IndexError` if the inputs do not fit."""
    match operator:
        case "Conv" | "ConvInteger":
            return prod(inputs[1].shape[1:])
        case "QLinearConv":
            return prod(inputs[3].shape[1:])
        case "AveragePool" | "MaxPool":
            return prod(attributes.get("kernel_shape") or [1])
        case "Gemm":
            return inputs[0].shape[0 if one_of(attributes, "transA", 0) else 1]
        case "MatMul" | "MatMulInteger":
            return inputs[0].shape[-1]
        case _:
            return 0


def _refuse(why: str) -> Any:
    raise ValueError(why)


def _same(inputs: Inputs, _: Attributes) -> Shape:
    return inputs[0].shape


def _broadcast(inputs: Inputs, _: Attributes) -> Shape:
    return np.broadcast_shapes(*(one.shape for one in inputs))


def _windows(image: Shape, kernel: Sequence[int], attributes: Attributes) -> Shape:
    """Sides of what a window gives that slides over an image."""
    sides = len(kernel)
    strides = attributes.get("strides") or [1] * sides
    pads = attributes.get("pads") or [0] * 2 * sides
    dilations = attributes.get("dilations") or [1] * sides
    if min(*strides, *dilations, *kernel) < 1 or min(pads) < 0:
        raise ValueError("a window without a size")
    automatic = attributes.get("auto_pad", b"NOTSET")
    found = []
    for place, (side, width, step, spread) in enumerate(zip(image, kernel, strides, dilations, strict=True)):
        if automatic in (b"SAME_UPPER", b"SAME_LOWER"):
            found.append(-(-side // step))
            continue
        margin = 0 if automatic == b"VALID" else pads[place] + pads[place + sides]
        room = side + margin - spread * (width - 1) - 1
        found.append(max((-(-room // step) if one_of(attributes, "ceil_mode", 0) else room // step) + 1, 0))
    return tuple(found)


def _conv(inputs: Inputs, attributes: Attributes, weight: int = 1) -> Shape:
    image, weights = inputs[0].shape, inputs[weight].shape
    kernel = attributes.get("kernel_shape") or weights[2:]
    return image[0], weights[0], *_windows(image[2:], kernel, attributes)


def _pool(inputs: Inputs, attributes: Attributes) -> Shape:
    image = inputs[0].shape
    return image[0], image[1], *_windows(image[2:], attributes["kernel_shape"], attributes)


def _global(inputs: Inputs, _: Attributes) -> Shape:
    image = inputs[0].shape
    return image[0], image[1], *(1 for _ in image[2:])


def _gemm(inputs: Inputs, attributes: Attributes) -> Shape:
    rows, columns = (one_of(attributes, name, 0) for name in ("transA", "transB"))
    left, right = inputs[0].shape, inputs[1].shape
    if len(left) != 2 or len(right) != 2 or left[1 - rows] != right[columns]:
        raise ValueError("matrices that do not fit")
    return left[rows], right[1 - columns]


def _matmul(inputs: Inputs, _: Attributes) -> Shape:
    left, right = inputs[0].shape, inputs[1].shape
    if len(left) < 2 or len(right) < 2 or left[-1] != right[-2]:
        raise ValueError("matrices that do not fit")
    return *np.broadcast_shapes(left[:-2], right[:-2]), left[-2], right[-1]


def _flatten(inputs: Inputs, attributes: Attributes) -> Shape:
    shape, axis = inputs[0].shape, one_of(attributes, "axis", 1)
    return prod(shape[:axis]), prod(shape[axis:])


def _reduce(inputs: Inputs, attributes: Attributes) -> Shape:
    shape = inputs[0].shape
    axes = numbers_of(inputs, attributes, 1, "axes")
    gone = {axis_of(axis, len(shape)) for axis in axes} if axes else set(range(len(shape)))
    kept = one_of(attributes, "keepdims", 1)
    return tuple(1 if place in gone else side for place, side in enumerate(shape) if kept or place not in gone)


def _cast(inputs: Inputs, attributes: Attributes) -> list[Tensor]:
    shape, values = inputs[0]
    return [Tensor(shape, values if one_of(attributes, "to", 0) in (_INT32, _INT64) else None)]


def _identity(inputs: Inputs, _: Attributes) -> list[Tensor]:
    return [inputs[0], inputs[0]]


_SAME = (  # noqa: SIM905
    "Abs BatchNormalization Ceil Clip DequantizeLinear Dropout Elu Erf Exp Floor GroupNormalization HardSigmoid HardSwish "
    "InstanceNormalization LayerNormalization LeakyRelu Log LogSoftmax LpNormalization Gelu Mish Neg Not QuantizeLinear Reciprocal "
    "Relu Round Selu Sigmoid Sign Softmax Softplus Sqrt Tanh"
).split()
_BROADCAST = "Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or PRelu Pow Sub Sum Where".split()  # noqa: SIM905
_REDUCE = "ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare".split()  # noqa: SIM905

OPERATORS_OF_OTHERS: dict[str, Callable[[Inputs, Attributes], Shape | list[Tensor]]] = {
    **dict.fromkeys(_SAME, _same),
    **dict.fromkeys(_BROADCAST, _broadcast),
    **dict.fromkeys(_REDUCE, _reduce),
    **MOVING,
    "AveragePool": _pool,
    "Cast": _cast,
    "Conv": _conv,
    "ConvInteger": _conv,
    "DynamicQuantizeLinear": lambda inputs, _: [Tensor(inputs[0].shape), Tensor(()), Tensor(())],
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": _global,
    "GlobalMaxPool": _global,
    "Identity": _identity,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "MaxPool": _pool,
    "QLinearConv": lambda inputs, attributes: _conv(inputs, attributes, 3),
}
"""Operators of networks that turn images into vectors: convolutional ones and transformers, in 32, 16 and 8 bits."""

_ON_NUMBERS: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Div": lambda left, right: np.trunc(left / right),
    "Equal": np.equal,
    "Max": np.maximum,
    "Min": np.minimum,
    "Mul": np.multiply,
    "Sub": np.subtract,
    "Where": np.where,
}
"""Operators that graphs put shapes together with."""
