"""The index: msgpack that is none, keys that are wrong, and what a newer writer may add."""

import struct
from pathlib import Path

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fourcc.container.fields import MAX_HYPER
from fourcc.container.reader import ModelFile
from fourcc.container.verify import verify
from fourcc.errors import FourccError, IndexDamageError, TableError
from tests.container.forge import DROP, forge, honest, index_of, put, seal
from tests.examples import examples

PACKED = msgpack.packb(honest())
NOT_MSGPACK = "the index is not valid msgpack: "


def refusal(path: Path, packed: bytes) -> str:
    """The message of opening a file with these bytes for an index, without the path."""
    path.write_bytes(seal(packed))
    with pytest.raises((IndexDamageError, TableError)) as caught:
        ModelFile(path)
    assert caught.value.exit_code == 3
    return str(caught.value).removeprefix(str(path)).lstrip(",: ")


@pytest.mark.parametrize(
    ("packed", "says"),
    [
        (PACKED[:-1], NOT_MSGPACK),  # A8
        (PACKED + b"\xc0", f"{NOT_MSGPACK}ExtraData"),  # A9
        (b"\x90", "the index is not a map: found list"),  # A10
        (b"\xc0", "the index is not a map: found NoneType"),
        (b"\xc1", NOT_MSGPACK),  # never used
        (b"\x81\x01\xc0", "a key that is no text"),  # A11
        (b"\x81\xc4\x01a\xc0", "a key that is no text"),
        (b"\x81\x90\xc0", NOT_MSGPACK),  # a list as key
        (b"\x81\x80\xc0", NOT_MSGPACK),  # a map as key
        (b"\x82\xa1a\xc0\xa1a\xc0", "a key twice in one map"),  # A12
        (b"\x81\xa1a\x82\xa1b\xc0\xa1b\xc0", "a key twice in one map"),
        (b"\x81\xa1a" + b"\x91" * 100_000, NOT_MSGPACK),  # A15
        (b"\x81\xa1a" + b"\x81\xa1a" * 5000, NOT_MSGPACK),
        (b"\x81\xa1a\xd4\x05x", "extension type 5"),  # A16
        (b"\x81\xa1a\xdd\xff\xff\xff\xff", NOT_MSGPACK),  # A17
        (b"\x81\xa1a\xdf\xff\xff\xff\xff", NOT_MSGPACK),
        (b"\xdf\xff\xff\xff\xff", NOT_MSGPACK),
        (b"\x81\xa1a\xdb\xff\xff\xff\xff", NOT_MSGPACK),
        (b"\x81\xa1a\xc6\xff\xff\xff\xff", NOT_MSGPACK),
        (b"\x81\xa1a" + b"\xdc\xff\xff" * 400, NOT_MSGPACK),
        (b"\x81\xa1a\xa2\xff\xfe", NOT_MSGPACK),  # A19
        (b"\x81\xa1a\xa3\xed\xa0\x80", NOT_MSGPACK),  # a lone surrogate
    ],
)
def test_what_is_no_msgpack(tmp_path: Path, packed: bytes, says: str) -> None:
    """A8 to A12, A15 to A17, A19."""
    assert says in refusal(tmp_path / "m", packed)


HUNDRED = b"\xdc\x00\x64"  # an array of so many items


@pytest.mark.parametrize(
    "filler", [b"\x80", b"\x90", b"\xc0", b"\xa2ab", b"\x91\x90", HUNDRED + b"\xc0" * 100, HUNDRED + b"\x91\x2a" * 100]
)
def test_index_of_crumbs_is_refused(tmp_path: Path, filler: bytes) -> None:
    """A18: more maps, arrays or items than an honest index of its length; from 1 MiB on, where it costs."""
    count = (1 << 21) // len(filler)
    packed = b"\x81\xa1a\xdd" + struct.pack(">I", count) + filler * count
    assert NOT_MSGPACK in refusal(tmp_path / "m", packed)


@pytest.mark.parametrize("depth", [17, 64, 511, 1000, 1022])
def test_deep_values_of_unknown_keys(tmp_path: Path, depth: int) -> None:
    """A15: what msgpack still unpacks, but could not be written again."""
    tree = PACKED[1:]
    packed = b"\x88" + tree + b"\xa1x" + b"\x91" * depth + b"\xc0"
    assert "16 levels of maps and arrays" in refusal(tmp_path / "m", packed)


