"""`extract`: what it writes, and that no kill, full disk or bad image changes it."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.exported_models import WEIGHT, colours, mean_colours, save
from models.test_embedding import MeanColours, write_images
from resight.cli import main
from resight.datasets.image_list import find_images
from resight.datasets.records import Records
from resight.errors import ArrayError, ConfigurationError, ImageError, StorageError
from resight.extraction import vector_file
from resight.extraction.extract import extract
from resight.extraction.vector_file import VectorFile
from resight.images import read_image
from resight.models import embedding as extraction
from resight.models import load_model


@pytest.fixture(autouse=True)
def chunks_of_16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "CHUNK", 16)


@pytest.fixture
def images(tmp_path: Path) -> Records:
    """70 images, three of which are bad."""
    paths = write_images(tmp_path / "images", 70)
    for number, data in ((0, b""), (33, b"no image"), (69, Path(paths[69]).read_bytes()[:50])):
        Path(paths[number]).write_bytes(data)
    return Records(tuple(paths), np.arange(70) % 9 - 1, np.arange(70) % 4 - 1)


def result(out: Path) -> tuple[bytes, bytes]:
    return Path(f"{out}.npy").read_bytes(), Path(f"{out}.csv").read_bytes()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_what_it_writes(images: Records, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    out = tmp_path / "deep" / "v"
    report = extract(MeanColours(), images, out, progress=lambda stage, done, total, note="": seen.append((stage, done, total)))
    vectors = np.load(f"{out}.npy")
    with open(f"{out}.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    kept = [place for place in range(70) if place not in (0, 33, 69)]
    assert vectors.dtype == np.float32 and vectors.shape == (67, 6)
    assert [row["path"] for row in rows] == [images.paths[place] for place in kept]
    assert [int(row["identity"]) for row in rows] == [place % 9 - 1 for place in kept]
    assert [int(row["camera"]) for row in rows] == [place % 4 - 1 for place in kept]
    assert {row["model_sha256"] for row in rows} == {"0" * 64}
    for vector, row in zip(vectors, rows, strict=True):
        np.testing.assert_allclose(vector, mean_colours(read_image(row["path"], size=(32, 16))[None])[0], rtol=1e-5)
    assert report == json.loads(Path(f"{out}.report.json").read_text())
    assert [failure["path"] for failure in report["failures"]] == [images.paths[place] for place in (0, 33, 69)]
    assert [failure["reason"] for failure in report["failures"]] == [
        "the file is empty",
        "not an image of a known format (JPEG, PNG, WebP, BMP, GIF, TIFF, HEIC, AVIF)",
        "the PNG file ends too early",
    ]
    assert (report["images"], report["vectors"], report["embedding_size"]) == (70, 67, 6)
    assert report["images_per_second"] == pytest.approx(70 / report["seconds"])
    assert seen == [("extracting (mean)", done, 70) for done in (16, 32, 48, 64, 70)]
    assert names(tmp_path / "deep") == ["v.csv", "v.npy", "v.report.json"]


def test_file_names_that_are_no_text_and_no_csv(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    source = write_images(folder, 1)[0]
    odd = [b"a,b.png", b'"c".png', b"d\ne.png", b"caf\xe9.png", "é.png".encode(), b"bad\xff.png"]
    for name in odd[:-1]:
        (folder / os.fsdecode(name)).write_bytes(Path(source).read_bytes())
    (folder / os.fsdecode(odd[-1])).write_bytes(b"bad")
    report = extract(MeanColours(), find_images(folder), tmp_path / "v")
    table = io.TextIOWrapper(io.BytesIO((tmp_path / "v.csv").read_bytes()), "utf-8", "surrogateescape", newline="")
    found = {os.fsencode(row["path"]).rpartition(b"/")[2] for row in csv.DictReader(table)}
    assert found == {*odd[:-1], b"00000.png"}
    assert report["failures"][0]["path"].endswith(r"bad\xff.png")


def test_finished_work_is_not_done_again(images: Records, tmp_path: Path) -> None:
    first = extract(MeanColours(), images, tmp_path / "v")
    before = result(tmp_path / "v"), os.stat(tmp_path / "v.npy").st_mtime_ns
    model = MeanColours()
    assert extract(model, images, tmp_path / "v") == first
    assert extract(model, images, tmp_path / "v", overwrite=True) == first
    assert model.counts == []
    assert (result(tmp_path / "v"), os.stat(tmp_path / "v.npy").st_mtime_ns) == before
    assert names(tmp_path) == ["v.csv", "v.npy", "v.report.json"]


def other_model(images: Records) -> tuple[MeanColours, Records, dict[str, Any]]:
    model = MeanColours()
    model.sha256 = "1" * 64
    return model, images, {}


def other_length(images: Records) -> tuple[MeanColours, Records, dict[str, Any]]:
    model = MeanColours(lambda vectors: vectors[:, :2])
    model.embedding_size = 2
    return model, images, {}


def other_device(images: Records) -> tuple[MeanColours, Records, dict[str, Any]]:
    return MeanColours(), images, {"device": "cuda"}


def other_list(images: Records) -> tuple[MeanColours, Records, dict[str, Any]]:
    return MeanColours(), images.select(range(69)), {}


def other_order(images: Records) -> tuple[MeanColours, Records, dict[str, Any]]:
    return MeanColours(), images.select(list(range(69, -1, -1))), {}


def other_labels(images: Records) -> tuple[MeanColours, Records, dict[str, Any]]:
    return MeanColours(), Records(images.paths, images.identities, images.cameras + 1), {}


def other_content(images: Records) -> tuple[MeanColours, Records, dict[str, Any]]:
    os.utime(images.paths[7], ns=(1, 1))
    return MeanColours(), images, {}


def repaired(images: Records) -> tuple[MeanColours, Records, dict[str, Any]]:
    Path(images.paths[0]).write_bytes(Path(images.paths[1]).read_bytes())
    return MeanColours(), images, {}


class Stop(BaseException):
    """A kill, but for the process: nothing catches it."""


def stopping(after: int) -> MeanColours:
    """A model that is killed at its chunk number `after`."""

    def stop(vectors: Any) -> Any:
        if len(model.counts) > after:
            raise Stop
        return vectors

    model = MeanColours(stop)
    return model


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    "change",
    [other_model, other_length, other_device, other_list, other_order, other_labels, other_content, repaired],
    ids=lambda change: change.__name__,
)
def test_other_work_is_neither_mixed_nor_lost(
    change: Callable[[Records], tuple[MeanColours, Records, dict[str, Any]]], finished: bool, images: Records, tmp_path: Path
) -> None:
    if finished:
        extract(MeanColours(), images, tmp_path / "v")
    else:
        with pytest.raises(Stop):
            extract(stopping(2), images, tmp_path / "v", checkpoint_seconds=0)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    model, records, options = change(images)
    with pytest.raises(ConfigurationError, match=r"v\.npy.* (exist|is unfinished), from another model.*--overwrite"):
        extract(model, records, tmp_path / "v", options=options)
    assert model.counts == []
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before
    extract(model, records, tmp_path / "v", options=options, overwrite=True)
    extract(change(images)[0], records, tmp_path / "w", options=options)
    assert result(tmp_path / "v") == result(tmp_path / "w")


@pytest.mark.parametrize("after", range(6))
def test_work_goes_on_after_a_stop(after: int, images: Records, tmp_path: Path) -> None:
    extract(MeanColours(), images, tmp_path / "whole")
    if after < 5:
        with pytest.raises(Stop):
            extract(stopping(after), images, tmp_path / "v", checkpoint_seconds=0)
    model = MeanColours()
    report = extract(model, images, tmp_path / "v")
    assert sum(model.counts) == 70 - 16 * (after % 5)  # no chunk twice
    assert result(tmp_path / "v") == result(tmp_path / "whole")
    assert [failure["path"] for failure in report["failures"]] == [images.paths[place] for place in (0, 33, 69)]
    assert names(tmp_path) == sorted(f"{name}.{kind}" for name in ("v", "whole") for kind in ("csv", "npy", "report.json"))


def stops(monkeypatch: pytest.MonkeyPatch, module: Any, call: str, number: int) -> None:
    """Stop before call number `number` of one function of the system."""
    original, calls = getattr(module, call), 0

    def stop(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            raise Stop
        return original(*arguments, **options)

    monkeypatch.setattr(module, call, stop)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_work_goes_on_after_a_stop_at_every_write(
    call: str, images: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(MeanColours(), images, tmp_path / "whole")
    for number in range(1, 100):
        out = tmp_path / f"v{number}"
        with monkeypatch.context() as patch:
            stops(patch, os, call, number)
            try:
                extract(MeanColours(), images, out, checkpoint_seconds=0)
            except Stop:
                pass
            else:
                break
        extract(MeanColours(), images, out)
        assert result(out) == result(tmp_path / "whole")
    assert number > 3


def test_a_stop_after_the_last_step_is_no_loss(images: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything has its name, and the journal is still there."""
    with monkeypatch.context() as patch:
        stops(patch, vector_file, "sync_folder", 1)
        with pytest.raises(Stop):
            extract(MeanColours(), images, tmp_path / "v", checkpoint_seconds=0)
    assert "v.npy.journal" in names(tmp_path) and "v.npy" in names(tmp_path)
    model = MeanColours()
    extract(model, images, tmp_path / "v")
    assert model.counts == []
    assert names(tmp_path) == ["v.csv", "v.npy", "v.report.json"]


