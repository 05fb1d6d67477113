"""One safetensors file: what the reference accepts, bit for bit, and every way in which a header can be false."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from fourcc.errors import SourceError
from fourcc.sources import open_source
from tests.sources.writers import DTYPES, decode, decoded, entry, framed, written
from tests.sources.writers import safetensors as pack

F32 = np.arange(6, dtype="<f4").reshape(2, 3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (1,), (5,), (7, 3), (2, 3, 4), (2, 2, 2, 2), (0,), (0, 3), (3, 0)])
def test_every_dtype_and_shape(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    """Files of the reference's own writer, zero dimensions and no elements included."""
    array = (np.random.default_rng(1).integers(0, 2**7, shape)).astype(dtype)
    safetensors.numpy.save_file({"a": array, "b.weight": F32}, tmp_path / "m")
    with open_source(tmp_path / "m") as source:
        assert (source.kind, source.architecture, source.hyper) == ("safetensors", None, {})
        tensors = {tensor.name: tensor for tensor in source.tensors}
        assert tensors["a"].shape == shape
        assert np.array_equal(decode(tensors["a"]), array)
        assert np.array_equal(decode(tensors["b.weight"]), F32)


def test_bfloat16(tmp_path: Path) -> None:
    """A dtype that numpy lacks: the bits are the upper half of a float32."""
    header = json.dumps({"x": entry("BF16", [3], [0, 6])}).encode()
    path = written(tmp_path, "m", framed(header, struct.pack("<3H", 0x3F80, 0xC000, 0x7F80)))
    with open_source(path) as source:
        assert decode(source.tensors[0]).tolist() == [1.0, -2.0, np.inf]


def test_rows_of_one_matrix_of_many(tmp_path: Path) -> None:
    """Leading dimensions are matrices; a run of rows is read where it lies."""
    array = np.arange(2 * 3 * 5 * 4, dtype="<f4").reshape(2, 3, 5, 4)
    with open_source(written(tmp_path, "m", pack({"x": array}))) as source:
        assert np.array_equal(source.tensors[0].read(4, 1, 3)["values"], array[1, 1, 1:3])


def test_tensors_come_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    """The header's order is of no account."""
    header = json.dumps({"b": entry(offsets=[8, 16]), "a": entry(offsets=[0, 8])}).encode()
    with open_source(written(tmp_path, "m", framed(header, bytes(16)))) as source:
        assert [tensor.name for tensor in source.tensors] == ["a", "b"]


GOOD = {
    "metadata": framed(json.dumps({"__metadata__": {"format": "pt"}, "a": entry()}).encode(), bytes(8)),
    "padded": framed(json.dumps({"a": entry()}).encode() + b" " * 7, bytes(8)),
    "no tensors": framed(b"{}"),
    "odd length of the header": framed(b'{ "a":' + json.dumps(entry()).encode() + b"}", bytes(8)),
    "two empty tensors": framed(
        json.dumps({"a": entry(shape=[0], offsets=[0, 0]), "b": entry(shape=[0], offsets=[0, 0])}).encode()
    ),
}


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
def test_unusual_but_right(tmp_path: Path, data: bytes) -> None:
    """A file that the reference reads is read."""
    path = written(tmp_path, "m.safetensors", data)
    with safe_open(path, "numpy") as reference, open_source(path) as source:
        assert sorted(tensor.name for tensor in source.tensors) == sorted(reference.keys())


def one(payload: bytes = bytes(8), **fields: object) -> bytes:
    """A file of one tensor with a false entry."""
    return framed(json.dumps({"a": entry(**fields)}).encode(), payload)


def two(first: list[int], second: list[int], payload: int) -> bytes:
    """A file of two vectors of bytes at these offsets."""
    shapes = [[last - begin] for begin, last in (first, second)]
    header = {"a": entry("U8", shapes[0], first), "b": entry("U8", shapes[1], second)}
    return framed(json.dumps(header).encode(), bytes(payload))