@pytest.mark.parametrize("key", ["tensors", "architecture"])
def test_deep_values_of_known_keys(tmp_path: Path, key: str) -> None:
    """The message shows the value cut short, and does not fall into it."""
    pairs = {name: msgpack.packb(value) for name, value in honest().items()} | {key: b"\x91" * 1020 + b"\xc0"}
    packed = b"\x87" + b"".join(msgpack.packb(name) + value for name, value in pairs.items())
    text = refusal(tmp_path / "m", packed)
    assert repr(key) in text
    assert len(text) < 200


NOTHING = "found 'nothing', expected the key to be there"
WHOLE = "expected a whole number from 0 to 2^63 - 1"
SETTING = "expected a truth value, a finite number or a text"


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("tensors", DROP, f"index: bad 'tensors': {NOTHING}"),
        ("blobs", DROP, f"index: bad 'blobs': {NOTHING}"),
        ("hyper", DROP, f"index: bad 'hyper': {NOTHING}"),
        ("requires", DROP, f"index: bad 'requires': {NOTHING}"),
        ("tensors", {}, "index: bad 'tensors': found {}, expected an array"),
        ("tensors.0", 3, "index: bad 'tensors': found 3, expected an array of maps"),
        ("blobs.0", [], "index: bad 'blobs': found [], expected an array of maps"),
        ("architecture", 3, "index: bad 'architecture': found 3, expected text"),
        ("hyper", [], "index: bad 'hyper': found [], expected a map"),
        ("hyper.dim", None, f"index: bad 'dim': found None, {SETTING}"),
        ("hyper.dim", {}, f"index: bad 'dim': found {{}}, {SETTING}"),
        ("hyper.dim", [[1]], f"index: bad 'dim': found [1], {SETTING}"),
        ("hyper.dim", b"x", f"index: bad 'dim': found b'x', {SETTING}"),
        ("hyper.theta", float("nan"), f"index: bad 'theta': found nan, {SETTING}"),
        ("hyper.theta", [float("inf")], f"index: bad 'theta': found inf, {SETTING}"),
        ("requires", "x", "index: bad 'requires': found 'x', expected an array"),
        ("requires", [1], "index: bad 'requires': found [1], expected an array of texts"),
        ("sources.0.digest", b"x", "sources[0]: bad 'digest': found b'x', expected 16 bytes"),
        ("sources.0.nbytes", -1, f"sources[0]: bad 'nbytes': found -1, {WHOLE}"),
        ("sources.0.kind", DROP, f"sources[0]: bad 'kind': {NOTHING}"),
        ("providers.0.version", 1, "providers[0]: bad 'version': found 1, expected text"),
        ("blobs.0.name", "", "blobs[0]: bad 'name': found '', expected 1 to 512 bytes without NUL"),
        ("blobs.0.sums", b"", "blobs[0]: bad 'sums': found b'', expected 8 bytes"),
        ("blobs.0.nbytes", 2**63, f"blobs[0]: bad 'nbytes': found {2**63}, {WHOLE}"),
        ("blobs.0.nbytes", True, f"blobs[0]: bad 'nbytes': found True, {WHOLE}"),
        ("blobs.0.offset", 192.0, f"blobs[0]: bad 'offset': found 192.0, {WHOLE}"),
        ("x", float("nan"), "index: bad 'x': found nan, expected texts, bytes and finite numbers"),
        ("x", msgpack.Timestamp(0, 0), "index: bad 'x': found Timestamp"),
    ],
)
def test_wrong_keys_of_the_root(tmp_path: Path, path: str, value: object, says: str) -> None:
    """A13, A14, A16, A20: absent keys, wrong types, numbers out of range."""
    assert refusal(tmp_path / "m", msgpack.packb(put(honest(), path, value))).startswith(says)


def test_unknown_feature_is_named(tmp_path: Path) -> None:
    """A13: before anything else of the index is looked at."""
    tree = put(put(honest(), "requires", ["zstd"]), "tensors", "elsewhere")
    says = "the file requires the feature 'zstd', which this version does not know. Upgrade fourcc."
    assert refusal(tmp_path / "m", msgpack.packb(tree)) == says


def test_unknown_keys_are_kept(tmp_path: Path) -> None:
    """A13: in the root and in a tensor; in a part they are ignored."""
    tree = put(put(honest(), "colour", {"a": [1, None]}), "tensors.0.mood", b"good")
    put(tree, "tensors.0.parts.0.note", "x")
    with ModelFile(forge(tmp_path / "m", tree)) as model:
        assert model.index.extra == {"colour": {"a": [1, None]}}
        assert model.record("w").extra == {"mood": b"good"}
        assert model["w"].decode()[1, 3] == 7


