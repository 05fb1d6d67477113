"""NumPy's .npz: stored and compressed members, read in any order; what would need a pickle is never touched."""

import io
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fourcc.errors import SourceError
from fourcc.sources import npz, open_source
from tests.sources.writers import DTYPES, decode, decoded, written

SAVERS = [np.savez, np.savez_compressed]


@pytest.mark.parametrize("save", SAVERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (5,), (7, 3), (2, 3, 4), (0, 3)])
def test_every_dtype_and_shape(tmp_path: Path, save: object, dtype: str, shape: tuple[int, ...]) -> None:
    """numpy writes the file; a tensor has its member's name."""
    array = np.random.default_rng(2).integers(0, 2, shape).astype(dtype)
    save(tmp_path / "m.npz", **{"a.weight": array, "b": np.ones(2, "<f4")})  # type: ignore[operator]
    with open_source(tmp_path / "m.npz") as source:
        assert (source.kind, source.architecture) == ("npz", None)
        assert [tensor.name for tensor in source.tensors] == ["a.weight", "b"]
        assert source.tensors[0].shape == shape
        assert np.array_equal(decode(source.tensors[0]), array)


def test_compressed_rows_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small steps, so that kept states are used; forwards, backwards, and by threads."""
    monkeypatch.setattr(npz, "_STEP", 1000)
    monkeypatch.setattr(npz, "_STATE_EVERY", 10_000)
    monkeypatch.setattr(npz, "_WINDOW", 333)
    rng = np.random.default_rng(4)
    array = rng.integers(0, 50, (300, 70)).astype("<f4")
    np.savez_compressed(tmp_path / "m.npz", x=array)
    with open_source(tmp_path / "m.npz") as source:
        read = source.tensors[0].read
        starts = [*range(0, 300, 7), *range(299, -1, -13), *rng.integers(0, 300, 40).tolist()]
        with ThreadPoolExecutor(4) as pool:
            runs = list(pool.map(lambda first: read(0, first, min(300, first + 5))["values"], starts))
    for first, run in zip(starts, runs, strict=True):
        assert np.array_equal(run, array[first : first + 5]), first


def test_few_states_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading row by row keeps one state for every so many bytes, and the last."""
    monkeypatch.setattr(npz, "_STATE_EVERY", 10_000)
    np.savez_compressed(tmp_path / "m.npz", x=np.zeros((1000, 25), "<f4"))
    with open_source(tmp_path / "m.npz") as source:
        decode(source.tensors[0], 1)
        member = source.tensors[0].read.__self__.data  # type: ignore[attr-defined]
    assert len(member._inflated._states) <= 100_000 // 10_000 + 2


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("shape", [(5, 3), (2, 4, 3), (2, 2, 3, 5), (1, 7), (6,), (0, 3)])
def test_column_order(tmp_path: Path, save: Callable[..., None], shape: tuple[int, ...]) -> None:
    """`numpy.savez` of a transposed array writes it so; read in any order, twice, and by threads."""
    array = np.asfortranarray(np.random.default_rng(5).standard_normal(shape).astype("<f4"))
    save(tmp_path / "m.npz", w=array)
    with open_source(tmp_path / "m.npz") as source:
        for step in (1, 2, 100):
            assert np.array_equal(decode(source.tensors[0], step), array)
        if array.ndim == 2 and array.size:
            with ThreadPoolExecutor(4) as pool:
                rows = list(pool.map(lambda row: source.tensors[0].read(0, row, row + 1), range(len(array))))
            assert np.array_equal(np.concatenate([row["values"] for row in rows]), array)


def test_column_order_is_held_whole_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays bounded; the message says how to do without."""
    monkeypatch.setattr(npz, "MAX_COLUMN_ORDER", 59)
    np.savez(tmp_path / "m.npz", w=np.ones((3, 5), "<f4", order="F"))
    what = r"'w', .*an array in column order that is too large: found 60 bytes, expected at most 59\. Store it in row"
    with pytest.raises(SourceError, match=what):
        open_source(tmp_path / "m.npz")


@pytest.mark.parametrize("order", ["False", "True"])
def test_truth_values(tmp_path: Path, order: str) -> None:
    """A byte that is neither 0 nor 1 is read as true by some programs, and as itself by others."""
    member = npy("'|b1'", order, "(2, 2)", b"\0\1\2\1")
    path = written(tmp_path, "m.npz", archive(("a.npy", member)))
    what = r"m\.npz, byte \d+: 1 of 4 truth values are neither 0 nor 1: found 2"
    with open_source(path) as source, pytest.raises(SourceError, match=what):
        decode(source.tensors[0], 9)


def npy(descr: str = "'<f4'", order: str = "False", shape: str = "(2,)", payload: bytes = bytes(8)) -> bytes:
    """A .npy file, its header's text given."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode() + b"\n"
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + payload


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in members:
            file.writestr(name, data)
    return out.getvalue()


def pickled() -> bytes:
    """An array of Python objects."""
    out = io.BytesIO()
    np.savez(out, a=np.array([{}, []], dtype=object))
    return out.getvalue()


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    """Bytes replaced everywhere."""
    assert old in data
    return data.replace(old, new)


