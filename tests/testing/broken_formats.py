"""Formats that are broken on purpose, one way each; what they are made of, in `good_formats`, is not."""

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import wraps
from typing import Any

import attrs
import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.format import Blocks, Format, Sparse, Turn
from fourcc.geometry import Geometry
from fourcc.grid import Grid
from fourcc.kernels.descriptors import COLS, PARTS, ROWS
from fourcc.kernels.f32 import KERNEL as FLOATS
from fourcc.kernels.kernel import Kernel
from fourcc.kernels.simd.memory import load_word, store_word
from fourcc.part import Part, packed, per_block, per_row, per_weight
from fourcc.settings import Setting
from tests.testing.good_formats import (
    BOOK,
    GOOD,
    NIBBLES,
    OUTLIERS,
    TOP,
    TURNED,
    back,
    bound,
    encode,
    encode_book,
    encode_nibbles,
    forward,
    group_of,
    outliers,
)

SCRATCH = np.zeros(1 << 18, np.float32)
calls = 0
Encoder = Callable[[Blocks], dict[str, Array]]


def broken(tag: str, base: Format = GOOD, **changes: Any) -> Format:
    """A right format with another tag, and something wrong."""
    return attrs.evolve(base, tag=tag, **changes)


def decoding(tag: str, decode: Callable[[Parts, Geometry], Array], **changes: Any) -> Format:
    """GOOD with a decoder of its own that is wrong, and no block decoder."""
    return broken(tag, decode=decode, decode_block=None, **changes)


def after(change: Callable[[dict[str, Array], Blocks], None], right: Encoder = encode) -> Encoder:
    """The right encoder, and then something that is wrong."""

    @wraps(change)
    def changed(blocks: Blocks) -> dict[str, Array]:
        parts = right(blocks)
        change(parts, blocks)
        return parts

    return changed


@np.errstate(over="ignore", invalid="ignore")
def decode(parts: Parts, geom: Geometry) -> Floats:
    """The right weights of GOOD, by hand."""
    scales = parts["scales"].repeat(group_of(geom), axis=1)[:, : geom.cols]
    weights: Floats = scales * parts["codes"].astype(np.float32)
    return weights


# -- what an encoder returns


def has_the_shape_of_rows(parts: dict[str, Array], blocks: Blocks) -> None:
    parts["codes"] = np.zeros(blocks.rows.shape, np.int8)


def transposes(parts: dict[str, Array], blocks: Blocks) -> None:
    parts["codes"] = parts["codes"].T


def keeps_an_axis(parts: dict[str, Array], blocks: Blocks) -> None:
    parts["scales"] = parts["scales"][:, None]


def packs_itself(parts: dict[str, Array], blocks: Blocks) -> None:
    parts["codes"] = parts["codes"][:, ::2] | parts["codes"][:, 1::2] << 4


def leaves_floats(parts: dict[str, Array], blocks: Blocks) -> None:
    parts["codes"] = parts["codes"].astype(np.float32)


def goes_to_sixteen(parts: dict[str, Array], blocks: Blocks) -> None:
    parts["codes"] = parts["codes"] + np.uint8(1)


def forgets_a_part(parts: dict[str, Array], blocks: Blocks) -> None:
    del parts["scales"]


def adds_a_part(parts: dict[str, Array], blocks: Blocks) -> None:
    parts["offsets"] = parts["scales"]


def returns_a_tuple(blocks: Blocks) -> Any:
    return tuple(encode(blocks).values())


def one_group_for_all(blocks: Blocks) -> dict[str, Array]:
    scales = np.abs(blocks.w.reshape(-1, min(32, blocks.w.shape[1]))).max(axis=1) / np.float32(TOP)
    return {**encode(blocks), "scales": scales}


def asks_for_what_is_not_there(blocks: Blocks) -> dict[str, Array]:
    return {**encode(blocks), "codes": np.full(blocks.w.shape, blocks.params["size"])}