def test_longer_encodings_are_read(tmp_path: Path) -> None:
    """A21: numbers, texts and maps that take more bytes than they need."""
    packed = PACKED.replace(b"\xa6offset\x40", b"\xa6offset\xcf" + struct.pack(">Q", 64))
    packed = packed.replace(b"\xa3tag\xa4F32 ", b"\xd9\x03tag\xda\x00\x04F32 ", 1)
    assert len(packed) > len(PACKED) + 9
    (tmp_path / "m").write_bytes(seal(packed.replace(b"\x87", b"\xde\x00\x07", 1)))
    with ModelFile(tmp_path / "m") as model:
        assert model["w"].decode()[0, 1] == 1


def test_odd_text_is_kept_and_escaped(tmp_path: Path) -> None:
    """A19: ESC and bidirectional marks in a name are text like any other; messages escape them."""
    name = "w\x1b]8;;http://x\x07\u202e"
    with ModelFile(forge(tmp_path / "m", put(honest(), "tensors.0.name", name))) as model:
        assert list(model)[0] == name  # noqa: RUF015 - a mapping
        says = str(next(iter(verify(model.path))).tensor)
    assert says == name
    text = refusal(tmp_path / "m", msgpack.packb(put(put(honest(), "tensors.0.name", name), "tensors.0.shape", [-1])))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"\x1b]8;;http://x\x07\u202e" in text


def test_long_text_and_many_keys(tmp_path: Path) -> None:
    """A25: 4 MiB in one text, 100 000 keys in one map."""
    tree = put(put(honest(), "hyper.story", "x" * (4 << 20)), "many", {f"key {n}": n for n in range(100_000)})
    with ModelFile(forge(tmp_path / "m", tree)) as model:
        assert len(str(model.index.hyper["story"])) == 4 << 20
        assert len(model.index.extra["many"]) == 100_000  # type: ignore[arg-type]


def test_long_text_does_not_fill_a_message(tmp_path: Path) -> None:
    """A long text in the wrong place is cut in the message."""
    for path in ("tensors.0.tag", "tensors.0.name", "tensors.0.parts.0.dtype", "tensors.0.shape"):
        assert len(refusal(tmp_path / "m", msgpack.packb(put(honest(), path, "x" * (4 << 20))))) < 400


leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=9) | st.binary()
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)
PATHS = [
    *honest(),
    *(f"tensors.0.{key}" for key in honest()["tensors"][0]),
    *(f"tensors.0.parts.0.{key}" for key in honest()["tensors"][0]["parts"][0]),
    *(f"blobs.0.{key}" for key in honest()["blobs"][0]),
]
fuzz = settings(examples(400), suppress_health_check=[HealthCheck.function_scoped_fixture])


def use(path: Path) -> None:
    """Does all that may be done with a file; only errors of our own may come of it."""
    try:
        with ModelFile(path) as model:
            list(verify(path))
            for name in model:
                model[name].decode()
    except FourccError as error:
        assert str(error)  # noqa: PT017 - it may also succeed


@fuzz
@given(path=st.sampled_from(PATHS), value=trees)
def test_any_value_anywhere(tmp_path: Path, path: str, value: object) -> None:
    """A tree with one node replaced."""
    use(forge(tmp_path / "m", put(honest(), path, value)))


@fuzz
@given(data=st.data())
def test_any_bytes(tmp_path: Path, data: st.DataObject) -> None:
    """An index with a run of bytes replaced, with the right digest."""
    at = data.draw(st.integers(0, len(PACKED) - 1))
    run = data.draw(st.binary(max_size=9))
    (tmp_path / "m").write_bytes(seal(PACKED[:at] + run + PACKED[at + data.draw(st.integers(0, 9)) :]))
    use(tmp_path / "m")


@fuzz
@given(tree=trees)
def test_any_tree(tmp_path: Path, tree: object) -> None:
    """No index at all."""
    use(forge(tmp_path / "m", tree))


def test_no_tensors(tmp_path: Path) -> None:
    """B1: an empty file is a file."""
    with ModelFile(forge(tmp_path / "m", index_of([], []), b"")) as model:
        assert len(model) == 0
        assert model.index.bits_per_weight == 0
        assert list(verify(model.path)) == []


def test_hyper_parameters_are_counted(tmp_path: Path) -> None:
    """L8: a million of them took 300 MB; a file with more than a reader takes is not written either."""
    fine = put(honest(), "hyper", {f"k{n}": n for n in range(MAX_HYPER)})
    assert len(ModelFile(forge(tmp_path / "m", fine)).index.hyper) == MAX_HYPER
    many = put(honest(), "hyper", {f"k{n}": n for n in range(MAX_HYPER + 1)})
    with pytest.raises(TableError, match="too many hyper-parameters: found 65537 of them, expected at most 65536"):
        ModelFile(forge(tmp_path / "m", many))
