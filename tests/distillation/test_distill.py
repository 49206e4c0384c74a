"""Whole distillations on a drawn camera network."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from conftest import TINY
from resight.cli import main
from resight.datasets import open_dataset
from resight.distillation.config import DistillConfig
from resight.distillation.distill import distill
from resight.distillation.mutual import MutualLoss
from resight.errors import CheckpointError, ConfigurationError, DatasetError
from resight.files import sha256_file
from resight.models import load_model
from resight.models.fitted import fit_model
from resight.networks import build
from resight.networks.card import read_card
from resight.networks.network import ReidNetwork
from resight.training.train import train


def config(*teachers: Path | str, **changes: object) -> DistillConfig:
    values = dataclasses.asdict(TINY) | {"teacher": tuple(map(str, teachers)), "temperature": 2.0}
    return DistillConfig(**(values | changes))  # type: ignore[arg-type]


def rows(run: Path) -> list[dict[str, float]]:
    return json.loads((run / "history.json").read_text())["epochs"]


def test_a_student_is_taught(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    run = distill(tiny, tmp_path / "student", config(tiny_run, hard_weight=0.001), cache=tmp_path)
    card = read_card(run)
    assert card.training["kind"] == "distilled"
    (teacher,) = card.training["teachers"]
    assert (teacher["name"], teacher["sha256"]) == ("teacher", read_card(tiny_run).weights_sha256)
    assert set(teacher["entropy"]["nats"]) == {"1", "2", "3", "5", "10", "20", "30"}
    assert teacher["accuracy"] > 34  # six people: a third is twice chance
    row = rows(run)[-1]
    assert row["loss"] == pytest.approx(row["soft"] + 0.001 * row["hard"], rel=1e-5)


def test_an_automatic_temperature_is_the_one_that_the_card_names(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    adam = {"optimiser": "adam", "learning_rate": 0.001, "epochs": 1}
    chosen = distill(tiny, tmp_path / "auto", config(tiny_run, temperature="auto", **adam), cache=tmp_path)
    about = read_card(chosen).training
    (teacher,) = about["teachers"]
    nats = teacher["entropy"]["nats"][f"{about['temperature']:g}"]
    assert nats == pytest.approx(teacher["entropy"]["uniform"] - 0.05, abs=0.005)
    named = distill(tiny, tmp_path / "named", config(tiny_run, temperature=about["temperature"], **adam), cache=tmp_path)
    assert rows(named)[0]["soft"] == rows(chosen)[0]["soft"]


def test_cached_and_online_targets_teach_the_same(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    """The steps are so short that only the biases that began at 0 hold them: each is the sum of its gradients.

    Longer steps let a difference of 1e-6 grow: batch normalisation divides by the spread of a few values of the last, small maps.
    """
    # the teacher has another input size than the student, so that it is given images of its own
    students, losses = [], []
    for targets in ("cached", "online"):
        how = config(tiny_run, targets=targets, attention_weight=10.0, height=96, width=64, epochs=1, learning_rate=1e-12)
        run = distill(tiny, tmp_path / targets, how, cache=tmp_path)
        students.append(load_file(run / "network.safetensors"))
        losses.append([rows(run)[0][name] for name in ("soft", "attention")])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5) and min(losses[0]) > 0.01
    learned = [name for name, tensor in students[0].items() if name.endswith(".bias") and 0 < tensor.abs().max() < 1e-6]
    assert len(learned) == 28
    for name, tensor in students[0].items():
        difference = (students[1][name] - tensor).double()
        assert difference.norm() <= 1e-3 * tensor.double().norm(), name


ALONE = {"soft_weight": 0.0, "hard_weight": 0.0, "epochs": 12, "batch_size": 16, "learning_rate": 0.05, "flip": False}
KINDS = {
    "soft": {"soft_weight": 1.0, "temperature": 1.0},
    "embedding": {"embedding_weight": 1.0, "neck": True},
    "similarity": {"similarity_weight": 10.0, "neck": True},
    "rkd": {"rkd_weight": 10.0, "neck": True},
    "attention": {"attention_weight": 1000.0, "last_stride": 1},
    "hint": {"hint_weight": 1.0, "targets": "online", "last_stride": 1},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_lowers_its_term(kind: str, tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    run = distill(tiny, tmp_path / "student", config(tiny_run, **(ALONE | KINDS[kind])), cache=tmp_path)
    terms = [row[kind] for row in rows(run)]
    assert terms[-1] < 0.8 * terms[0], terms
    # what the loss learned itself, or learned beside, is not in what is shipped
    network, plain = load_model(str(run)).network, load_model("mobilenet-0.25").network
    own = {name for name in network.state_dict() if not name.startswith(("neck", "classifier"))}
    assert own == {name for name in plain.state_dict() if not name.startswith("classifier")}


def test_everything_at_once_resumes_to_the_same_student(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    everything = {f"{kind}_weight": 1.0 for kind in ("hard", "soft", "triplet", "embedding", "similarity", "rkd", "attention")}
    how = config(
        tiny_run,
        **everything,  # type: ignore[arg-type]
        hint_weight=1.0,
        mutual_weight=1.0,
        targets="online",
        images_per_identity=4,
        neck=True,
        average=0.9,
        epochs=2,
        optimiser="adam",
        learning_rate=1e-3,
    )
    whole = load_file(distill(tiny, tmp_path / "whole", how, cache=tmp_path) / "network.safetensors")

    def stop(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "training" and done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distill(tiny, tmp_path / "resumed", how, cache=tmp_path, checkpoint_seconds=0, progress=stop)
    held = load_file(tmp_path / "resumed" / "checkpoint.safetensors")
    assert any("mutual.peer" in name for name in held) and any("hint.regressors" in name for name in held)
    resumed = load_file(distill(tiny, tmp_path / "resumed", how, cache=tmp_path) / "network.safetensors")
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    (row, _) = rows(tmp_path / "whole")
    parts = ["hard", "triplet", "soft", "embedding", "similarity", "rkd", "attention", "hint", "mutual"]
    assert row["loss"] == pytest.approx(sum(row[part] for part in parts), rel=1e-4)


def test_two_teachers_teach_what_they_say_together(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    other = shutil.copytree(tiny_run, tmp_path / "other")
    run = distill(tiny, tmp_path / "student", config(tiny_run, other, epochs=1, embedding_weight=1.0), cache=tmp_path)
    assert [teacher["name"] for teacher in read_card(run).training["teachers"]] == ["teacher", "other"]
    assert read_card(run).configuration["teacher"] == [str(tiny_run), str(other)]
    before = (run / "network.safetensors").stat().st_mtime_ns
    assert distill(tiny, run, config(tiny_run, other, epochs=1, embedding_weight=1.0), cache=tmp_path) == run
    assert (run / "network.safetensors").stat().st_mtime_ns == before


def test_a_run_with_another_teacher_is_neither_taken_for_this_one_nor_gone_on_with(
    tiny: Path, tiny_run: Path, tmp_path: Path
) -> None:
    def stop(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "training":
            raise KeyboardInterrupt

    teacher = shutil.copytree(tiny_run, tmp_path / "teacher")
    how = config(teacher, soft_weight=0.0, embedding_weight=1.0, hard_weight=1.0, epochs=2)
    run, stopped = distill(tiny, tmp_path / "run", how, cache=tmp_path), tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        distill(tiny, stopped, how, cache=tmp_path, checkpoint_seconds=0, progress=stop)
    shutil.rmtree(teacher)
    train(tiny, teacher, dataclasses.replace(TINY, epochs=1, seed=5))
    for out, found in ((run, "holds a finished run"), (stopped, "belongs to a run")):
        with pytest.raises(CheckpointError, match=f"{found} with other weights of the teacher {teacher}; choose another --out"):
            distill(tiny, out, how, cache=tmp_path)


def test_a_teacher_of_other_people_teaches_embeddings_alone(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    everyone = {"validation": "none", "epochs": 1}  # two of whom the teacher never saw
    with pytest.raises(ConfigurationError, match="does not know 2 of the 8"):
        distill(tiny, tmp_path / "student", config(tiny_run, **everyone), cache=tmp_path)
    how = config(tiny_run, **everyone, soft_weight=0.0, similarity_weight=1.0, attention_weight=1.0)
    run = distill(tiny, tmp_path / "student", how, cache=tmp_path)
    assert len(read_card(run).identities) == 8
    (teacher,) = read_card(run).training["teachers"]
    assert set(teacher) == {"name", "sha256"}


def test_a_model_that_is_no_network_teaches(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    fitted = fit_model(open_dataset(tiny), tmp_path / "xqda", str(tiny_run), "xqda", dimensions=5)
    how = config(fitted, soft_weight=0.0, embedding_weight=1.0, hard_weight=1.0, epochs=1)
    assert distill(tiny, tmp_path / "student", how, cache=tmp_path)
    soft = distill(tiny, tmp_path / "b", config(fitted, epochs=1), cache=tmp_path)
    assert read_card(soft).training["teachers"][0]["accuracy"] > 34
    with pytest.raises(ConfigurationError, match="set targets to cached"):
        distill(tiny, tmp_path / "c", config(fitted, epochs=1, targets="online"), cache=tmp_path)
    for name, changes in (("attention", {}), ("hint", {"targets": "online"})):
        with pytest.raises(ConfigurationError, match=f"xqda has no feature maps; set {name}_weight to 0"):
            distill(tiny, tmp_path / "b", config(fitted, soft_weight=0.0, **{f"{name}_weight": 1.0}, **changes), cache=tmp_path)
    # two fits to one network are two teachers, which the cache must not take for each other
    first = load_model(str(fitted)).sha256
    fit_model(open_dataset(tiny), tmp_path / "xqda", str(tiny_run), "xqda", dimensions=4)
    assert load_model(str(fitted)).sha256 != first


def test_mutual_learning_needs_no_teacher(tiny: Path, tmp_path: Path) -> None:
    run = distill(tiny, tmp_path / "a", config(soft_weight=0.0, hard_weight=1.0, mutual_weight=1.0, epochs=1), cache=tmp_path)
    card = read_card(run)
    assert (card.training["teachers"], card.training["peer"]) == ([], "mobilenet-0.25")
    row = rows(run)[0]
    assert row["loss"] == pytest.approx(row["hard"] + row["mutual"], rel=1e-5)
    how = config(soft_weight=0.0, mutual_weight=1.0, peer="osnet-0.25", epochs=1, last_stride=1, seed=2**63 - 1)
    assert read_card(distill(tiny, tmp_path / "b", how, cache=tmp_path)).training["peer"] == "osnet-0.25"
    with pytest.raises(ConfigurationError, match=r"did you mean 'osnet-0\.25'"):
        distill(tiny, tmp_path / "wrong", config(mutual_weight=1.0, soft_weight=0.0, peer="osnet-025"), cache=tmp_path)


def test_a_peer_starts_from_its_own_weights(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peers = []

    class Watched(MutualLoss):
        def __init__(self, peer: ReidNetwork, *rest: Any) -> None:
            peers.append({name: tensor.clone() for name, tensor in peer.state_dict().items()})
            super().__init__(peer, *rest)

    monkeypatch.setattr("resight.distillation.mutual.MutualLoss", Watched)
    file = tmp_path / "peer.safetensors"
    save_file(build("osnet-0.25", 3, seed=7).state_dict(), file)
    how = config(soft_weight=0.0, mutual_weight=1.0, peer="osnet-0.25", peer_weights=str(file), epochs=1)
    run = distill(tiny, tmp_path / "run", how, cache=tmp_path)
    (found,) = peers
    assert all(torch.equal(found[name], tensor) for name, tensor in load_file(file).items() if not name.startswith("classifier"))
    assert read_card(run).training["sha256"]["weights of the peer"] == sha256_file(file)


def test_a_student_learns_the_truth_from_its_peer_alone(tiny: Path, tmp_path: Path) -> None:
    run = distill(tiny, tmp_path / "student", config(**(ALONE | {"mutual_weight": 1.0})), cache=tmp_path)
    first, last = rows(run)[0], rows(run)[-1]
    assert last["peer_hard"] < 0.9 * first["peer_hard"]
    assert last["accuracy"] > 2 / 6 > first["accuracy"]  # six people, and no loss of its own
    network, plain = load_model(str(run)).network, load_model("mobilenet-0.25").network
    assert network.state_dict().keys() == plain.state_dict().keys()  # the peer is not shipped


def test_teachers_that_cannot_teach_are_refused(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--teacher RUN"):
        distill(tiny, tmp_path / "a", config(), cache=tmp_path)
    shuffled = train(tiny, tmp_path / "untaught", dataclasses.replace(TINY, epochs=1, learning_rate=1e-9))
    with pytest.raises(ConfigurationError, match="hardly more than chance"):
        distill(tiny, tmp_path / "c", config(shuffled), cache=tmp_path)


def test_images_without_an_identity_take_part(
    tiny: Path, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crops = tmp_path / "crops" / "deeper"
    crops.mkdir(parents=True)
    for number, image in enumerate(sorted((tiny / "bounding_box_test").glob("*.jpg"))[:9]):
        shutil.copy(image, crops / f"{number}.jpg")
    for number, part in enumerate(("query", "bounding_box_test", "bounding_box_train")):  # of the data set itself: left out
        (crops / f"link-{number}.jpg").symlink_to(sorted((tiny / part).iterdir())[0])
    how = config(
        tiny_run,
        embedding_weight=1.0,
        triplet_weight=1.0,
        images_per_identity=2,
        unlabelled=(str(crops.parent),),
        copies=2,
        epochs=2,
        colour=0.3,
        coarse=0.3,
        height=48,  # the teacher is asked at another size
    )
    whole = distill(tiny, tmp_path / "whole", how, cache=tmp_path)
    card = read_card(whole)
    assert card.training["images_without_identity"] == 9 + 2 * card.training["images"]
    assert card.training["sha256"]["unlabelled images"]
    # six of eight images in a batch have an identity
    assert [row["steps"] for row in rows(whole)] == [card.training["images"] // 6, 2 * (card.training["images"] // 6)]

    def stop(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "training" and done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distill(tiny, tmp_path / "resumed", how, cache=tmp_path, checkpoint_seconds=0, progress=stop)
    resumed = load_file(distill(tiny, tmp_path / "resumed", how, cache=tmp_path) / "network.safetensors")
    assert all(torch.equal(resumed[name], tensor) for name, tensor in load_file(whole / "network.safetensors").items())

    given = ["distill", "--data", str(tiny), "--teacher", str(tiny_run), "--unlabelled", str(crops), "--cache", str(tmp_path)]
    given += ["--epochs", "1", "--held-out", "0.25", "--batch-size", "8"]
    assert main([*given, "--out", str(tmp_path / "verb")]) == 0
    said = capsys.readouterr()
    assert "note: 3 of 12 unlabelled images are images of the data set; they are left out" in said.err
    assert "3 of the data set, among the unlabelled images" in said.out

    (crops / "0.jpg").write_bytes(b"no image")
    assert main([*given, "--out", str(tmp_path / "skipped")]) == 2
    assert main([*given, "--out", str(tmp_path / "skipped"), "--skip-unreadable"]) == 0
    images = [read_card(tmp_path / name).training["images_without_identity"] for name in ("verb", "skipped")]
    assert images == [9, 8]
    (crops / "0.jpg").unlink()
    with pytest.raises(CheckpointError, match="finished run with other unlabelled images"):
        distill(tiny, tmp_path / "whole", how, cache=tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no images in this folder or in the folders inside it"):
        distill(tiny, tmp_path / "none", dataclasses.replace(how, unlabelled=(str(tmp_path / "empty"),)), cache=tmp_path)
    with pytest.raises(DatasetError, match="unlabelled images are images of the data set; they are left out, and none is left"):
        distill(tiny, tmp_path / "none", dataclasses.replace(how, unlabelled=(str(tiny / "query"),)), cache=tmp_path)
