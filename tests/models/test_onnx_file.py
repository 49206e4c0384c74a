"""What is read of an ONNX file before any runtime sees it, against the `onnx` package; and files of strangers."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.exported_models import card, colours, noise, save
from resight.errors import ResightError, WeightsError
from resight.models import onnx_graph
from resight.models.onnx import OnnxModel
from resight.models.onnx_file import read_onnx
from support import SHARED, needs_shared


def test_the_card_is_the_metadata(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx")
    file = read_onnx(path)
    entries = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert file.card == json.loads(entries["resight"])
    assert file.data == path.read_bytes()
    assert file.sha256 == hashlib.sha256(file.data).hexdigest()
    assert (file.name, file.size, file.embedding_size, file.distance) == ("colours fp32", (32, 16), 6, "cosine")


def test_a_name_is_safe_to_show(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", colours(metadata={"resight": json.dumps(card(name="a\x1b[31m[/b]\nc" + "d" * 500))}))
    assert read_onnx(path).name.startswith("a__31m_/b__cdd")
    assert len(read_onnx(path).name) <= 120


def test_other_metadata_and_unknown_fields_do_not_matter(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", colours(metadata={"a": "b", "resight": json.dumps(card()), "z": "é"}))
    # Fields that this reader does not know: a number, a text, eight bytes, four bytes.
    path.write_bytes(path.read_bytes() + b"\xf8\x06\x05" + b"\xfa\x06\x02ab" + b"\xf9\x06" + bytes(8) + b"\xfd\x06" + bytes(4))
    assert read_onnx(path).card == card()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "resight-onnx-2"}, "format 'resight-onnx-2'; expected 'resight-onnx-1'"),
        ({"format": None}, "no 'format'"),
        ({"resize": "nearest"}, "resize 'nearest'"),
        ({"distance": "manhattan"}, "distance 'manhattan'"),
        ({"distance": None}, "no 'distance'"),
        ({"input": [32]}, "not enough values"),
        ({"input": [32, 0]}, "0; expected a whole number from 1"),
        ({"input": [32, 10**9]}, "expected a whole number from 1 to 4096"),
        ({"input": 32}, "not iterable"),
        ({"embedding_size": "6"}, "'6'; expected a whole number"),
        ({"embedding_size": True}, "True; expected a whole number"),
        ({"parameters": -1}, "-1; expected a whole number from 0"),
        ({"multiply_adds": 1.5}, "1.5; expected a whole number"),
        ({"name": None}, "no 'name'"),
    ],
)
def test_a_card_that_cannot_be_is_refused(changes: dict[str, object], reason: str, tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", colours(metadata={"resight": json.dumps(card(**changes))}))
    with pytest.raises(WeightsError, match=rf"m\.onnx: its metadata 'resight' is damaged.*{reason}.*export it again"):
        read_onnx(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '"text"', "[" * 100_000])
def test_metadata_that_are_no_json_object_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"m\.onnx: its metadata 'resight' is damaged"):
        read_onnx(save(tmp_path / "m.onnx", colours(metadata={"resight": text})))


def test_a_model_without_our_metadata_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"without Resight's metadata.*preprocessing is unknown.*`resight model describe FILE`"):
        read_onnx(save(tmp_path / "m.onnx", colours(metadata={})))


@needs_shared("weights/osnet_x0_25_msmt17.onnx")
def test_an_onnx_file_of_others_is_refused_with_the_way_out() -> None:
    with pytest.raises(WeightsError, match=r"osnet_x0_25_msmt17\.onnx: a model without Resight's metadata"):
        read_onnx(SHARED / "weights/osnet_x0_25_msmt17.onnx")


class Trap:
    """Whoever unpickles this makes a folder."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_by_another_name_is_refused_and_not_unpickled(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(pickle.dumps(Trap(str(tmp_path / "sprung")), protocol))
    with pytest.raises(WeightsError, match="not an ONNX file, or a damaged one"):
        read_onnx(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"PK\x03\x04" + bytes(100), b"\x89HDF\r\n\x1a\n" + bytes(100), bytes(50), b"\xff" * 50]
)
def test_what_is_no_onnx_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(data)
    with pytest.raises(WeightsError, match="not an ONNX file, or a damaged one"):
        read_onnx(tmp_path / "m.onnx")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="No such file"):
        read_onnx(tmp_path / "m.onnx")
    with pytest.raises(WeightsError, match="Is a directory"):
        read_onnx(tmp_path)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    data = save(tmp_path / "m.onnx").read_bytes()
    for cut in range(0, len(data), 7):
        (tmp_path / "cut.onnx").write_bytes(data[:cut])
        with pytest.raises(WeightsError):
            OnnxModel(tmp_path / "cut.onnx")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    with path.open("wb") as stream:
        stream.truncate(10 * 2**40)  # sparse: ten terabytes that take no space
    with pytest.raises(WeightsError, match="10995116277760 bytes; at most 536870912 are read"):
        read_onnx(path)