DEFLATED = archive(("a.npy", npy(shape="(99,)", payload=bytes(396))), method=zipfile.ZIP_DEFLATED)
BAD = {
    "objects": (pickled(), "an array of Python objects. It is a pickle, which can execute code; never read"),
    "big-endian": (archive(("a.npy", npy("'>f4'"))), r"found >f4. Store it as little-endian numbers"),
    "complex": (archive(("a.npy", npy("'<c8'", shape="(1,)"))), "no installed format holds arrays of this dtype"),
    "records": (archive(("a.npy", npy("[('x', '<f4')]"))), "no installed format holds arrays of this dtype"),
    "text": (archive(("a.npy", npy("'<U2'", shape="(1,)"))), "no installed format holds arrays of this dtype"),
    "code": (archive(("a.npy", npy(shape="(__import__('os'),)"))), "the array's header cannot be read"),
    "nested": (archive(("a.npy", npy(shape="(" * 500 + ")" * 500))), "the array's header cannot be read"),
    "negative": (archive(("a.npy", npy(shape="(-2,)"))), r"the array cannot have this shape: found \(-2,\)"),
    "bool": (archive(("a.npy", npy(shape="(True,)"))), "the array cannot have this shape"),
    "too short": (
        archive(("a.npy", npy(shape="(3,)"))),
        r"the array \[3\] of <f4 does not fill its member: found 76 bytes, expected 80 bytes",
    ),
    "too long": (archive(("a.npy", npy(payload=bytes(9)))), "does not fill its member"),
    "huge": (archive(("a.npy", npy(shape="(2305843009213693952, 4)"))), "no memory can hold an array of that shape"),
    "huge and empty": (archive(("a.npy", npy(shape="(0, 2305843009213693952)"))), "no memory can hold an array"),
    "an object": (
        archive(("a.npy", npy(shape="(1+1,)"))),
        r"malformed node or string[^:]*: <ast.BinOp object>. Save it",
    ),
    "no array": (archive(("a.npy", b"hello")), "the array's header cannot be read"),
    "version 9": (archive(("a.npy", b"\x93NUMPY\x09\0" + npy()[8:])), "the array's header cannot be read"),
    "another member": (
        archive(("a.npy", npy()), ("readme.txt", b"x")),
        "'readme.txt', .*a member that is no .npy array",
    ),
    "lzma": (archive(("a.npy", npy()), method=zipfile.ZIP_LZMA), "compressed in another way than by deflate"),
    "cut directory": (archive(("a.npy", npy()))[:-10], "the archive's directory is damaged"),
    "offset": (patched(archive(("a.npy", npy())), b"\0\0\0\0a.npyPK", b"\xf0\0\0\0a.npyPK"), "directory"),
}


@pytest.mark.parametrize(("data", "what"), BAD.values(), ids=BAD)
def test_bad_archive(tmp_path: Path, data: bytes, what: str) -> None:
    """Refused, with the file's name."""
    path = written(tmp_path, "m.npz", data)
    with pytest.raises(SourceError, match=what) as caught:
        open_source(path)
    assert str(path) in str(caught.value)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name(tmp_path: Path) -> None:
    """No rule tells which one counts."""
    with pytest.raises(SourceError, match=r"tensor 'a\.npy': 2 members have this name"):
        open_source(written(tmp_path, "m", archive(("a.npy", npy()), ("a.npy", npy()))))


def test_length_that_no_stream_unfolds_to(tmp_path: Path) -> None:
    """A directory claims a gigabyte for a few bytes."""
    data = bytearray(DEFLATED)
    at = data.index(b"PK\1\2") + 24
    data[at : at + 4] = (1 << 30).to_bytes(4, "little")
    with pytest.raises(SourceError, match="so few compressed bytes cannot hold the array: found 1073741824 bytes"):
        open_source(written(tmp_path, "m", bytes(data)))


def test_damaged_stream(tmp_path: Path) -> None:
    """Found when rows are read, whichever byte is damaged; or the values are others, for sums are not compared."""
    start = DEFLATED.index(b".npy") + 4
    for at in range(start, DEFLATED.index(b"PK\1\2")):
        damaged = DEFLATED[:at] + bytes([DEFLATED[at] ^ 0xFF]) + DEFLATED[at + 1 :]
        try:
            with open_source(written(tmp_path, "m", damaged)) as source:
                decoded(source)
        except SourceError as error:
            assert error.tensor == "a"  # noqa: PT017 - not every damage shows


def test_stream_that_ends_early(tmp_path: Path) -> None:
    """A member is cut inside, and its directory is intact."""
    path = written(tmp_path, "m", DEFLATED)
    with open_source(path) as source:
        member = source.tensors[0].read.__self__.data  # type: ignore[attr-defined]
        with pytest.raises(SourceError, match="the compressed bytes end too early"):
            member.read(0, member.nbytes + 1)


def test_fortran_flag_of_a_vector_is_of_no_account(tmp_path: Path) -> None:
    """One dimension has one order."""
    with open_source(written(tmp_path, "m", archive(("a.npy", npy(order="True", shape="(1, 2)"))))) as source:
        assert decode(source.tensors[0]).tolist() == [[0, 0]]


def test_descriptors_are_closed(tmp_path: Path) -> None:
    """The archive's directory is read through a second descriptor."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("the system does not list open files")
    before = len(list(Path("/proc/self/fd").iterdir()))
    open_source(written(tmp_path, "m", archive(("a.npy", npy())))).close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_real_archive(data: Path) -> None:
    """Equal to what numpy reads."""
    path = data / "devstral_slice" / "dequantized_truth.npz"
    with open_source(path) as source, np.load(path) as truth:
        assert [tensor.name for tensor in source.tensors] == list(truth)
        assert all(np.array_equal(decode(tensor), truth[tensor.name]) for tensor in source.tensors)