def test_two_at_once_are_refused(images: Records, tmp_path: Path) -> None:
    with VectorFile(tmp_path / "v.npy", 6, "f") as other:
        other.start()
        with pytest.raises(StorageError, match="another extraction is writing"):
            extract(MeanColours(), images, tmp_path / "v", overwrite=True)


def test_vectors_that_are_no_numbers_stop_it(images: Records, tmp_path: Path) -> None:
    with pytest.raises(ArrayError, match="mean gives NaN or infinity"):
        extract(MeanColours(lambda vectors: vectors * np.float32(np.nan)), images, tmp_path / "v")


def test_no_good_image_at_all(tmp_path: Path) -> None:
    paths = write_images(tmp_path / "images", 3)
    for path in paths:
        Path(path).write_bytes(b"")
    report = extract(MeanColours(), Records(tuple(paths), np.zeros(3), np.zeros(3)), tmp_path / "v")
    assert np.load(tmp_path / "v.npy").shape == (0, 6)
    assert (report["vectors"], len(report["failures"])) == (0, 3)


def test_no_good_image_at_all_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in write_images(tmp_path / "images", 3):
        Path(path).write_bytes(b"")
    arguments = ["extract", "--model", str(save(tmp_path / "m.onnx")), "--images", str(tmp_path / "images")]
    for _ in range(2):  # also when it is finished
        assert main([*arguments, "--out", str(tmp_path / "v"), "--json", str(tmp_path / "copy.json")]) == 2
        assert capsys.readouterr().err.splitlines()[-1] == (
            f"resight: none of 3 images could be read; {tmp_path / 'v'}.report.json names them"
        )
        assert len(json.loads((tmp_path / "copy.json").read_text())["failures"]) == 3


