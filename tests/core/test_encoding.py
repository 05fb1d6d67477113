"""Encoding: what goes in, what must come out, and formats that do not keep their contract."""

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest

from fourcc.arrays import Array, Parts
from fourcc.encoding import encode
from fourcc.errors import MissingFormatError, NumericError, PluginError, UsageError
from fourcc.format import Aids, Blocks, Format, Original
from fourcc.geometry import Geometry
from fourcc.matrix_encoder import MatrixEncoder
from fourcc.part import Part
from fourcc.plugins.registry import registry
from fourcc.settings import Setting
from fourcc.tags import as_tag
from fourcc.tiles import TILE_WEIGHTS
from tests.core.fakes import installed


def store(blocks: Blocks) -> Parts:
    """The weights themselves."""
    return {"v": blocks.rows.copy()}


def load(parts: Parts, _: Geometry) -> Array:
    """The weights come back."""
    return parts["v"]


FORMAT = Format(
    tag="Fake",
    name="fake",
    summary="float32 as it is",
    block=(1, 1),
    parts=(Part("v", "<f4", lambda geom: (geom.cols,)),),
    params=(Setting("group", 4, "for the tests"),),
    options=(Setting("method", "a", "for the tests"),),
    decode=load,
    encode=store,
)


def fake(encode: Callable[..., Any] = store, decode: Callable[..., Any] = load, **changes: Any) -> Format:
    """A format with another encoder or decoder, or declaring something else."""
    prepare = changes.pop("prepare", None)
    return attrs.evolve(FORMAT, **changes, encode=encode, decode=decode, prepare=prepare)


W = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_round_trip() -> None:
    """A fake that stores what it gets."""
    with installed(fake()):
        q = encode(W, "Fake", name="w")
        assert (q.name, q.shape, dict(q.params)) == ("w", (2, 3), {"group": 4})
        assert q.decode().tolist() == W.tolist()


def test_arguments_of_an_encoder() -> None:
    """A float32 tile, C-contiguous, not to be written to; the tile's geometry; complete settings; only needed aids."""
    seen: list[Blocks] = []

    def look(blocks: Blocks) -> Parts:
        seen.append(blocks)
        return {"v": blocks.rows.copy()}

    aids = Aids(importance=np.ones(3, np.float32), hessian=np.eye(3, dtype=np.float32))
    with installed(fake(look, needs=frozenset({"importance"}), prepare=lambda *_: "shared")):
        encode(W.astype(">f8").T.T[:, ::-1], "Fake", {"group": 8}, aids=aids)
    (blocks,) = seen
    tile, shared, geom, options, given = blocks.rows, blocks.shared, blocks.geom, blocks.options, blocks.aids
    assert (tile.dtype, tile.flags.c_contiguous, tile.flags.writeable) == (np.dtype("<f4"), True, False)
    assert (shared, geom, options) == ("shared", Geometry(2, 3, {"group": 8}), {"method": "a"})
    assert given.importance is aids.importance
    assert given.hessian is None


def test_calibration_data_that_a_format_uses_may_be_missing() -> None:
    """It sees them where they are given, and is encoded to without them."""
    seen: list[Aids] = []

    def look(blocks: Blocks) -> Parts:
        seen.append(blocks.aids)
        return {"v": blocks.rows.copy()}

    aids = Aids(importance=np.ones(3, np.float32), hessian=np.eye(3, dtype=np.float32))
    with installed(fake(look, uses=frozenset({"importance"}))):
        encode(W, "Fake", aids=aids)
        encode(W, "Fake")
    assert seen[0].importance is aids.importance
    assert seen[0].hessian is None
    assert seen[1].empty


def test_tiles_are_cut_at_blocks() -> None:
    """Runs of rows that are multiples of the block's, the last one shorter; matrices never share one."""
    seen: list[int] = []

    def look(blocks: Blocks) -> Parts:
        seen.append(len(blocks.rows))
        return {"v": blocks.rows.copy()}

    rows = TILE_WEIGHTS // 1024 + 100
    with installed(fake(look, block=(96, 1))):
        q = encode(np.ones((2, rows, 1024), np.float32), "Fake")
        assert q.decode().sum() == 2 * rows * 1024
    assert seen == [192, rows - 192] * 2


@pytest.mark.parametrize(
    "shape", [(), (1,), (5,), (0,), (1, 1), (0, 4), (4, 0), (0, 4, 5), (3, 0, 5), (2, 3, 4), (2, 1, 3, 4)]
)
def test_every_shape(shape: tuple[int, ...]) -> None:
    """Scalars, vectors, empty tensors, stacks of stacks: the shape is the tensor's true one."""
    w = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    with installed(fake()):
        q = encode(w, "Fake")
        assert q.decode().shape == shape
        assert np.array_equal(q.decode(), w)
        assert q.nbytes == 4 * w.size


def wrong(change: Callable[[Array], Any]) -> Callable[..., Any]:
    """An encoder that returns something else for the part."""
    return lambda blocks: {"v": change(blocks.rows)}


def mutate(blocks: Blocks) -> Parts:
    """An encoder that works in its input."""
    blocks.rows[...] *= 2
    return {"v": blocks.rows}


