"""Open Model Zoo's detectors on OpenVINO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resight.cameras import Frame
from resight.cameras.detectors import load_detector
from resight.errors import DownloadError, WeightsError
from support import SHARED, needs_shared

RETAIL = SHARED / "weights/person-detection-retail-0013.xml"


@needs_shared("weights/person-detection-retail-0013.xml")
def test_its_list_of_boxes() -> None:
    import openvino

    pixels = np.random.default_rng(0).integers(0, 256, (160, 272, 3), dtype=np.uint8)
    pixels[30:150, 100:140] = (40, 60, 120)
    enlarged = np.asarray(load_pixels(pixels, (320, 544)), np.float32)[..., ::-1].transpose(2, 0, 1)[None]
    rows = openvino.Core().compile_model(str(RETAIL), "CPU").create_infer_request().infer([np.ascontiguousarray(enlarged)])[0][0, 0]
    surest = rows[np.argmax(rows[:, 2])]
    detector = load_detector(f"omz:{RETAIL}", threshold=float(surest[2]) * 0.98, threads=1)
    found = detector.detect(Frame(pixels=pixels, time=0.0, index=0))
    best = int(np.argmax(found.confidence))
    assert found.confidence[best] == pytest.approx(surest[2], rel=0.02)
    np.testing.assert_allclose(found.xyxy[best], surest[3:] * [272, 160, 272, 160], atol=3)


def load_pixels(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    import cv2

    return cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_LINEAR)


@needs_shared("weights/person-reidentification-retail-0288.xml")
def test_a_network_of_the_zoo_that_is_no_detector() -> None:
    with pytest.raises(WeightsError, match=r"expected a detector's \[1, 3, height, width\] and \[1, 1, n, 7\]"):
        load_detector(f"omz:{SHARED / 'weights/person-reidentification-retail-0288.xml'}")


def test_what_is_no_network(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<net")
    with pytest.raises(WeightsError, match=r"a\.bin: cannot be read"):
        load_detector(f"omz:{tmp_path / 'a.xml'}")
    (tmp_path / "a.bin").write_bytes(b"")
    with pytest.raises(WeightsError, match="OpenVINO refuses it"):
        load_detector(f"omz:{tmp_path / 'a.xml'}")


def test_without_network_the_message_names_file_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object) -> bytes:
        raise OSError("no route to host")

    monkeypatch.setenv("RESIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr("resight.networks.published._download", offline)
    with pytest.raises(DownloadError, match=r"0013\.bin is missing and .* cannot be downloaded .no route") as error:
        load_detector("omz")
    assert f"put it into {tmp_path / 'weights'} as" in str(error.value)


@needs_shared("weights/person-detection-retail-0013.xml")
def test_what_the_table_names_is_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESIGHT_CACHE", str(tmp_path))
    (tmp_path / "weights").mkdir()
    for ending in (".xml", ".bin"):
        (tmp_path / "weights" / RETAIL.with_suffix(ending).name).symlink_to(RETAIL.with_suffix(ending))
    assert load_detector("omz:person-detection-retail-0013").name == "person-detection-retail-0013"