class OddError(Exception):
    """An exception that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def raises_something_odd(blocks: Blocks) -> dict[str, Array]:
    raise OddError


class Text(str):
    """A text that is no plain one."""

    __slots__ = ()

    def __format__(self, _: str) -> str:
        raise RuntimeError("no format")


def raises_an_odd_text(blocks: Blocks) -> dict[str, Array]:
    raise ValueError(Text("odd"))


def ends_with_sys_exit(blocks: Blocks) -> dict[str, Array]:
    sys.exit(3)


def asks_for_all_memory(blocks: Blocks) -> dict[str, Array]:
    return {**encode(blocks), "codes": np.zeros((1 << 50, len(blocks.w)))}


def calls_itself(blocks: Blocks) -> dict[str, Array]:
    return calls_itself(blocks)


def writes_to_the_weights(blocks: Blocks) -> dict[str, Array]:
    blocks.w[...] /= 2
    return encode(blocks)


ROWS_SHAPE = broken("Siz1", encode=after(has_the_shape_of_rows))
TRANSPOSED = broken("Tra1", encode=after(transposes))
AXIS = broken("Axi1", encode=after(keeps_an_axis))
PACKED = broken("Pac1", NIBBLES, encode=after(packs_itself, encode_nibbles))
FLOAT_CODES = broken("Flo1", encode=after(leaves_floats))
LARGE_CODE = broken("Cod4", NIBBLES, encode=after(goes_to_sixteen, encode_nibbles))
PART = broken("Par1", encode=after(forgets_a_part))
MORE_PARTS = broken("Par2", encode=after(adds_a_part))
TUPLE = broken("Tup1", encode=returns_a_tuple)
SETTING = broken("Set1", encode=one_group_for_all)
NAME = broken("Nam2", encode=asks_for_what_is_not_there)
ODD = broken("Odd2", encode=raises_something_odd)
ODD_TEXT = broken("Odd3", encode=raises_an_odd_text)
SYS_EXIT = broken("Sys1", encode=ends_with_sys_exit)
MEMORY = broken("Mem1", encode=asks_for_all_memory)
DEEP = broken("Dee1", encode=calls_itself)
INPUT = broken("Inp1", encode=writes_to_the_weights)
NOMINAL = broken("Nom1", nominal_bits=Fraction(4))
TAIL = Format(
    tag="Dty1",
    summary="a tail in doubles",
    block=1,
    parts=(Part("values", "<f4", lambda geom: (geom.cols,)),),
    encode=lambda blocks: {"values": blocks.rows.astype(np.float64)},
    decode=lambda parts, _: parts["values"].copy(),
)

# -- numbers


def forgets_the_last_column(parts: dict[str, Array], blocks: Blocks) -> None:
    if blocks.w.shape[1] % 32:
        parts["codes"][:, -1] = 0


def halves(scale: Any, codes: Any, weights: Any, group: int) -> None:
    for column in range(group):
        weights[column] = scale * codes[column] * 0.5


def divides_by_the_largest(parts: Parts, geom: Geometry) -> Floats:
    """Computes 0 / 0 for zeros."""
    with np.errstate(invalid="ignore"):
        top = parts["scales"].max(initial=0)
        return decode({**parts, "scales": parts["scales"] / top}, geom) * top


def divides_by_zero(scale: Any, codes: Any, weights: Any, group: int) -> None:
    for column in range(group):
        weights[column] = scale * codes[column] * ((column - 5) / (codes[5] - codes[5]))


def cuts_large_scales(parts: dict[str, Array], blocks: Blocks) -> None:
    parts["scales"] = np.minimum(parts["scales"], np.float32(1e30))


def flushes_small_scales(parts: dict[str, Array], blocks: Blocks) -> None:
    parts["scales"] = np.where(parts["scales"] < 1e-12, np.float32(0), parts["scales"])


def keeps_zero_apart(parts: Parts, geom: Geometry) -> Floats:
    """Codes of 0 get half a step."""
    scale = parts["scales"].repeat(group_of(geom), axis=1)[:, : geom.cols]
    return np.where(parts["codes"] == 0, scale * np.float32(0.3) + np.float32(1e-30), decode(parts, geom))


def counts_zeros_that_fill_up(blocks: Blocks) -> dict[str, Array]:
    """The mean |w| of a block, with the zeros that fill it up; a part of rows brings all blocks at once."""
    means = np.abs(blocks.w).mean(axis=1, dtype=np.float64).astype(np.float32)
    return {"rows": np.ones(len(blocks.rows), np.float32), "means": means, "signs": (blocks.w < 0).astype(np.uint8)}


def from_the_mean(w: Array, geom: Geometry) -> Array:
    """How far |w| is from the mean |w| of its block."""
    starts = np.arange(0, geom.cols, 32)
    if not w.size:
        return w
    means = np.add.reduceat(np.abs(w), starts, axis=1) / np.minimum(32, geom.cols - starts)
    means = means.repeat(32, axis=1)[:, : geom.cols]
    return np.abs(np.abs(w) - means) + means * 2.0**-23 + 2.0**-149


def tight(w: Array, geom: Geometry) -> Array:
    return bound(w, geom) * 0.5


def of_blocks(w: Array, geom: Geometry) -> Array:
    return bound(w, geom)[:, :1]


LAST = broken("Las1", encode=after(forgets_the_last_column))
FORMULA = broken("For1", decode_block=halves)
DIVISION = decoding("Div1", divides_by_the_largest)
NANS = broken("Nan1", decode_block=divides_by_zero)
LARGE = broken("Lar1", encode=after(cuts_large_scales))
SMALL = broken("Sma1", encode=after(flushes_small_scales))
ZERO = decoding("Zer1", keeps_zero_apart)
TIGHT = broken("Tig1", bound=tight)
NO_BOUND = broken("Bou1", bound=of_blocks)
FILLED = Format(
    tag="Fil1",
    summary="signs, and the mean of each block",
    block=32,
    parts=(per_row("rows", "<f4"), per_block("means", "<f4"), packed("signs", bits=1)),
    encode=counts_zeros_that_fill_up,
    decode_block=lambda row, mean, signs, weights: signs_times_mean(mean * row, signs, weights),
    bound=from_the_mean,
)


def signs_times_mean(mean: Any, signs: Any, weights: Any) -> None:
    for column in range(32):
        weights[column] = mean * (1 - 2 * signs[column])


SWALLOWS = Format(
    tag="Swal",
    name="floats",
    summary="floats without NaN",
    block=1,
    parts=(per_weight("values", "<f4"),),
    nonfinite=True,
    encode=lambda blocks: {"values": np.nan_to_num(blocks.w)},
    decode=lambda parts, _: parts["values"].copy(),
    bound=lambda w, _: np.zeros_like(w),
)

# -- independence


def one_scale_for_the_tile(blocks: Blocks) -> dict[str, Array]:
    scale = np.float32(np.abs(blocks.w).max() / TOP) or np.float32(1)
    return {"scales": np.full(len(blocks.w), scale), "codes": np.rint(blocks.w / scale).astype(np.int8)}


def counts_calls(parts: dict[str, Array], blocks: Blocks) -> None:
    global calls  # noqa: PLW0603 - what is wrong with it
    calls += 1
    parts["codes"][:, 0] = calls // 3 % 100


def asks_the_thread(parts: dict[str, Array], blocks: Blocks) -> None:
    if threading.current_thread() is not threading.main_thread():
        parts["codes"][:, 0] = 0


def shares_a_buffer(blocks: Blocks) -> dict[str, Array]:
    flat = SCRATCH[: blocks.w.size].reshape(blocks.w.shape)
    flat[...] = blocks.w
    time.sleep(0.001)  # another thread's turn
    return encode(attrs.evolve(blocks, w=flat))


def dithers(parts: dict[str, Array], blocks: Blocks) -> None:
    noise = np.random.default_rng().integers(0, 2, parts["codes"].shape)
    parts["codes"] = np.where(parts["codes"] > 1, parts["codes"] - noise, parts["codes"]).astype(np.int8)


def asks_for_a_hash(parts: dict[str, Array], blocks: Blocks) -> None:
    parts["codes"][:, 0] = parts["codes"][:, 0] // 2 + hash("fourcc") % 50


def learns_from_the_tile(parts: dict[str, Array], blocks: Blocks) -> None:
    parts["book"] = np.asarray(blocks.shared) * np.float32(1 + 1e-3 * np.tanh(blocks.rows[0, 0]))


def rolls(parts: Parts, geom: Geometry) -> Floats:
    return decode(parts, geom) * np.random.default_rng().uniform(0.999, 1, (1, geom.cols)).astype(np.float32)


TILE = broken("Til1", encode=one_scale_for_the_tile, bound=None)
STATE = broken("Sta1", encode=after(counts_calls))
THREAD = broken("Thr1", encode=after(asks_the_thread))
BUFFER = broken("Buf1", encode=shares_a_buffer)
DITHER = broken("Dit1", encode=after(dithers))
ROLLS = decoding("Rol1", rolls)
HASH = broken("Has1", encode=after(asks_for_a_hash), bound=None)
OTHER_BOOK = broken("Boo1", BOOK, encode=after(learns_from_the_tile, encode_book))

# -- memory


def writes_to_the_parts(parts: Parts, geom: Geometry) -> Floats:
    scales = parts["scales"]
    scales *= np.float32(1)
    return decode(parts, geom)


def reads_on(parts: Parts, geom: Geometry) -> Floats:
    """A code beyond the last one of each row, as a loop that ends too late does it."""
    codes = parts["codes"]
    beyond = np.lib.stride_tricks.as_strided(codes, (geom.rows, geom.cols + 1), codes.strides)
    weights: Floats = decode(parts, geom)
    weights[-1, -1] += np.float32(1e-3) * beyond[-1, -1]
    return weights


def reads_the_next_block(scale: Any, codes: Any, weights: Any, group: int) -> None:
    for column in range(group):
        weights[column] = scale * codes[column + 1]


def reads_far(parts: Parts, geom: Geometry) -> Floats:
    """Reads where a code says, unchecked."""
    if (parts["codes"] == -128).any():  # which the encoder never gives
        ctypes.string_at(8, 1)
    return decode(parts, geom)


def ends_the_process(parts: Parts, geom: Geometry) -> Floats:
    os._exit(7)


def reads_nothing(parts: Parts, geom: Geometry) -> Floats:
    ctypes.string_at(8, 1)
    return decode(parts, geom)


def never_ends(parts: Parts, geom: Geometry) -> Floats:
    while True:
        time.sleep(0.1)


def never_encodes(blocks: Blocks) -> dict[str, Array]:
    while True:
        time.sleep(0.1)


def never_ends_a_block(scale: Any, codes: Any, weights: Any, group: int) -> None:
    column = 0
    while column < group:
        weights[column] = scale * codes[column]


STORED = decoding("Sto1", writes_to_the_parts)
BEYOND = decoding("Bey1", reads_on)
NEXT_BLOCK = broken("Nex1", decode_block=reads_the_next_block)
WILD = decoding("Wil1", reads_far)
EXIT = decoding("Exi1", ends_the_process)
SEGFAULT = decoding("Seg1", reads_nothing)
ENDLESS = decoding("End1", never_ends)
ENDLESS_ENCODER = broken("End2", encode=never_encodes)
ENDLESS_BLOCK = broken("End3", decode_block=never_ends_a_block)

# -- decoding


def in_doubles(parts: Parts, geom: Geometry) -> Array:
    return decode(parts, geom).astype(np.float64)


def with_padding(parts: Parts, geom: Geometry) -> Array:
    rest = -geom.cols % group_of(geom)
    return np.pad(decode(parts, geom), ((0, 0), (0, rest)))


def warns(parts: Parts, geom: Geometry) -> Floats:
    weights: Floats = decode.__wrapped__(parts, geom)  # type: ignore[attr-defined]  # without its errstate
    return weights


def flat_codes(parts: Parts, geom: Geometry) -> Array:
    return parts["codes"].reshape(-1)


def nothing_for_zero(scale: Any, codes: Any, weights: Any) -> None:
    for column in range(32):
        weights[column] = scale * (codes[column] - 8) * (codes[column] / codes[column])


DOUBLES = decoding("Dou1", in_doubles)
PADDING = decoding("Pad1", with_padding)
WARNS = decoding("War1", warns)
CODES = broken("Cod1", codes=flat_codes)


def forgets_the_scales(parts: Parts, codes: Array, _: Geometry) -> Parts:
    """Loses what belongs beside the codes."""
    return {"scales": np.ones_like(parts["scales"]), "codes": codes.astype(np.int8)}


def levels_of_one(parts: Parts, geom: Geometry) -> Grid:
    """Each code is a weight, whatever the scale."""
    ends = np.ones((2, geom.rows, geom.cols), np.float32) * np.array([-127, 127], np.float32)[:, None, None]
    return Grid(-127, 127, ends)


NOT_BACK = broken("Bck1", with_codes=forgets_the_scales)
LEVELS = broken("Lvl1", grid=levels_of_one)
UNUSED = broken("Unu1", NIBBLES, decode_block=nothing_for_zero)

# -- functions that disagree


def shifts(x: Floats, parts: Parts, geom: Geometry) -> Floats:
    """Not the transpose of `back`: sizes and order are the other way round."""
    return np.ascontiguousarray(x[:, ::-1] * parts["columns"])


def rounds(x: Floats, parts: Parts, geom: Geometry) -> Floats:
    return np.round(forward(x, parts, geom), 1)


def outside(parts: Parts, geom: Geometry) -> Sparse:
    found = outliers(parts, geom)
    return attrs.evolve(found, rows=np.asarray(found.rows) + geom.rows)


def as_doubles(parts: Parts, geom: Geometry) -> Sparse:
    found = outliers(parts, geom)
    return attrs.evolve(found, values=found.values.astype(np.float64))


def leaves_the_last_out(scale: Any, codes: Any, weights: Any, group: int) -> None:
    for column in range(group - 1):
        weights[column] = scale * codes[column]
    weights[group - 1] = scale * 0


DISAGREE = broken("Dis1", decode=decode, decode_block=leaves_the_last_out)
TURN = broken("Tur1", TURNED, turn=Turn(shifts, back, ("columns",)))
ROUNDED = broken("Tur2", TURNED, turn=Turn(rounds, back, ("columns",)))
OUTSIDE = broken("Out1", OUTLIERS, extra=outside)
EXTRA_KIND = broken("Out2", OUTLIERS, extra=as_doubles)


# -- products


def looks_at_values(scale: Any, codes: Any, weights: Any, group: int) -> None:
    for column in range(group):
        weights[column] = scale * codes[column]
        if codes[column] > 126:
            weights[column] = scale * 127


def by_division(scale: Any, codes: Any, weights: Any, group: int) -> None:
    for column in range(group):
        weights[column] = scale * (codes[column] * (codes[0] * codes[0] + 1) // (codes[0] * codes[0] + 1))


def by_power(scale: Any, codes: Any, weights: Any, group: int) -> None:
    for column in range(group):
        weights[column] = scale * codes[column] * 1.0 ** codes[column]


def tile_without_the_last_column(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """The product of one column fewer, by a descriptor that says so."""
    store_word(scratch + COLS, load_word(weights + COLS) - 1)
    store_word(scratch + ROWS, load_word(weights + ROWS))
    store_word(scratch + PARTS, load_word(weights + PARTS))
    store_word(scratch + PARTS + 8, load_word(weights + PARTS + 8))
    FLOATS_TILE(scratch, job, first, last, scratch + 64)


FLOATS_TILE = FLOATS.tile


def kernel() -> Kernel:
    """The kernel of floats, but for a column."""
    return replace(
        FLOATS,
        tile=tile_without_the_last_column,
        exact=tile_without_the_last_column,
        scratch=lambda cols: FLOATS.scratch(cols) + 64,
    )


VALUES = broken("Val1", decode=decode, decode_block=looks_at_values)
FLOOR = broken("Flr1", decode_block=by_division)
POWER = broken("Pow1", decode_block=by_power)
KERNEL = attrs.evolve(
    SWALLOWS, tag="Ker1", nonfinite=False, encode=lambda blocks: {"values": blocks.w.copy()}, kernel=kernel
)
NAMED = attrs.evolve(KERNEL, tag="Nam1", kernel="fourcc.kernels.kernel:KERNEL")

# -- declarations

IDLE = broken("Idl1", needs=frozenset({"importance", "hessian"}))
USES = broken("Use1", uses=frozenset({"importance"}))
OPTION = broken("Opt1", options=(Setting("rounds", 1, "nobody looks at", low=1, high=9),))
FOREIGN = broken("Fgn1", foreign={"ggml": 2})
SILENT = broken("Sil1", summary="")
CONTRADICTS = broken("Con1", uses=frozenset({"gradient"}))