def fail(*_: object) -> Parts:
    """A function that raises."""
    raise ZeroDivisionError("oops")


ENCODE = "encode of the format Fake (fake 1.0) does not keep its contract"
DECODE = "decode of the format Fake (fake 1.0) does not keep its contract"


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (
            fake(wrong(lambda w: w.astype("<f8"))),
            f"{ENCODE}: found (2, 3) float64 for part 'v', expected (2, 3) float32",
        ),
        (fake(wrong(lambda w: w.astype(">f4"))), f"{ENCODE}: found (2, 3) >f4 for part 'v', expected (2, 3) float32"),
        (fake(wrong(lambda w: w[:1])), f"{ENCODE}: found (1, 3) float32 for part 'v', expected (2, 3) float32"),
        (fake(wrong(lambda w: w.ravel())), f"{ENCODE}: found (6,) float32 for part 'v', expected (2, 3) float32"),
        (fake(wrong(lambda _: None)), f"{ENCODE}: found () object for part 'v', expected (2, 3) float32"),
        (fake(lambda *_: {}), f"{ENCODE}: found parts [], expected parts ['v']"),
        (
            fake(lambda blocks: {"v": blocks.rows, "x": blocks.rows}),
            f"{ENCODE}: found parts ['v', 'x'], expected parts ['v']",
        ),
        (fake(lambda *_: None), f"{ENCODE}: found a NoneType, expected parts ['v']"),
        (fake(lambda blocks: blocks.rows), f"{ENCODE}: found a ndarray, expected parts ['v']"),
        (fake(mutate), f"{ENCODE}: found ValueError: "),
        (fake(fail), f"{ENCODE}: found ZeroDivisionError: oops"),
        (
            fake(prepare=fail),
            "prepare of the format Fake (fake 1.0) does not keep its contract: found ZeroDivisionError: oops",
        ),
        (fake(decode=fail), f"{DECODE}: found ZeroDivisionError: oops"),
        (fake(decode=lambda *_: None), f"{DECODE}: found a NoneType, expected (2, 3) float32"),
        (fake(decode=lambda parts, _: parts["v"].ravel()), f"{DECODE}: found (6,) float32, expected (2, 3) float32"),
        (
            fake(decode=lambda parts, _: parts["v"].astype("<f8")),
            f"{DECODE}: found (2, 3) float64, expected (2, 3) float32",
        ),
    ],
)
def test_breaches_are_named(broken: Format, says: str) -> None:
    """E10, E11, E13: function, format, distribution and version, tensor, what came and what should have."""
    with installed(broken), pytest.raises(PluginError) as caught:
        encode(W, "Fake", name="layers.0.wq")
    assert str(caught.value).startswith(f"tensor 'layers.0.wq': {says}")
    assert caught.value.exit_code == 5


def test_breaches_leave_the_input_alone() -> None:
    """E11: nothing was written to it."""
    before = W.copy()
    with installed(fake(mutate)), pytest.raises(PluginError):
        encode(W, "Fake")
    assert np.array_equal(W, before)
    assert W.flags.writeable


def test_memory_errors_and_our_own_pass() -> None:
    """They are no breach."""

    def starve(*_: object) -> Parts:
        raise MemoryError

    def refuse(*_: object) -> Parts:
        raise UsageError("not today")

    for encoder, error in ((starve, MemoryError), (refuse, UsageError)):
        with installed(fake(encoder)), pytest.raises(error):
            encode(W, "Fake")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_weights(value: float) -> None:
    """I1, I2: tensor, count, flat index, and what to do."""
    w = np.zeros((2, 3, 4), np.float32)
    w[1, 2, 1] = w[1, 2, 3] = value
    with installed(fake()), pytest.raises(NumericError) as caught:
        encode(w, "Fake", name="experts")
    assert str(caught.value) == (
        f"tensor 'experts': 2 of 12 weights are not finite, the first at flat index 21: found {value}, "
        "expected finite weights. Fake cannot hold them."
    )
    with pytest.raises(NumericError, match='nonfinite = "keep" in the rule lets them through'):
        encode(w, "F32")


def spoiled(value: float) -> Callable[[Parts, Geometry], Array]:
    """A decoder that gives a number in place of a weight."""

    def decode(parts: Parts, _: Geometry) -> Array:
        out: Array = parts["v"].copy()
        out[0, 1] = value
        return out

    return decode


def test_weights_that_become_non_finite() -> None:
    """I5: finite in, not finite out: the format cannot hold them."""
    with installed(fake(decode=spoiled(np.inf))), pytest.raises(NumericError) as caught:
        encode(W, "Fake")
    assert str(caught.value) == (
        "1 of 6 weights are not finite, the first at flat index 1: found inf, expected finite weights. "
        "The weights are finite but too large for Fake; give the tensor another format."
    )


def test_nan_from_finite_parts_is_the_decoders() -> None:
    """Ordinary weights are not too large; those that may be are blamed as before."""
    with installed(fake(decode=spoiled(np.nan))):
        with pytest.raises(
            PluginError, match=r"decode of the format Fake .*: found NaN in row 0, column 1, from finite"
        ):
            encode(W, "Fake")
        with pytest.raises(NumericError, match="too large for Fake"):
            encode(W + np.float32(1e9), "Fake")