@pytest.mark.parametrize("model", ["onnx", "openvino", "torch", "lomo", "fitted"])
def test_every_kind_of_model(model: str, tiny: Path, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference = {"torch": str(tiny_run), "lomo": "lomo"}.get(model, "")
    if model in ("onnx", "openvino"):
        if model == "openvino":
            pytest.importorskip("openvino", reason="needs the extra [openvino]")
        reference = ("openvino:" if model == "openvino" else "") + str(save(tmp_path / "m.onnx"))
    if model == "fitted":
        reference = str(tmp_path / "xqda")
        assert main(["fit", "--data", str(tiny), "--model", "lomo", "--dimensions", "5", "--out", reference]) == 0
    arguments = ["extract", "--model", reference, "--images", str(tiny / "query"), "--out", str(tmp_path / "v")]
    assert main([*arguments, "--json", str(tmp_path / "copy.json")]) == 0
    extractor = load_model(reference)
    paths = find_images(tiny / "query").paths
    np.testing.assert_allclose(np.load(tmp_path / "v.npy"), extraction.embed_files(extractor, paths), rtol=1e-4, atol=1e-5)
    report = json.loads((tmp_path / "v.report.json").read_text())
    told = json.loads((tmp_path / "copy.json").read_text())
    assert told.pop("files")["used"] == len(paths)
    assert report == told
    assert (report["model"], report["model_sha256"]) == (extractor.name, extractor.sha256)
    assert report["provenance"]["configuration"] == {"device": "auto"}
    assert "images/s" in capsys.readouterr().out


def test_the_command_line_names_what_is_left_out(images: Records, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "extract",
        "--model",
        str(save(tmp_path / "m.onnx")),
        "--images",
        str(tmp_path / "images"),
        "--out",
        str(tmp_path / "v"),
    ]
    assert main(arguments) == 0
    assert "3 of 70 images cannot be read and are left out" in capsys.readouterr().err
    save(tmp_path / "m.onnx", colours(weight=-WEIGHT))
    assert main(arguments) == 2
    assert "choose another --out, or give --overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0


def test_a_list_is_not_overwritten_with_what_it_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = write_images(tmp_path / "images", 3)
    listed = tmp_path / "people.csv"
    listed.write_text("path\n" + "\n".join(paths) + "\n")
    before = listed.read_bytes()
    arguments = ["extract", "--model", str(save(tmp_path / "m.onnx")), "--images", str(listed), "--out", str(tmp_path / "people")]
    assert main(arguments) == 2
    assert "people.csv exist" in capsys.readouterr().err
    assert listed.read_bytes() == before
    assert names(tmp_path) == ["m.onnx", "people.csv"]


# ---------------------------------------------------------------- real processes

_SMALL_CHUNKS = """
import sys, time
from resight.extraction import extract
from resight.models import embedding as extraction
from resight.cli import main
extraction.CHUNK = extract.CHUNK = 16
original = extraction.read_into
def slowly(*arguments):
    time.sleep(float(sys.argv[1]))
    return original(*arguments)
extraction.read_into = slowly
extract.extract.__kwdefaults__["checkpoint_seconds"] = 0
sys.exit(main(sys.argv[2:]))
"""


def command(folder: Path, out: str, pause: float = 0.0) -> list[str]:
    program = [sys.executable, "-c", _SMALL_CHUNKS, str(pause)]
    return [*program, "extract", "--model", str(folder / "m.onnx"), "--images", str(folder / "images"), "--out", str(folder / out)]


def run(arguments: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=300, **options)


def kill_at_random(folder: Path, kills: int, seed: int) -> tuple[int, int]:
    """Kill one extraction after the other until so many were hit, and hold every result against an undisturbed one.

    Returns
    -------
    tuple of two ints
        Results that were compared; kills that found some of the work done and some not.
    """
    chance = random.Random(seed)
    write_images(folder / "images", 400)
    save(folder / "m.onnx")
    start = time.monotonic()
    assert run(command(folder, "whole")).returncode == 0
    whole = time.monotonic() - start
    expected, compared, amid, hit = result(folder / "whole"), 0, 0, 0
    while hit < kills:
        compared += 1
        out = f"v{compared}"
        while True:
            process = subprocess.Popen(command(folder, out, 0.02), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(chance.uniform(0.3 * whole, 1.3 * whole) if hit < kills else 300)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                hit += 1
                journal = folder / f"{out}.npy.journal"
                amid += journal.exists() and journal.read_bytes().count(b"\n") > 1
                continue
            assert process.returncode == 0
            break
        assert result(folder / out) == expected
        assert not list(folder.glob(f"{out}.npy.*"))
    return compared, amid


def test_kill_9_then_the_same_command(tmp_path: Path) -> None:
    compared, _ = kill_at_random(tmp_path, 3, seed=0)
    assert compared >= 1


@pytest.mark.slow
def test_kill_9_fifty_times(tmp_path: Path) -> None:
    compared, amid = kill_at_random(tmp_path, 50, seed=1)
    assert compared >= 2 and amid >= 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_exits_with_130_and_goes_on(number: int, tmp_path: Path) -> None:
    write_images(tmp_path / "images", 200)
    save(tmp_path / "m.onnx")
    assert run(command(tmp_path, "whole")).returncode == 0
    # A test run in the background may have been told to ignore Ctrl-C, which its children inherit.
    process = subprocess.Popen(
        command(tmp_path, "v", 0.1),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    journal = tmp_path / "v.npy.journal"
    while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 1):
        time.sleep(0.005)
    process.send_signal(number)
    errors = process.communicate(timeout=60)[1]
    assert (process.returncode, "the same command goes on" in errors, "Traceback" in errors) == (130, True, False)
    assert 0 < json.loads(journal.read_text().splitlines()[-1])["done"] < 200
    assert run(command(tmp_path, "v")).returncode == 0
    assert result(tmp_path / "v") == result(tmp_path / "whole")


def test_a_full_disk_is_one_line_and_goes_on(tmp_path: Path) -> None:
    write_images(tmp_path / "images", 200)
    save(tmp_path / "m.onnx")
    assert run(command(tmp_path, "whole")).returncode == 0
    size = (tmp_path / "whole.npy").stat().st_size
    for limit in (size // 3, size - 10):
        found = run(command(tmp_path, "v"), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))  # noqa: B023
        assert (found.returncode, "Traceback" in found.stderr) == (2, False), found.stderr
        assert "v.npy: File too large; free space, then give the same command again" in found.stderr.splitlines()[-1]
        assert not (tmp_path / "v.npy").exists()
    assert run(command(tmp_path, "v")).returncode == 0
    assert result(tmp_path / "v") == result(tmp_path / "whole")


# ---------------------------------------------------------------- hostile images


def mutants(folder: Path, count: int) -> Iterator[Path]:
    """JPEG, PNG and WebP files with bytes changed, cut, repeated or put in."""
    rng = np.random.default_rng(11)
    folder.mkdir()
    for number in range(count):
        kind = ("JPEG", "PNG", "WEBP")[number % 3]
        stream = io.BytesIO()
        picture = Image.fromarray(rng.integers(0, 256, (8, 4, 3), np.uint8)).resize((24, 48), Image.Resampling.BICUBIC)
        picture.save(stream, kind, **({"progressive": bool(number % 2)} if kind == "JPEG" else {}))
        data = bytearray(stream.getvalue())
        for _ in range(rng.integers(1, 8)):
            place = int(rng.integers(len(data) if rng.random() < 0.5 else min(len(data), 64)))
            match rng.integers(5):
                case 0:
                    data[place] = rng.integers(256)
                case 1:
                    data[place : place + 4] = int(rng.choice([0, 1, 255, 65535, 2**31 - 1, 2**32 - 1])).to_bytes(4, "big")
                case 2:
                    del data[place : place + int(rng.integers(1, 200))]
                case 3:
                    data[place:place] = data[place : place + int(rng.integers(1, 200))]
                case _:
                    data[place:place] = rng.bytes(int(rng.integers(1, 20)))
            data = data or bytearray(b"\0")
        path = folder / f"{number:05}.{kind.lower()}"
        path.write_bytes(data)
        yield path


def check_mutants(folder: Path, count: int) -> None:
    paths = tuple(map(str, mutants(folder / "images", count)))
    save(folder / "m.onnx")
    (folder / "list.txt").write_text("\n".join(paths))
    arguments = [
        "-m",
        "resight.cli",
        "extract",
        "--model",
        folder / "m.onnx",
        "--images",
        folder / "list.txt",
        "--out",
        folder / "v",
    ]
    done = run([sys.executable, *map(str, arguments)])
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads((folder / "v.report.json").read_text())
    named = {failure["path"]: failure["reason"] for failure in report["failures"]}
    expected = {}
    for path in paths:
        try:
            read_image(path)
        except ImageError as error:
            expected[path] = str(error).removeprefix(f"{path}: ")
    assert named == expected
    assert count // 5 < len(named) < count  # some mutations leave an image
    assert len(np.load(folder / "v.npy")) == count - len(named) == report["vectors"]


def test_mutated_images_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    check_mutants(tmp_path, 200)


@pytest.mark.slow
def test_a_thousand_mutated_images(tmp_path: Path) -> None:
    check_mutants(tmp_path, 1000)
