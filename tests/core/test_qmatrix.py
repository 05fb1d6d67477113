"""QMatrix: views, experts, and parts that no format can have stored."""

from fractions import Fraction

import attrs
import numpy as np
import pytest

from fourcc.encoding import encode
from fourcc.errors import MissingFormatError, PluginError, TableError, UsageError
from fourcc.format import Format
from fourcc.part import Part
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.settings import Setting
from fourcc.tags import as_tag
from fourcc.tiles import TILE_WEIGHTS, tile_bounds
from tests.core.fakes import installed

W = np.random.default_rng(0).normal(size=(3, 2, 4, 32)).astype(np.float32)


def test_experts_are_views() -> None:
    """`q[e]` shares the parts' memory, and decodes as if it had been encoded alone."""
    q = encode(W, "Q8_0", name="experts")
    assert q[1].shape == (2, 4, 32)
    assert q[1][0].shape == (4, 32)
    assert q[1][0].name == "experts[1][0]"
    assert np.shares_memory(q[1][0].parts["blocks"], q.parts["blocks"])
    assert np.array_equal(q[1][0].decode(), q.decode()[1, 0])
    assert np.array_equal(q[-1].decode(), q.decode()[2])
    alone = encode(W[1, 0], "Q8_0")
    assert alone.parts["blocks"].tobytes() == q[1][0].parts["blocks"].tobytes()
    assert q[1].bits_per_weight == q.bits_per_weight == Fraction(17, 2)


def test_what_cannot_be_indexed() -> None:
    """A matrix, and what lies beyond the end; six matrices are there."""
    q = encode(W, "Q8_0")
    assert len(list(q.matrices())) == 6
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"index {index} of a leading dimension of 3"):
            q[index]
    with pytest.raises(UsageError, match="a matrix has no leading dimension to index"):
        q[0][0][0]


@pytest.mark.parametrize("shape", [(0, 32), (4, 0), (0, 4, 32), (2, 0, 32), (0,)])
def test_empty_tensors(shape: tuple[int, ...]) -> None:
    """They have no bytes and no bits, and decode to an empty array."""
    q = encode(np.zeros(shape, np.float32), "Q8_0")
    assert q.decode().shape == shape
    assert q.nbytes == q.bits_per_weight == 0


def test_frozen() -> None:
    """Nothing of it can be set; parts and parameters are no dictionaries to write to."""
    q = encode(W[0, 0], "Q8_0")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        q.shape = (1,)  # type: ignore[misc]
    with pytest.raises(TypeError):
        q.parts["x"] = W  # type: ignore[index]
    with pytest.raises(TypeError):
        q.params["x"] = 1  # type: ignore[index]


def test_as_an_array() -> None:
    """`numpy.asarray` decodes; what cannot be done without a copy is said."""
    q = encode(W[0, 0], "Q8_0")
    assert np.array_equal(np.asarray(q), q.decode())
    assert np.asarray(q, np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="copy=False cannot be kept"):
        np.asarray(q, copy=False)


def test_repr() -> None:
    """It shows name, tag, shape and bits."""
    assert repr(encode(W[0, 0], "Q8_0", name="w")) == "<QMatrix w Q8_0 4 x 32, 8.5 bits per weight>"
    assert repr(encode(np.array(1, np.float32), "F32")) == "<QMatrix F32 scalar, 32 bits per weight>"
    assert "\\x1b" in repr(encode(W[0, 0], "Q8_0", name="\x1b[2J"))


def test_missing_format() -> None:
    """The file's facts can be read; decoding names the package that the tensor was made with."""
    q = QMatrix("Nope", (2, 2), {"x": np.zeros(4, np.uint8)}, made_by="gizmo 2.1")
    assert q.nbytes == 4
    assert repr(q) == "<QMatrix Nope 2 x 2, 8 bits per weight>"
    with pytest.raises(MissingFormatError, match=r"made with gizmo 2\.1"):
        q.decode()