@pytest.mark.parametrize("step", [1, 3, 4])
def test_all_rows_count_whoever_reads_first(step: int) -> None:
    """`prepare` reads some rows at a time, or a tile is cut: the message counts the whole matrix."""

    def prepare(original: Original) -> None:
        for first in range(0, 4, step):
            original.rows(first, min(4, first + step))

    w = np.zeros((4, 20), np.float32)
    w[2, 10] = w[3, 0] = np.nan
    with installed(attrs.evolve(fake(), prepare=prepare)), pytest.raises(NumericError) as caught:
        encode(w, "Fake")
    assert "2 of 80 weights are not finite, the first at flat index 50" in str(caught.value)
    tall = np.zeros((2 * TILE_WEIGHTS, 1), np.float32)
    tall[[3, -1]] = np.nan
    with installed(fake()), pytest.raises(NumericError, match=f"^2 of {tall.size} weights .* flat index 3"):
        encode(tall, "Fake")


def test_weights_beyond_float32() -> None:
    """I10: a float64 that float32 cannot hold is refused, without a warning."""
    with installed(fake()), pytest.raises(NumericError, match="too large for Fake"):
        encode(np.array([[1e300]]), "Fake")


def test_non_finite_weights_may_be_let_through() -> None:
    """By a policy, to a format that can hold them; they count for nothing in the measured error."""
    held = MatrixEncoder(registry[as_tag("F32")], Geometry(1, 2, {}), {}, nonfinite=True)
    parts, sums = held.tile(np.array([[np.nan, 1]], np.float32), None, 0)
    assert np.isnan(parts["values"][0, 0])
    assert (sums.signal, sums.noise) == (1, 0)
    overflow = MatrixEncoder(registry[as_tag("F16")], Geometry(1, 2, {}), {}, nonfinite=True)
    with pytest.raises(NumericError, match="1 of 2 weights are not finite, the first at flat index 1"):
        overflow.tile(np.array([[np.nan, 1e6]], np.float32), None, 0)
    refused = MatrixEncoder(registry[as_tag("Q8_0")], Geometry(1, 32, {}), {}, nonfinite=True)
    with pytest.raises(NumericError, match="Q8_0 cannot hold them"):
        refused.tile(np.full((1, 32), np.nan, np.float32), None, 0)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: encode(W, "U8"), "the format U8 has no encoder"),
        (lambda: encode(W, "Q8_0"), "Q8_0 does not fit the shape (2, 3): rows of 3 are not a multiple of 32"),
        (lambda: encode(W, "F32", {"x": 1}), "F32: no setting named 'x'; there are: none"),
        (lambda: encode(W, "Fake", {"group": "4"}), "Fake: found '4', expected int"),
        (lambda: encode(W, "Fake", None, {"method": 3}), "Fake: found 3, expected str"),
    ],
)
def test_what_cannot_be_asked_for(call: Callable[[], object], says: str) -> None:
    """It is refused before any work."""
    with installed(fake(fail)), pytest.raises(UsageError) as caught:
        call()
    assert str(caught.value) == says


def test_missing_format() -> None:
    """The error is the registry's."""
    with pytest.raises(MissingFormatError, match="no installed package provides the format Nope"):
        encode(W, "Nope")


@pytest.mark.parametrize(
    "view",
    [
        lambda w: w[::2, ::3],
        lambda w: w[::-1, ::-1],
        lambda w: w.T,
        lambda w: w.astype(">f4"),
        lambda w: np.broadcast_to(w[:1], (5, w.shape[1])),
        lambda w: w.astype(np.float16),
        lambda w: np.frombuffer(b"x" + w.tobytes(), np.uint8)[1:].view(np.float32).reshape(w.shape),
    ],
)
def test_odd_arrays(view: Callable[[Array], Array]) -> None:
    """I9: strided, transposed, big-endian, broadcast, half, unaligned: the same numbers, the same parts."""
    w = view(np.random.default_rng(2).normal(size=(64, 96)).astype(np.float32))
    plain = np.array(w, np.float32, order="C")
    assert encode(w, "F32").parts["values"].tobytes() == plain.tobytes()


def test_aids_of_experts() -> None:
    """There is one set for all matrices, or one for each."""
    each, every = np.arange(6, dtype=np.float32).reshape(2, 3), np.ones((3, 3), np.float32)
    aids = Aids(importance=each, hessian=every)
    assert aids.of_matrix(1).importance is not None
    assert aids.of_matrix(1).importance.tolist() == [3, 4, 5]  # type: ignore[union-attr]
    assert aids.of_matrix(1).hessian is every
    assert aids.restricted(frozenset({"hessian"})).importance is None


def test_float64_weights_beyond_float32_are_refused_before_the_format_sees_them() -> None:
    """They are finite, and too large: no infinity reaches an encoder."""
    with pytest.raises(NumericError, match=r"finite but too large for Q8_B"):
        encode(np.full((2, 4), 1e200), "Q8_B")
