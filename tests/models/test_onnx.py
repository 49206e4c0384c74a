"""Exported models on ONNX Runtime against NumPy and PyTorch; without PyTorch; and files that lie."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models.exported_models import BIAS, SIZE, WEIGHT, colours, mean_colours, noise, save
from resight.errors import ArrayError, ConfigurationError, WeightsError
from resight.export.model import export_model
from resight.models import load_model
from resight.models.embedding import embed_files
from resight.models.onnx import OnnxModel


def test_vectors_are_those_of_numpy(tmp_path: Path) -> None:
    model = load_model(str(save(tmp_path / "m.onnx")))
    assert (model.size, model.embedding_size, model.distance) == (SIZE, 6, "cosine")
    assert (model.parameters, model.multiply_adds, model.name) == (24, 18, "colours fp32 onnx")
    for count in (0, 1, 7, 8, 9, 64):
        pixels = noise(count)
        vectors = model.extract(pixels)
        assert vectors.dtype == np.float32 and vectors.shape == (count, 6)
        np.testing.assert_allclose(vectors, mean_colours(pixels), rtol=1e-5, atol=1e-4)


def test_neither_threads_nor_layout_change_a_vector(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx")
    pixels = noise(100)
    expected = OnnxModel(path, threads=1).extract(pixels)
    assert np.array_equal(OnnxModel(path, threads=3).extract(pixels), expected)
    assert np.array_equal(OnnxModel(path).extract(np.asfortranarray(pixels)), expected)
    assert np.array_equal(np.concatenate([OnnxModel(path).extract(pixels[i : i + 1]) for i in range(10)]), expected[:10])


def test_a_fixed_batch_is_filled_up(tmp_path: Path) -> None:
    model = OnnxModel(save(tmp_path / "m.onnx", colours(batch=4)))
    for count in (0, 1, 4, 5, 11):
        np.testing.assert_allclose(model.extract(noise(count)), mean_colours(noise(count)), rtol=1e-5, atol=1e-4)


def test_it_embeds_what_the_exported_network_embeds(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    export_model(str(tiny_run), tmp_path / "m.onnx")
    ours, torchs = load_model(str(tmp_path / "m.onnx")), load_model(str(tiny_run), device="cpu")
    paths = [str(path) for path in sorted((tiny / "query").glob("*.jpg"))]
    np.testing.assert_allclose(embed_files(ours, paths), embed_files(torchs, paths), rtol=1e-4, atol=1e-5)
    assert (ours.size, ours.embedding_size, ours.distance) == (torchs.size, torchs.embedding_size, torchs.distance)
    assert (ours.parameters, ours.multiply_adds) == (torchs.parameters, torchs.multiply_adds)
    assert ours.sha256 != torchs.sha256


_WITHOUT = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "scipy", "numba", "matplotlib", "onnx", "openvino", "h5py", "PIL"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
from resight.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_extract_needs_no_pytorch(tiny: Path, tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", colours())
    command = [sys.executable, "-c", _WITHOUT, "extract", "--images", str(tiny), "--out", str(tmp_path / "v"), "--threads", "1"]
    done = subprocess.run([*command, "--model", str(path)], capture_output=True, text=True)
    assert (done.returncode, "images/s" in done.stdout) == (0, True), done.stderr
    assert len(np.load(tmp_path / "v.npy")) == len(
        list((tiny / "query").glob("*.jpg")) + list((tiny / "bounding_box_test").glob("*.jpg"))
    )
    assert subprocess.run([*command, "--model", "osnet-0.25"], capture_output=True).returncode == 2


def test_other_pixels_are_refused(tmp_path: Path) -> None:
    model = OnnxModel(save(tmp_path / "m.onnx"))
    with pytest.raises(ArrayError, match=r"got uint8 \(2, 16, 32, 3\); expected uint8 \(n, 32, 16, 3\)"):
        model.extract(noise(2, (16, 32)))
    with pytest.raises(ArrayError, match="float32"):
        model.extract(noise(2).astype(np.float32))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cuda"}, "runs on the processor"),
        ({"height": 64}, "takes images of 32x16 pixels only"),
        ({"width": 17}, "takes images of 32x16 pixels only"),
    ],
)
def test_what_an_exported_model_cannot_do(options: dict[str, object], message: str, tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx")
    assert load_model(str(path), height=32, width=16).size == SIZE
    with pytest.raises(ConfigurationError, match=message):
        load_model(str(path), **options)  # type: ignore[arg-type]


def renamed(model: onnx.ModelProto, old: str, new: str) -> onnx.ModelProto:
    for value in (*model.graph.input, *model.graph.output):
        value.name = new if value.name == old else value.name
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    return model


def with_inputs(*more: onnx.ValueInfoProto) -> onnx.ModelProto:
    model = colours()
    model.graph.input.extend(more)
    return model


def lying(kind: str) -> onnx.ModelProto:
    """Models whose graph is not what their card says."""
    match kind:
        case "input name":
            return renamed(colours(), "images", "pixels")
        case "output name":
            return renamed(colours(), "embeddings", "vectors")
        case "input size":
            return colours(size=(16, 32))
        case "output size":
            return colours(weight=WEIGHT[:5], bias=BIAS[:5])
        case "another input":
            return with_inputs(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))
        case "input type":
            model = colours()
            model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT8
            return model
        case "open size":
            model = colours()
            model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "height"
            return model
        case "no batch":
            return colours(batch=0)
        case "two batches":
            model = colours(batch=4)
            model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 5
            return model
        case _:
            raise AssertionError(kind)


@pytest.mark.parametrize(
    "kind",
    [
        "input name",
        "output name",
        "input size",
        "output size",
        "another input",
        "input type",
        "open size",
        "no batch",
        "two batches",
    ],
)
def test_a_graph_that_is_not_what_its_card_says_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"m\.onnx: (its graph has .*its card says|ONNX Runtime refuses it).*export it again"):
        OnnxModel(save(tmp_path / "m.onnx", lying(kind)))


def test_nan_is_an_error_that_names_an_image(tiny: Path, tmp_path: Path) -> None:
    model = OnnxModel(save(tmp_path / "m.onnx", colours(bias=np.full(6, np.nan, np.float32))))
    paths = [str(path) for path in sorted((tiny / "query").glob("*.jpg"))][:3]
    with pytest.raises(ArrayError, match=r"colours fp32 onnx gives NaN or infinity for .*jpg"):
        embed_files(model, paths)


def one_vector_less(*more: onnx.NodeProto) -> onnx.ModelProto:
    """The small model, which takes of every two images beside each other the brighter colours; a runtime foresees no number."""
    model = colours()
    model.graph.node[2].output[0] = "all"
    for place, node in enumerate(
        (
            helper.make_node("Transpose", ["all"], ["column"], perm=[3, 1, 0, 2]),
            helper.make_node("MaxPool", ["column"], ["pairs"], kernel_shape=[2, 1]),
            helper.make_node("Transpose", ["pairs"], ["means"], perm=[2, 1, 3, 0]),
            *more,
        )
    ):
        model.graph.node.insert(3 + place, node)
    return model


def test_a_model_whose_shapes_do_not_fit_is_refused_before_it_runs(tmp_path: Path) -> None:
    # One and two can be added up, seven and eight cannot.
    model = one_vector_less(helper.make_node("Add", ["all", "means"], ["sums"]))
    model.graph.node[7].input[0] = "sums"
    with pytest.raises(WeightsError, match=r"m\.onnx: its operator Add does not fit what goes into it"):
        OnnxModel(save(tmp_path / "m.onnx", model))


def test_vectors_of_a_wrong_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"5 images gave vectors of shape \(4, 6\)"):
        OnnxModel(save(tmp_path / "m.onnx", one_vector_less())).extract(noise(5))