def test_a_file_of_countless_fields_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "m.onnx")
    monkeypatch.setattr(onnx_graph, "_MOST_FIELDS", 10_000)
    read_onnx(path)
    path.write_bytes(path.read_bytes() + b"\x08\x01" * 10_000)
    with pytest.raises(WeightsError, match="more than 10000 fields"):
        read_onnx(path)


def external(tensor: onnx.TensorProto, location: str) -> onnx.TensorProto:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def as_initializer(location: str) -> onnx.ModelProto:
    model = colours()
    external(model.graph.initializer[0], location)
    return model


def as_constant(location: str) -> onnx.ModelProto:
    model = colours()
    tensor = external(numpy_helper.from_array(np.zeros((6, 3), np.float32), "w"), location)
    model.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=tensor))
    return model


def as_sparse(location: str) -> onnx.ModelProto:
    model = colours()
    values = external(numpy_helper.from_array(np.ones(1, np.float32), "s"), location)
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "i")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [3]))
    return model


def as_function(location: str) -> onnx.ModelProto:
    model = colours()
    tensor = external(numpy_helper.from_array(np.zeros(3, np.float32), "w"), location)
    nodes = [helper.make_node("Constant", [], ["w"], value=tensor)]
    model.functions.append(helper.make_function("here", "f", [], ["w"], nodes, [helper.make_opsetid("", 17)]))
    return model


@pytest.mark.parametrize("location", ["/etc/passwd", "../secret", "inside.bin", "link.bin"])
@pytest.mark.parametrize("place", [as_initializer, as_constant, as_sparse, as_function])
def test_external_data_are_refused_wherever_they_are(
    place: Callable[[str], onnx.ModelProto], location: str, tmp_path: Path
) -> None:
    (tmp_path / "inside.bin").write_bytes(bytes(1000))
    (tmp_path / "link.bin").symlink_to("/etc/passwd")
    with pytest.raises(WeightsError, match="keeps tensors in other files"):
        OnnxModel(save(tmp_path / "m.onnx", place(location)))


@pytest.mark.parametrize("operator", ["Loop", "If", "Scan"])
def test_loops_and_conditions_are_refused(operator: str, tmp_path: Path) -> None:
    model = colours()
    branch = helper.make_graph([], "branch", [], [])
    model.graph.node.append(helper.make_node(operator, ["images"], ["never"], body=branch))
    with pytest.raises(WeightsError, match="holds a loop or a condition"):
        read_onnx(save(tmp_path / "m.onnx", model))


_MUTATE = """
import sys
import numpy as np
from resight.errors import ResightError
from resight.models.onnx import OnnxModel

path, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
data = open(path, "rb").read()
read = 0
for seed in range(first, first + count):
    rng = np.random.default_rng(seed)
    changed = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        place, kind = int(rng.integers(len(changed))), rng.integers(4)
        if kind == 0:
            changed[place] = rng.integers(256)
        elif kind == 1:
            changed[place] ^= 1 << rng.integers(8)
        elif kind == 2:
            del changed[place : place + rng.integers(1, 20)]
        else:
            changed[place:place] = rng.bytes(rng.integers(1, 8))
    with open(path + ".changed", "wb") as stream:
        stream.write(changed)
    try:
        model = OnnxModel(path + ".changed", threads=1)
        assert model.extract(np.zeros((2, *model.size, 3), np.uint8)).shape == (2, model.embedding_size)
        read += 1
    except ResightError as error:
        assert str(error).count(path) == 1, error
print(read)
"""


def mutate(path: Path, first: int, count: int) -> int:
    """Change a model at random, so many times, in a process of its own: a crash must not end the tests. How many still work."""
    arguments = [sys.executable, "-c", _MUTATE, str(path), str(first), str(count)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout)


def test_a_changed_model_works_or_is_a_resight_error(tmp_path: Path) -> None:
    assert 0 < mutate(save(tmp_path / "m.onnx"), 0, 300) < 150


@pytest.mark.slow
def test_many_changed_models_work_or_are_resight_errors(tmp_path: Path) -> None:
    assert 0 < mutate(save(tmp_path / "m.onnx"), 1000, 10_000) < 5000


def test_a_sound_file_is_not_refused(tmp_path: Path) -> None:
    """What the tests above refuse is refused for their reason, not for another."""
    path = save(tmp_path / "m.onnx")
    assert OnnxModel(path).extract(noise(1)).shape == (1, 6)
    with pytest.raises(ResightError):
        OnnxModel(save(tmp_path / "m.onnx", as_initializer("x")))