GOOD_ENTRY = json.dumps(entry()).encode()
BAD = {
    # the first list of the appendix: what the reference's own tests refuse
    "overlapping offsets": (two([0, 4], [2, 6], 6), "overlaps the tensor before it"),
    "one range for two": (two([0, 4], [0, 4], 4), "overlaps the tensor before it"),
    "bytes behind the last tensor": (one(bytes(9)), "bytes follow the last tensor"),
    "two bytes missing": (one(bytes(6)), "the file is cut: found"),
    "hole": (two([0, 4], [5, 9], 9), "leaves a hole before it"),
    "hole at the start": (one(bytes(12), offsets=[4, 12]), "leaves a hole before it"),
    "header too long": (struct.pack("<Q", 100_000_001) + b'{"' + bytes(99), "the header is too long"),
    "header longer than the file": (struct.pack("<Q", 99) + b'{"a"', "the header is too long"),
    "header of 2^63": (struct.pack("<Q", 2**63) + b'{"a"', "the header is too long"),
    "header of 2^64 - 1": (b"\xff" * 8 + b'{"a"', "the header is too long"),
    "no UTF-8": (framed(b'{"\xff\xfe":{}}'), "not the JSON that it should be"),
    "no JSON": (framed(b"{"), "not the JSON that it should be"),
    "size is not shape times dtype": (one(shape=[3]), "expected 12 bytes for F32"),
    "product wraps to 4": (one(shape=[4194305, 4194305, 211106198978564]), "no memory can hold an array of that shape"),
    "product of 2^63": (one(shape=[2**62, 2]), "no memory can hold an array of that shape"),
    "size of 2^63": (
        one(shape=[2**63, 2]),
        r"found shape \[9223372036854775808, 2\], expected a list of integers from 0",
    ),
    "begin behind end": (one(offsets=[8, 0]), "expected two integers from 0 to 2\\^63 - 1, begin and end"),
    # fourcc is stricter
    "key twice": (framed(b'{"a":' + GOOD_ENTRY + b',"a":' + GOOD_ENTRY + b"}", bytes(8)), "the key 'a' stands twice"),
    "field twice": (
        framed(b'{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', bytes(8)),
        "the key 'dtype' stands twice",
    ),
    "space before the brace": (framed(b' {"a":' + GOOD_ENTRY + b"}", bytes(8)), "does not start with '{': found 20"),
    "surrogate": (framed(b'{"\\ud800":' + GOOD_ENTRY + b"}", bytes(8)), "not the JSON that it should be"),
    "number of 5000 digits": (framed(b'{"a":{"shape":' + b"9" * 5000 + b"}}"), "not the JSON that it should be"),
    "nested": (framed(b'{"a":' + b"[" * 20000 + b"]" * 20000 + b"}"), "nested too deeply"),
    "brackets": (framed(b'{"a":[' + b"[]," * 1_400_000 + b"[]]}"), "consists of brackets"),
    "metadata is no map": (framed(b'{"__metadata__":[]}'), "__metadata__ is not a map of texts"),
    "metadata with a number": (framed(b'{"__metadata__":{"a":1}}'), "__metadata__ is not a map of texts"),
    "entry is no map": (framed(b'{"a":[]}'), "expected dtype, shape and data_offsets"),
    "field missing": (framed(b'{"a":{"dtype":"F32","shape":[]}}'), "expected dtype, shape and data_offsets"),
    "field too many": (framed(b'{"a":' + GOOD_ENTRY[:-1] + b',"x":1}}', bytes(8)), "expected dtype, shape and"),
    "bool in the shape": (one(shape=[True, 2]), r"shape \[True, 2\], expected a list of integers"),
    "float in the shape": (one(shape=[2.0]), r"shape \[2\.0\], expected a list of integers"),
    "NaN in the shape": (one(shape=[float("nan")]), "expected a list of integers"),
    "negative shape": (one(shape=[-2]), "expected a list of integers"),
    "shape is a text": (one(shape="2"), "expected a list of integers"),
    "three offsets": (one(offsets=[0, 4, 8]), "expected two integers"),
    "bool offset": (one(offsets=[False, 8]), "expected two integers"),
    "dtype is a number": (one(dtype=4), "dtype 4, expected a text"),
    "unknown dtype": (one(dtype="F4"), r"no installed format holds the dtype F4 of 1 tensor \('a'\)"),
    "complex dtype": (one(dtype="C64", shape=[1]), "no installed format holds the dtype C64"),
}


@pytest.mark.parametrize(("data", "what"), BAD.values(), ids=BAD)
def test_false_header(tmp_path: Path, data: bytes, what: str) -> None:
    """Refused, with the file's name."""
    path = written(tmp_path, "m.safetensors", data)
    with pytest.raises(SourceError, match=what) as caught:
        open_source(path)
    assert str(path) in str(caught.value)


def test_message_names_tensor_offset_found_and_expected(tmp_path: Path) -> None:
    """One message is compared as a whole."""
    path = written(tmp_path, "m", one(bytes(8), shape=[3]))
    with pytest.raises(SourceError) as caught:
        open_source(path)
    start = 8 + len(json.dumps({"a": entry(shape=[3])}))
    assert str(caught.value) == (
        f"{path}, tensor 'a', byte {start}: data_offsets do not fit dtype and shape: "
        "found 8 bytes, expected 12 bytes for F32 [3]"
    )


def test_all_tensors_of_unknown_dtypes_are_named(tmp_path: Path) -> None:
    """In one error: what is to be installed is known after one try."""
    header = {name: entry(f"X{name}", [4], [4 * i, 4 * i + 4]) for i, name in enumerate("abcde")}
    with pytest.raises(SourceError) as caught:
        open_source(written(tmp_path, "m", framed(json.dumps(header).encode(), bytes(20))))
    assert "the dtype Xa, Xb, Xc, Xd, Xe of 5 tensors ('a', 'b', 'c' and 2 more)" in str(caught.value)


def test_every_cut_is_refused(tmp_path: Path) -> None:
    """Every length but the whole one is refused."""
    data = pack({"a": F32, "b": F32[0]}, {"k": "v"})
    for length in range(len(data)):
        with pytest.raises(SourceError):
            open_source(written(tmp_path, "m", data[:length]))


def test_what_the_reference_refuses_is_refused(tmp_path: Path) -> None:
    """Every single byte of a header replaced by others: we read no file that the reference does not."""
    data = bytearray(pack({"a": F32, "b": F32[0]}))
    path = tmp_path / "m"
    for at in range(len(data) - 36):
        for value in b'\x00\xff "0{}[]:,9':
            damaged = bytes(data[:at]) + bytes([value]) + bytes(data[at + 1 :])
            path.write_bytes(damaged)
            try:
                open_source(path).close()
            except SourceError:
                continue
            try:
                safetensors.numpy.load(damaged)
            except (SafetensorError, ValueError) as error:
                pytest.fail(f"byte {at} = {value}: the reference says {error}")


def test_real_shard_equals_the_reference(data: Path) -> None:
    """The shard is a slice of a 24-billion-parameter model."""
    path = data / "devstral_slice" / "model-00001-of-00002.safetensors"
    with open_source(path) as source:
        truth = safetensors.numpy.load_file(path)
        found = decoded(source)
    assert found.keys() == truth.keys()
    assert all(np.array_equal(found[name], truth[name]) for name in truth)
