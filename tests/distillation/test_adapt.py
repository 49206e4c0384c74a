"""A student is adapted to crops that nobody labelled."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from resight.cli import main
from resight.datasets import open_dataset
from resight.datasets.image_list import find_images
from resight.datasets.records import JUNK, UNKNOWN, Records
from resight.distillation.adapt import _hold_out, adapt, agreement, teachers_of
from resight.distillation.config import AdaptConfig
from resight.errors import CheckpointError, ConfigurationError, DatasetError, ImageError
from resight.gallery import Gallery, Settings, find_crops
from resight.images import load_pixels
from resight.models import load_model
from resight.models.pytorch import network_outputs
from resight.models.shipped import load_shipped
from resight.networks.card import load_network, read_card
from support import SHARED, needs_shared


@pytest.fixture(scope="module")
def crops(tiny: Path) -> Records:
    """All crops of a drawn data set, as nobody labelled them."""
    found = find_images(tiny / "bounding_box_train")
    return dataclasses.replace(found, identities=np.full(len(found), JUNK))


def config(**changes: object) -> AdaptConfig:
    return AdaptConfig(**({"start": "student-fastest", "batch_size": 16, "held_out": 0.25} | changes))  # type: ignore[arg-type]


def test_a_student_comes_to_see_what_its_teacher_sees(crops: Records, tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    how = config(teacher=(str(tiny_run),), epochs=8, copies=3, start="student-fast")
    report = adapt(crops, tmp_path / "run", how, labelled=open_dataset(tiny), cache=tmp_path)
    assert report["agreement"]["after"] > report["agreement"]["before"] + 5
    assert set(report["scores"]) == {"before", "after"}
    assert (report["crops"], report["held_out"]) == (len(crops), len(crops) // 4)
    model = load_model(str(tmp_path / "run"))
    assert model.size == (128, 64)


def test_without_a_teacher_a_student_that_knows_its_cameras_teaches_itself(crops: Records) -> None:
    assert teachers_of(config(), crops) == ("student-fastest",)
    assert teachers_of(config(teacher=("omz-0277",)), crops) == ("omz-0277",)
    unknown = dataclasses.replace(crops, cameras=np.full(len(crops), UNKNOWN))
    for how, seen in (({}, unknown), ({"epochs": 0}, crops), ({"start": "mobilenet-0.25-imagenet"}, crops)):
        assert teachers_of(config(**how), seen) == ()


def test_without_epochs_only_statistics_move(crops: Records, tmp_path: Path) -> None:
    adapt(crops, tmp_path / "run", config(epochs=0), cache=tmp_path)
    before = load_shipped("student-fastest")[0].network
    after = load_model(str(tmp_path / "run")).network.state_dict()
    for name, tensor in before.state_dict().items():
        if "running_" not in name and name in after and tensor.shape == after[name].shape and "num_batches" not in name:
            torch.testing.assert_close(after[name], tensor, rtol=0, atol=0)
    # The first normalisation, by hand: half-way between its mean and that of what reaches it.
    name, first = next((n, m) for n, m in before.named_modules() if isinstance(m, torch.nn.BatchNorm2d))
    seen: list[torch.Tensor] = []
    first.register_forward_hook(lambda module, given, out: seen.append(given[0].mean((0, 2, 3))))
    old = first.running_mean.clone()
    learned = load_pixels(_hold_out(crops, config())[0].paths, (128, 64))
    network_outputs(before, learned, batch_size=len(learned))
    torch.testing.assert_close(after[f"{name}.running_mean"], (old + seen[-1]) / 2, rtol=0.02, atol=0.02)


def test_statistics_moved_before_are_neither_moved_again_nor_overwritten(crops: Records, tiny_run: Path, tmp_path: Path) -> None:
    start, run = shutil.copytree(tiny_run, tmp_path / "start"), tmp_path / "run"
    how = config(start=str(start), epochs=0)
    adapt(crops, run, how, cache=tmp_path)
    card, written = read_card(run), (run / "network.safetensors").stat().st_mtime_ns
    assert (card.configuration["start"], card.training["kind"], card.training["dataset"]) == (str(start), "adapted", "crops")
    assert card.provenance["configuration"] == card.configuration
    assert card.training["sha256"]["initial weights"] == read_card(start).weights_sha256
    named = dataclasses.replace(crops, identities=np.arange(len(crops)))  # nobody looks at the names
    adapt(named, run, how, cache=tmp_path)
    taught = {"teacher": (str(tiny_run),), "epochs": 1, "copies": 0}
    for other, changes, message in (
        (crops.select(np.arange(1, len(crops))), {}, "other training data"),
        (crops, {"start": "student-fast"}, "of another configuration"),
        (crops, taught, "of another configuration"),
    ):
        with pytest.raises(CheckpointError, match=f"{run} holds a finished run .*{message}; choose another --out"):
            adapt(other, run, dataclasses.replace(how, **changes), cache=tmp_path)
    shutil.rmtree(start)
    adapt(crops, start, config(start="student-fast", epochs=0), cache=tmp_path)
    with pytest.raises(CheckpointError, match="other initial weights"):
        adapt(crops, run, how, cache=tmp_path)
    assert (run / "network.safetensors").stat().st_mtime_ns == written


@needs_shared("weights/mobilenet_2_5_224_tf_no_top.h5")
def test_published_weights_keep_the_last_maps_large(crops: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESIGHT_CACHE", str(tmp_path))
    (tmp_path / "weights").mkdir()
    shutil.copy(SHARED / "weights/mobilenet_2_5_224_tf_no_top.h5", tmp_path / "weights")
    adapt(crops, tmp_path / "run", config(start="mobilenet-0.25-imagenet", epochs=0), cache=tmp_path)
    network, card = load_network(tmp_path / "run")
    assert (card.last_stride, card.neck, network.embedding_size) == (1, True, 256)
    assert network.maps(torch.zeros(1, 3, 128, 64)).shape[2:] == (8, 4)  # 4 by 2 with the stride as published
    assert card.training["terms"]["initial weights"].startswith("MIT")


def test_held_out_tracklets_are_whole(crops: Records) -> None:
    tracklets = tuple(str(row // 4) for row in range(len(crops)))
    parts = _hold_out(dataclasses.replace(crops, tracklets=tracklets), config())
    assert not set(parts[0].tracklets) & set(parts[1].tracklets)
    assert sum(map(len, parts)) == len(crops)
    # Crops without a tracklet are not one tracklet.
    parts = _hold_out(dataclasses.replace(crops, tracklets=("t",) + ("",) * (len(crops) - 1)), config())
    assert all("" in part.tracklets for part in parts)


def test_agreement_counts_common_neighbours() -> None:
    teacher = np.array([[1, 2], [0, 2], [0, 1]])
    assert agreement(teacher, teacher[:, ::-1]) == 100
    assert agreement(teacher, np.array([[1, 3], [3, 4], [1, 0]])) == pytest.approx(50)


def test_what_cannot_be_adapted_is_refused(crops: Records, tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"16 crops are too few: \d+ would judge the result"):
        adapt(crops.select(np.arange(16)), tmp_path / "few", config())
    (tmp_path / "other").mkdir()
    shutil.copytree(tiny_run, tmp_path / "other", dirs_exist_ok=True)
    with pytest.raises(CheckpointError, match="holds a finished run of another configuration"):
        adapt(crops, tmp_path / "other", config(epochs=0))
    with pytest.raises(ConfigurationError, match=r"lomo is no network in PyTorch; start from student"):
        adapt(crops, tmp_path / "lomo", config(start="lomo"))
    with pytest.raises(ConfigurationError, match="leave out --teacher"):
        adapt(crops, tmp_path / "none", config(epochs=0, teacher=("omz-0277",)))
    (tmp_path / "labelled.csv").write_text("path,identity,camera,split\na.jpg,1,1,train\nb.jpg,2,1,query\nc.jpg,2,2,gallery\n")
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(b"no image")
    with pytest.raises(ImageError):
        adapt(crops, tmp_path / "late", config(), labelled=open_dataset(tmp_path / "labelled.csv"))
    assert not (tmp_path / "late").exists()  # before hours of training
    with pytest.raises(ConfigurationError, match=r"held_out = 0[.]9"):
        config(held_out=0.9)


def test_the_verb_writes_a_model_that_embeds(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    options = ["--start", "student-fastest", "--batch-size", "16", "--held-out", "0.25", "--epochs", "1", "--cache", str(tmp_path)]
    given = ["adapt", "--images", str(tiny), "--part", "train", "--labelled", str(tiny), "--out", str(run)]
    assert main([*given, *options, "--json", str(tmp_path / "report.json")]) == 0
    said = capsys.readouterr()
    assert "student.onnx: adapted to 60 crops; on 20 crops held out" in said.out
    assert "files: 298 there, 148 used, 150 left out" in said.out + said.err  # to learn from, and to judge
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["agreement"]["after"] > 0 and report["scores"]["after"]["map"] > 0
    assert report["terms"]["training data"] == "drawn, no image of a real person"
    pixels = load_pixels(open_dataset(tiny).query.paths[:4], (128, 64))
    both = [load_model(str(place)).extract(pixels) for place in (run, run / "student.onnx")]
    np.testing.assert_allclose(*both, rtol=1e-3, atol=1e-4)
    (tmp_path / "link").symlink_to(tiny)
    other = ["adapt", "--images", str(tmp_path / "link"), "--labelled", str(tiny), "--out", str(tmp_path / "b")]
    assert main([*other, *options]) == 2  # all crops but those of the training: those that judge among them
    said = capsys.readouterr()
    assert "the student learns crops of" in said.err and "68 crops are too few" in said.err


def test_options_that_have_no_effect_are_named_before_the_work(
    crops: Records, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "crops").mkdir()
    for number, path in enumerate(crops.paths):  # names that tell no camera
        shutil.copy(path, tmp_path / "crops" / f"{number}.jpg")
    given = ["adapt", "--images", str(tmp_path / "crops"), "--start", "student-fastest", "--batch-size", "16", "--held-out", "0.25"]
    for epochs, noted in (("3", True), ("0", False)):
        assert main([*given, "--epochs", epochs, "--out", str(tmp_path / epochs)]) == 0
        said = capsys.readouterr().err
        note = "only the statistics of normalisation: --epochs, --learning-rate, --copies and --neighbours have no effect"
        assert (f"note: without --teacher, a start from ImageNet, or crops of one camera, moves {note}" in said) == noted


def test_a_gallery_teaches_by_the_crops_that_it_keeps(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    model = load_model("student-fastest")
    with Gallery.create(tmp_path / "people", Settings.for_model("student-fastest", model, retention=None)) as gallery:
        crops = find_crops(tiny / "bounding_box_train")
        gallery.enrol(model, [dataclasses.replace(crop, tracklet=f"t{row // 4}") for row, crop in enumerate(crops)])
    given = ["adapt", "--images", str(tmp_path / "people"), "--out", str(tmp_path / "run"), "--teacher", str(tiny_run)]
    given += ["--start", "student-fastest", "--batch-size", "16", "--held-out", "0.25", "--copies", "0", "--epochs"]
    assert main([*given, "1", "--json", str(tmp_path / "report.json")]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["crops"] == len(crops) and report["held_out"] % 4 == 0  # whole tracklets
    assert "drawn" in report["terms"][f"teacher {tiny_run}"]
    assert load_model(str(tmp_path / "run" / "student.onnx")).size == (128, 64)
    assert not (tmp_path / "run" / "crops").exists()
    assert main([*given, "2"]) == 2  # another run is there: what was copied goes again
    assert not (tmp_path / "run" / "crops").exists()
