"""The format by the kit, and files read back by a small reader of protobuf."""

from collections.abc import Iterator
from pathlib import Path

import fourcc_nbits
import numpy as np
import pytest
from fourcc_nbits import NB4S
from fourcc_nbits.onnx import KIND
from fourcc_nbits.protobuf import Hole, runs, varint

import fourcc
from fourcc import Array
from fourcc.exporters.export import check_targets, execute_export, plan_export
from fourcc.sources import open_source
from fourcc.testing import Trial, trials

VECTORS = Path(fourcc_nbits.__file__).parent / "vectors" / "nb4s.json"
WEIGHTS = {
    "wide": np.random.default_rng(1).standard_normal((6, 64)).astype(np.float32),
    "odd": np.random.default_rng(2).standard_normal((4, 33)).astype(np.float32),
    "norm": np.ones(64, np.float32),
}


@pytest.mark.parametrize("trial", trials(NB4S, vectors=VECTORS), ids=str)
def test_conformance(trial: Trial) -> None:
    trial()


@pytest.mark.parametrize(
    ("dtype", "formats", "instead", "coded"),
    [("<f4", "Nb4s,F32", "", True), ("<f2", "", "", True), ("<f2", "", "F32", False), ("<f4", "", "", False)],
)
def test_a_file_holds_the_weights(tmp_path: Path, dtype: str, formats: str, instead: str, coded: bool) -> None:
    """Each matrix as a product with the numbers that fourcc decodes; the rest as it is."""
    np.savez(tmp_path / "w.npz", **{name: weights.astype(dtype) for name, weights in WEIGHTS.items()})
    with fourcc.registry.trying(NB4S), open_source(tmp_path / "w.npz") as source:
        policy = fourcc.Policy.shorthand(formats) if formats else None
        plan = plan_export(source, KIND, policy, instead=instead)
        execute_export(plan, check_targets(plan, tmp_path / "w.onnx", force=False))
        stored = {name: tensor.decode() for name, tensor in source.items()}
        expected = fourcc.encode(stored["wide"], "Nb4s").decode()
    model = read((tmp_path / "w.onnx").read_bytes())
    graph = read(model[7][0])
    tensors = dict(map(_array, graph[5]))
    np.testing.assert_array_equal(tensors["odd"], stored["odd"])
    np.testing.assert_array_equal(tensors["norm"], stored["norm"])
    if not coded:
        np.testing.assert_array_equal(tensors["wide"], stored["wide"])
        assert 1 not in graph
        return
    (node,) = map(read, graph[1])
    assert node[1] == [b"wide.x", b"wide.codes", b"wide.scales"]
    assert (node[2], node[4], node[7]) == ([b"wide.y"], [b"MatMulNBits"], [b"com.microsoft"])
    attributes = {read(each)[1][0]: read(each)[3][0] for each in node[5]}
    assert attributes == {b"K": 64, b"N": 6, b"bits": 4, b"block_size": 32}
    codes = tensors["wide.codes"].reshape(6, 2, 16)
    q = np.stack([codes & 15, codes >> 4], axis=-1).reshape(6, 64).astype(np.float32)
    np.testing.assert_array_equal((q - 8) * tensors["wide.scales"].reshape(6, 2).repeat(32, axis=1), expected)


def test_what_the_model_holds_stays_as_it_is(tmp_path: Path) -> None:
    """Weights that are in the format are not encoded again."""
    np.savez(tmp_path / "w.npz", **WEIGHTS)
    with fourcc.registry.trying(NB4S):
        fourcc.convert(tmp_path / "w.npz", tmp_path / "model.bin", format="Nb4s,F32")
        with open_source(tmp_path / "model.bin") as source:
            assert plan_export(source, KIND).converted == ()


def test_messages() -> None:
    """Numbers, texts, holes and messages; neighbouring bytes are one run."""
    assert runs({1: 300, 2: "ab", 3: [1, 2]}) == [b"\x08\xac\x02\x12\x02ab\x18\x01\x18\x02"]
    assert runs({1: {2: Hole("x", 200)}}) == [b"\x0a\xcb\x01\x12\xc8\x01", Hole("x", 200)]
    assert [varint(each) for each in (0, 127, 128)] == [b"\0", b"\x7f", b"\x80\x01"]


def read(message: bytes) -> dict[int, list[object]]:
    """The fields of a message: number -> values."""
    fields: dict[int, list[object]] = {}
    for number, value in _fields(message):
        fields.setdefault(number, []).append(value)
    return fields


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        value, at = _varint(message, at)
        if key & 7 == 2:
            yield key >> 3, message[at : at + value]
            at += value
        else:
            assert key & 7 == 0
            yield key >> 3, value
    assert at == len(message)


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (message[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 128:
            return value, at


def _array(message: bytes) -> tuple[str, Array]:
    tensor = read(message)
    dtype = {1: np.float32, 2: np.uint8}[tensor[2][0]]
    return tensor[8][0].decode(), np.frombuffer(tensor[9][0], dtype).reshape(tensor[1])