@pytest.mark.parametrize(
    ("shape", "array", "says"),
    [
        ((2, 2), np.zeros((2, 3), np.float32), "part 'values' does not fit the format F32: found (2, 3) float32"),
        ((2, 2), np.zeros((2, 2), np.float64), "part 'values' does not fit the format F32: found (2, 2) float64"),
        ((2, 2), np.zeros((2, 2), ">f4"), "part 'values' does not fit the format F32: found (2, 2) >f4"),
        ((2, 2), np.zeros(4, np.float32), "part 'values' does not fit the format F32: found (4,) float32"),
    ],
)
def test_parts_that_do_not_fit(shape: tuple[int, ...], array: np.ndarray, says: str) -> None:
    """B9, B14: said before the format sees them."""
    with pytest.raises(TableError) as caught:
        QMatrix("F32", shape, {"values": array}, name="w").decode()
    assert str(caught.value) == f"tensor 'w': {says}, expected (2, 2) float32"


def fake(**changes: object) -> Format:
    """A format with a parameter, that decodes to what a test wants."""
    return Format(
        tag="Fake",
        name="fake",
        summary="",
        block=(1, 2),
        parts=(Part("v", "<f4", lambda geom: (geom.cols // geom.params["group"],)),),
        params=(Setting("group", 2, "", low=1, high=4),),
        **({"decode": lambda parts, _: np.repeat(parts["v"], 2, axis=1)} | changes),
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({}, "no parameter group"),
        ({"group": 0}, "found 0, expected 1 to 4"),
        ({"group": 2**31}, "found 2147483648, expected 1 to 4"),
        ({"group": "2"}, "found '2', expected int"),
        ({"group": 2, "bits": 3}, "no setting named 'bits'; there are: group"),
    ],
)
def test_parameters_of_a_file(params: dict[str, object], says: str) -> None:
    """B12: absent, out of range, unknown: that tensor is refused, in our words."""
    q = QMatrix("Fake", (1, 4), {"v": np.ones((1, 2), np.float32)}, params, "w")
    with installed(fake()), pytest.raises(TableError) as caught:
        q.decode()
    assert str(caught.value) == f"tensor 'w': Fake cannot be the tensor's format: {says}"


def test_decoders_that_break_their_contract() -> None:
    """E10: when reading, too."""
    q = QMatrix("Fake", (1, 4), {"v": np.ones((1, 2), np.float32)}, {"group": 2}, "w")
    with installed(fake()):
        assert q.decode().tolist() == [[1, 1, 1, 1]]
    for decode, says in (
        (lambda *_: 1 // 0, "found ZeroDivisionError"),
        (lambda parts, _: parts["v"], r"found \(1, 2\) float32, expected \(1, 4\) float32"),
    ):
        with installed(fake(decode=decode)), pytest.raises(PluginError, match=says) as caught:
            q.decode()
        assert caught.value.tensor == "w"


def test_tile_bounds() -> None:
    """Multiples of every block's rows; at least one block; nothing for no rows; all for whole columns."""
    f32, q8_a = registry[as_tag("F32")], registry[as_tag("Q8_A")]
    assert list(tile_bounds(0, 5, f32)) == []
    assert list(tile_bounds(3, TILE_WEIGHTS * 2, f32)) == [(0, 1), (1, 2), (2, 3)]
    assert list(tile_bounds(300, TILE_WEIGHTS, f32, q8_a)) == [(0, 128), (128, 256), (256, 300)]
    assert list(tile_bounds(300, TILE_WEIGHTS, attrs.evolve(f32, block=(None, 1)))) == [(0, 300)]
    assert list(tile_bounds(2, 0, f32)) == []
    for cols in (1, 7, 64, 4096):
        bounds = list(tile_bounds(1000, cols, f32))
        assert [first for first, _ in bounds[1:]] == [last for _, last in bounds[:-1]]
        assert bounds[-1][1] == 1000
