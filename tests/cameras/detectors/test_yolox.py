"""YOLOX: what its numbers mean, and what is no YOLOX."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from resight.cameras import Frame
from resight.cameras.detectors import load_detector
from resight.cameras.detectors.yolox import WEIGHTS, letterbox
from resight.drawn.video import Films, film
from resight.errors import DownloadError, WeightsError
from support import SHARED, needs_shared

NANO = SHARED / "weights/yolox_nano.onnx"
CELLS = 64 + 16 + 4  # of 64x64 pixels


def frame(height: int, width: int, seed: int = 0) -> Frame:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Frame(pixels=pixels, time=0.0, index=0)


def network(path: Path, output: NDArray[np.float32], operator: str = "Add", shape: tuple[int, ...] = (1, 3, 64, 64)) -> Path:
    """A graph that always gives the same."""
    value = numpy_helper.from_array(output.astype(np.float32)[None], "value")
    zero = numpy_helper.from_array(np.zeros((1, 1, 1), np.float32), "zero")
    nodes = [helper.make_node(operator, ["value", "zero"][: 2 if operator == "Add" else 1], ["output"])]
    ends = [helper.make_tensor_value_info(name, 1, size) for name, size in (("images", shape), ("output", value.dims))]
    made = helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:], [value, zero]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.save(made, path)
    return path


def cells(**people: tuple[float, ...]) -> NDArray[np.float32]:
    found = np.zeros((CELLS, 7), np.float32)
    for cell, numbers in people.items():
        found[int(cell[1:])] = numbers
    return found


def test_a_cell_becomes_a_box_of_the_frame(tmp_path: Path) -> None:
    # Cell 11 of the first grid is in row 1, column 3; cell 82 is in row 1, column 0 of the grid of 32 pixels.
    numbers = cells(c11=(0.5, 0.25, 0, math.log(3), 0.9, 1, 0), c82=(0.5, -0.5, 0, 0, 0.5, 0.8, 1), c83=(0, 0, 0, 0, 1, 0, 1))
    detector = load_detector(f"yolox:{network(tmp_path / 'a.onnx', numbers)}", threshold=0.3)
    found = detector.detect(frame(32, 128))  # is letterboxed to 16x64
    np.testing.assert_allclose(found.xyxy, [[2 * 24, 2 * -2, 2 * 32, 2 * 22], [0, 0, 64, 64]], rtol=1e-5)
    np.testing.assert_allclose(found.confidence, [0.9, 0.4])
    assert len(load_detector(f"yolox:{tmp_path / 'a.onnx'}", threshold=0.5).detect(frame(64, 64))) == 1


def test_of_boxes_that_overlap_the_surest_is_left(tmp_path: Path) -> None:
    numbers = cells(c11=(0, 0, 1, 1, 0.8, 1, 0), c12=(-0.9, 0, 1, 1, 0.9, 1, 0), c60=(0, 0, 0, 0, 0.2, 1, 0))
    found = load_detector(f"yolox:{network(tmp_path / 'a.onnx', numbers)}").detect(frame(64, 64))
    np.testing.assert_allclose(found.confidence, [0.9, 0.2])


def test_a_frame_is_letterboxed_on_gray() -> None:
    canvas, scale = letterbox(np.full((20, 40, 3), 200, np.uint8), (64, 64))
    assert scale == 1.6
    assert (canvas[:32] == 200).all() and (canvas[32:] == 114).all()


def oracle(pixels: NDArray[np.uint8], height: int, width: int) -> list[tuple[float, list[float]]]:
    """Confidence and box of each cell, in pixels of the letterboxed frame, by a graph that the package onnx has made for a size."""
    model = onnx.load(NANO)
    for value, sides in ((model.graph.input[0], {2: height, 3: width}), (model.graph.output[0], {1: height * width * 21 // 1024})):
        for place, side in sides.items():
            value.type.tensor_type.shape.dim[place].dim_value = side
    canvas = letterbox(pixels, (height, width))[0]
    raw = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(
        None, {"images": canvas[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32)}
    )[0][0]
    expected, cell = [], 0
    for stride in (8, 16, 32):
        for y in range(height // stride):
            for x in range(width // stride):
                a, b, w, h, seen, person = map(float, raw[cell, :6])
                cell += 1
                w, h = math.exp(w) * stride, math.exp(h) * stride
                left, top = (a + x) * stride - w / 2, (b + y) * stride - h / 2
                expected.append((seen * person, [left, top, left + w, top + h]))
    assert cell == len(raw)
    return expected


@needs_shared("weights/yolox_nano.onnx")
@pytest.mark.parametrize(("size", "looked_at"), [((200, 300), (288, 416)), ((100, 100), (416, 416)), ((500, 90), (416, 96))])
def test_the_published_network_by_a_slow_oracle(size: tuple[int, int], looked_at: tuple[int, int]) -> None:
    given = frame(*size)
    given.pixels[40:180, 40:90] = (200, 60, 40)
    scale = letterbox(given.pixels, (416, 416))[1]
    score, box = max(oracle(given.pixels, *looked_at))
    found = load_detector(f"yolox:{NANO}", threshold=score * 0.999).detect(given)
    np.testing.assert_allclose(found.confidence, [score], rtol=1e-4)
    np.testing.assert_allclose(found.xyxy[0], np.array(box) / scale, rtol=1e-4, atol=1e-2)


@needs_shared("weights/yolox_nano.onnx")
def test_the_gray_that_is_left_out_changes_little() -> None:
    drawn = next(film(Films(people=6, cameras=2, seconds=1, rate=1, size=(240, 426)), 1))
    found = load_detector(f"yolox:{NANO}").detect(Frame(pixels=drawn.pixels, time=0.0, index=0))
    score, box = max(oracle(drawn.pixels, 416, 416))  # with all of it
    assert score > 0.7 and found.confidence.max() == pytest.approx(score, abs=0.05)
    best = found.xyxy[found.confidence.argmax()]
    np.testing.assert_allclose(best, np.array(box) * 426 / 416, atol=1.5)
    np.testing.assert_allclose(best, drawn.xyxy[0], atol=3)


def test_what_is_no_detector_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no network")
    network(tmp_path / "size.onnx", np.zeros((CELLS - 1, 7)))
    network(tmp_path / "input.onnx", np.zeros((CELLS, 7)), shape=(1, 64))
    network(tmp_path / "strange.onnx", np.zeros((CELLS, 7)), operator="Erf")
    for name, said in {
        "none.onnx": "cannot be read",
        "text.onnx": "not an ONNX file",
        "size.onnx": r"expected YOLOX's \[1, 3, height, width\]",
        "input.onnx": "expected YOLOX's",
        "strange.onnx": "holds the operator 'Erf'",
    }.items():
        with pytest.raises(WeightsError, match=said) as error:
            load_detector(f"yolox:{tmp_path / name}")
        assert name in str(error.value) and "\n" not in str(error.value)
    nan = network(tmp_path / "nan.onnx", cells(c5=(math.nan, 0, 0, 0, 1, 1, 0)))
    with pytest.raises(WeightsError, match=r"nan\.onnx gives NaN or infinity"):
        load_detector(f"yolox:{nan}").detect(frame(64, 64))


def test_without_network_the_message_names_file_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object) -> bytes:
        raise OSError("no route to host")

    monkeypatch.setenv("RESIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr("resight.networks.published._download", offline)
    for reference in ("yolox", "yolox:nano"):
        with pytest.raises(DownloadError) as error:
            load_detector(reference)
        said = str(error.value)
        assert (
            str(tmp_path / "weights") in said and "yolox_nano.onnx" in said and WEIGHTS["nano"].url in said and "no route" in said
        )
