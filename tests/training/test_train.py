"""Whole trainings on a drawn camera network: what they leave behind, what they refuse, and what a kill costs."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from conftest import TINY
from resight import files
from resight.datasets import open_dataset
from resight.datasets.records import UNKNOWN, Dataset, Split
from resight.errors import (
    CheckpointError,
    ConfigurationError,
    DatasetError,
    ImageError,
    ResightError,
    StorageError,
    WeightsError,
)
from resight.files import sha256_file
from resight.images import load_pixels
from resight.models import load_model
from resight.networks import build
from resight.networks.card import load_network, read_card
from resight.networks.published import PUBLISHED
from resight.training.config import TrainConfig
from resight.training.data import Extra, prepare, unlabelled_records
from resight.training.train import initial_network, train
from support import market1501, needs_market1501


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "network.safetensors")


def test_a_run_leaves_everything_behind(tiny: Path, tiny_run: Path) -> None:
    assert {path.name.split(".")[0] for path in tiny_run.iterdir()} == {"card", "network", "history", "curves", "events"}
    network, card = load_network(tiny_run)
    assert card.preprocessing.size == (64, 32)
    assert card.training["kind"] == "alone"
    assert len(card.identities) == network.classes == 6  # 2 of 8 people are held out
    assert set(card.identities) < set(open_dataset(tiny).train.identity_names())
    history = json.loads((tiny_run / "history.json").read_text())
    assert [row["epoch"] for row in history["epochs"]] == list(range(1, 9))
    assert set(history["epochs"][-1]["validation"]) == {"rank1", "map"}
    assert history["provenance"]["seed"] == 0
    assert (tiny_run / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_training_teaches(tiny: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(TINY, optimiser="adam", learning_rate=0.003, validation="none")
    run = train(tiny, tmp_path / "run", config)
    history = json.loads((run / "history.json").read_text())["epochs"]
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
    assert history[-1]["accuracy"] > history[0]["accuracy"] + 0.1


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tiny: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(TINY, epochs=1, validation="none")
    first, same, other = (
        weights(train(tiny, tmp_path / name, dataclasses.replace(config, seed=seed)))
        for name, seed in (("first", 0), ("same", 0), ("other", 1))
    )
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["backbone.conv1.weight"], other["backbone.conv1.weight"])


def test_a_finished_run_is_not_trained_again(tiny: Path, tiny_run: Path) -> None:
    before = (tiny_run / "network.safetensors").stat().st_mtime_ns
    assert train(tiny, tiny_run, TINY) == tiny_run
    assert (tiny_run / "network.safetensors").stat().st_mtime_ns == before
    with pytest.raises(CheckpointError, match="another configuration; choose another --out"):
        train(tiny, tiny_run, dataclasses.replace(TINY, epochs=9))


def test_the_strong_recipe_leaves_a_run_like_any_other(tiny: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(
        TINY,
        last_stride=1,
        neck=True,
        images_per_identity=4,
        optimiser="adam",
        learning_rate=1e-3,
        schedule="cosine",
        warm_up=0.5,
        average=0.9,
        pad=4,
        erase=0.5,
        label_smoothing=0.1,
        triplet_weight=1.0,
    )
    run = train(tiny, tmp_path / "run", config)
    model = load_model(str(run))
    assert model.distance == "cosine"
    card = read_card(run)
    assert (card.neck, card.last_stride) == (True, 1)
    history = json.loads((run / "history.json").read_text())["epochs"]
    assert min(row["loss"] for row in history[1:]) < history[0]["loss"] and history[-1]["learning_rate"] < 1e-4
    assert history[-1]["loss"] == pytest.approx(history[-1]["hard"] + history[-1]["triplet"], rel=1e-5)
    # what was validated last is what is shipped: the average, compared by cosine
    prepared = prepare(open_dataset(tiny), (64, 32), fraction=0.25)
    assert prepared.validate is not None
    assert prepared.validate(model.network) == pytest.approx(history[-1]["validation"])


def test_a_run_from_before_a_field_was_added_is_still_finished(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    card = json.loads((run / "card.json").read_text())
    del card["configuration"]["neck"], card["configuration"]["erase"], card["training"]["sha256"]
    (run / "card.json").write_text(json.dumps(card))
    assert train(tiny, run, TINY) == run
    with pytest.raises(CheckpointError, match="another configuration; choose another --out"):
        train(tiny, run, dataclasses.replace(TINY, neck=True))
    for damaged, message in (
        ([], "is damaged"),
        (card | {"configuration": 3}, "another configuration"),
        (card | {"configuration": {"neck": "yes"}}, "another configuration"),
        ({"format": "resight-distance-1", "distance": "xqda"}, f"{run} holds another kind of model"),
    ):
        (run / "card.json").write_text(json.dumps(damaged))
        with pytest.raises(CheckpointError, match=rf"{message}.*; choose another --out"):
            train(tiny, run, TINY)


def test_a_run_of_other_data_is_neither_taken_for_this_one_nor_gone_on_with(tiny: Path, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "training":
            raise KeyboardInterrupt

    config, stopped = dataclasses.replace(TINY, epochs=1), tmp_path / "stopped"
    run = train(tiny, tmp_path / "run", config)
    with pytest.raises(KeyboardInterrupt):
        train(tiny, stopped, config, checkpoint_seconds=0, progress=stop)
    other = shutil.copytree(tiny, tmp_path / "other")
    assert train(other, run, config) == run  # the same images, wherever they lie
    image = sorted((other / "bounding_box_train").iterdir())[0]
    shutil.copy(sorted((other / "query").iterdir())[0], image)
    for out, found in ((run, "holds a finished run"), (stopped, "belongs to a run")):
        with pytest.raises(CheckpointError, match=f"{found} with other training data; choose another --out"):
            train(other, out, config)
    image.unlink()
    image.symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(CheckpointError, match="with other training data"):  # a link to nothing is left out
        train(other, run, config)


def test_a_run_from_other_initial_weights_is_not_taken_for_this_one(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, run = tmp_path / "start.safetensors", tmp_path / "run"
    save_file(build("mobilenet-0.25", 3, seed=1).state_dict(), file)
    digest = sha256_file(file)
    (known, *_) = PUBLISHED.values()
    monkeypatch.setitem(PUBLISHED, "start", dataclasses.replace(known, sha256=digest, terms="ask first"))
    config = dataclasses.replace(TINY, epochs=1, weights=str(file), validation="none")
    training = read_card(train(tiny, run, config)).training
    assert (training["sha256"]["initial weights"], training["terms"]["initial weights"]) == (digest, "ask first")
    assert train(tiny, run, config) == run
    save_file(build("mobilenet-0.25", 3, seed=2).state_dict(), file)
    with pytest.raises(CheckpointError, match="holds a finished run with other initial weights; choose another --out"):
        train(tiny, run, config)
    card = json.loads((run / "card.json").read_text())
    del card["training"]["sha256"]["initial weights"]
    (run / "card.json").write_text(json.dumps(card))
    assert train(tiny, run, config) == run  # a card that does not say


def test_a_damaged_run_is_not_called_finished(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    file = run / "network.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    for _ in range(2):
        with pytest.raises(
            CheckpointError, match=f"not the file that its card describes; restore it, or delete {run} to train again"
        ):
            train(tiny, run, TINY)
        file.unlink(missing_ok=True)


def test_weights_that_overflow_in_the_last_step_are_not_saved(tiny: Path, tmp_path: Path) -> None:
    wild = {"learning_rate": 100.0, "momentum": 100.0, "weight_decay": 1000.0, "batch_size": 80, "epochs": 5}  # one step each
    with pytest.raises(ResightError, match=r"is not finite after the training \(.*\); lower --learning-rate"):
        train(tiny, tmp_path / "run", dataclasses.replace(TINY, validation="none", **wild))
    assert not (tmp_path / "run" / "card.json").exists() and not (tmp_path / "run" / "network.safetensors").exists()


def test_a_killed_process_resumes_to_the_same_weights(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from conftest import TINY; from resight.training.train import train;"
        f"train({str(tiny)!r}, {str(tmp_path / 'run')!r}, TINY, checkpoint_seconds=0)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment)
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    train(tiny, tmp_path / "run", TINY, checkpoint_seconds=0)
    undisturbed, resumed = weights(tiny_run), weights(tmp_path / "run")
    assert all(torch.equal(undisturbed[name], resumed[name]) for name in undisturbed)
    assert not checkpoint.exists()
    assert not [path for path in (tmp_path / "run").iterdir() if path.name == "checkpoint.safetensors"]


def test_two_processes_do_not_train_in_one_folder(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with files.claimed(run, "trains"), pytest.raises(ConfigurationError, match=r"another process trains in .*; wait for it, or"):
        train(tiny, run, TINY)
    shutil.copytree(tiny_run, run, dirs_exist_ok=True)
    assert train(tiny, run, TINY) == run  # as it does after the other process has finished
    assert not (run / ".lock").exists()


def test_a_full_disk_leaves_nothing_half_written(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    config = dataclasses.replace(TINY, epochs=1)
    with pytest.raises(StorageError, match="No space left on device; free space"):
        train(tiny, tmp_path / "run", config)
    left = {path.name.split(".")[0] for path in (tmp_path / "run").iterdir()}
    assert left <= {"events"}
    monkeypatch.undo()
    train(tiny, tmp_path / "run", config)
    assert load_network(tmp_path / "run")


def test_a_full_disk_keeps_the_last_checkpoint(tiny: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    flush = os.fsync

    def full_after_some(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(descriptor)

    monkeypatch.setattr(files.os, "fsync", full_after_some)
    with pytest.raises(StorageError):
        train(tiny, tmp_path / "run", TINY, checkpoint_seconds=0)
    monkeypatch.undo()
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()
    train(tiny, tmp_path / "run", TINY)
    undisturbed, resumed = weights(tiny_run), weights(tmp_path / "run")
    assert all(torch.equal(undisturbed[name], resumed[name]) for name in undisturbed)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"network": "mobilnet-0.25"}, ConfigurationError, "did you mean 'mobilenet-0.25'"),
        ({"weights": "missing.h5"}, WeightsError, "missing.h5"),
        ({"validation": "sometimes"}, ConfigurationError, "identity, image or none"),
        ({"height": 16}, ConfigurationError, "16x32 pixels; expected 32 or more"),
        ({"pad": 32}, ConfigurationError, "pad = 32 pixels for images of 64x32; expected fewer than the shorter side"),
        (
            {"network": "osnet-0.25", "last_stride": 1},
            ConfigurationError,
            "last_stride = 1, and OSNet has no last stride to change",
        ),
        ({"images_per_identity": 4, "batch_size": 4}, DatasetError, "1 people in a batch of 4 with 4 images each"),
        ({"images_per_identity": 2, "batch_size": 32}, DatasetError, "16 people in a batch of 32 with 2 images each"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    tiny: Path, tmp_path: Path, change: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train(tiny, tmp_path / "run", dataclasses.replace(TINY, **change))


def test_weights_with_a_neck_are_trained_on_with_one(tiny: Path, tmp_path: Path) -> None:
    necked = build("mobilenet-0.25", 3, seed=1, neck=True)
    save_file(necked.state_dict(), tmp_path / "necked.safetensors")
    config = TrainConfig(weights=str(tmp_path / "necked.safetensors"), neck=True)
    network = initial_network(config, 3)
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in necked.state_dict().items())
    with pytest.raises(ConfigurationError, match="has a neck"):
        initial_network(dataclasses.replace(config, neck=False), 3)


def test_one_person_cannot_be_told_apart(tiny: Path, tmp_path: Path) -> None:
    dataset = open_dataset(tiny)
    one = dataset.train.select(dataset.train.identities == dataset.train.people()[0])
    alone = Dataset("one", tiny, (Split(one, dataset.query, dataset.gallery),))
    with pytest.raises(DatasetError, match="at least two"):
        train(alone, tmp_path / "run", dataclasses.replace(TINY, validation="none"))
    with pytest.raises(DatasetError, match="two people"):
        train(alone, tmp_path / "run", TINY)


def test_a_truncated_image_is_named(tiny: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(tiny, root)
    victim = sorted((root / "bounding_box_train").iterdir())[3]
    victim.write_bytes(victim.read_bytes()[:-200])
    (root / "drawn.json").unlink()
    with pytest.raises(ImageError, match=rf"1 of \d+ images cannot be read: .*{victim.name}.*ends too early"):
        train(root, tmp_path / "run", dataclasses.replace(TINY, validation="none"))


def test_damaged_runs_are_refused(tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    content = (run / "network.safetensors").read_bytes()
    (run / "network.safetensors").write_bytes(content[:-4] + b"\x00\x00\x80\x3f")
    with pytest.raises(WeightsError, match="SHA-256 differs"):
        load_model(str(run))
    (run / "network.safetensors").write_bytes(content)
    assert load_model(str(run)).embedding_size == 256
    card = json.loads((run / "card.json").read_text())
    for wrong in (
        {"identities": [1, 2]},
        {"architecture": "osnet-0.25"},
        {"architecture": 3},
        {"preprocessing": {}},
        {"preprocessing": card["preprocessing"] | {"colour": "xyz"}},
        {"preprocessing": card["preprocessing"] | {"height": 3_000_000}},
        {"preprocessing": card["preprocessing"] | {"std": [1, 0, 1]}},
        {"preprocessing": card["preprocessing"] | {"mean": [10**400, 0, 0]}},
        {"format": "?"},
    ):
        (run / "card.json").write_text(json.dumps(card | wrong))
        with pytest.raises(WeightsError):
            load_model(str(run))
    for damaged in ("{", "[" * 100_000):
        (run / "card.json").write_text(damaged)
        with pytest.raises(WeightsError, match="not JSON"):
            read_card(run)
    (run / "card.json").unlink()
    with pytest.raises(WeightsError, match="no finished network"):
        load_model(str(run))


def test_held_out_people_are_not_trained_on(tiny: Path) -> None:
    dataset = open_dataset(tiny)
    prepared = prepare(dataset, (64, 32), validation="identity", fraction=0.25)
    everyone = set(dataset.train.people().tolist())
    assert len(everyone - set(prepared.identities.tolist())) == 2
    assert set(prepared.records.identities.tolist()) == set(prepared.identities.tolist())
    assert np.array_equal(prepared.identities[prepared.labels], prepared.records.identities)
    assert prepared.validate is not None
    figures = prepared.validate(build("mobilenet-0.25", len(prepared.identities)))
    assert 0 <= figures["map"] <= 100


def test_whom_a_training_holds_out_is_its_own_seed(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    same, other = (
        set(read_card(train(tiny, tmp_path / name, dataclasses.replace(TINY, epochs=1, **change))).identities)
        for name, change in (("same", {"seed": 1}), ("other", {"held_out_seed": 1}))
    )
    assert set(read_card(tiny_run).identities) == same != other


def test_held_out_images_are_not_none(tiny: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(TINY, epochs=1, validation="image", held_out=0.005)
    with pytest.raises(ConfigurationError, match=r"held_out = 0\.005 of \d+ images is not one image; hold out more"):
        train(tiny, tmp_path / "run", config)
    with pytest.raises(ConfigurationError, match="no loss teaches it; set validation to identity or none"):
        prepare(open_dataset(tiny), (64, 32), validation="image", identities=False)
    run = train(tiny, tmp_path / "run", dataclasses.replace(config, held_out=0.02))
    assert json.loads((run / "history.json").read_text())["epochs"][0]["validation"].keys() == {"accuracy"}


@needs_market1501
def test_the_papers_division_of_market1501() -> None:
    from resight.datasets.splits import by_image

    train_part, held_out = by_image(open_dataset(market1501()).train, round(0.1 * 12936))
    assert (len(train_part), len(held_out)) == (11642, 1294)
    assert len(train_part.people()) == 751


def test_unlabelled_images_are_none_of_the_data_set(tiny: Path, tmp_path: Path) -> None:
    dataset, crops = open_dataset(tiny), tmp_path / "crops"
    (crops / "deeper").mkdir(parents=True)
    for records, number in ((dataset.train, 0), (dataset.query, 1), (dataset.gallery, 2)):
        (crops / f"{number}.jpg").symlink_to(records.paths[0])
        shutil.copy(records.paths[0], crops / "deeper" / f"{number}.jpg")
    (crops / "notes.txt").touch()
    found = unlabelled_records([crops], dataset.paths("train", "query", "gallery"))
    assert found.paths == tuple(str(crops / "deeper" / f"{number}.jpg") for number in range(3))
    assert found.notes == ("3 of 6 unlabelled images are images of the data set; they are left out",)
    left_out = {"ending not read: .txt": 1, "of the data set, among the unlabelled images": 3}
    assert found.accounting.to_dict() == {"there": 7, "used": 3, "left_out": left_out}
    assert not found.cameras[found.cameras != UNKNOWN].size


def test_images_without_an_identity_come_after_the_others_at_every_size(tiny: Path) -> None:
    dataset = open_dataset(tiny)
    crops = dataset.gallery.select(np.arange(5))
    prepared = prepare(dataset, (64, 32), validation="none", extra=Extra(crops, copies=2))
    people = len(dataset.train)
    assert prepared.labels.shape == (people + 5 + 2 * people,) and len(prepared.pixels) == len(prepared.labels)
    assert (prepared.labels[:people] >= 0).all() and (prepared.labels[people:] == -1).all()
    assert np.array_equal(prepared.pixels[people : people + 5], load_pixels(crops.paths, (64, 32)))
    for size in ((64, 32), (96, 40)):
        labelled, unlabelled, copies = prepared.parts(size)
        assert [len(part) for part in (labelled, unlabelled, copies)] == [people, 5, 2 * people]
        assert np.array_equal(labelled, load_pixels(dataset.train.paths, size))
        assert prepared.copies is not None and np.array_equal(copies, prepared.copies.of(labelled))
    assert [len(part) for part in prepare(dataset, (64, 32), validation="none").parts((64, 32))] == [people]
