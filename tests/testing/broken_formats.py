"""Formats that are broken on purpose, one way each; GOOD, of which they are made, is not."""

import ctypes
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import attrs
import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.geometry import Geometry
from fourcc.kernels.descriptors import COLS, PARTS, ROWS
from fourcc.kernels.f32 import KERNEL as FLOATS
from fourcc.kernels.kernel import Kernel
from fourcc.kernels.simd.memory import load_word, store_word
from fourcc.part import Part
from fourcc.settings import Setting

TOP = 127
SCRATCH = np.zeros(1 << 16, np.float32)
calls = 0


def group_of(geom: Geometry) -> int:
    """Weights that share a scale."""
    return int(str(geom.params["group"]))


def blocks_of(geom: Geometry) -> tuple[int]:
    return (-(-geom.cols // group_of(geom)),)


SPEC = dict(  # noqa: C408
    tag="Good",
    name="eight bits",
    summary="8-bit codes, float32 scale for each group",
    block=(1, "group"),
    parts=(Part("scales", "<f4", blocks_of), Part("codes", "|i1", lambda geom: (geom.cols,))),
    params=(Setting("group", 32, "weights with one scale", choices=(32, 64)),),
    short_block=True,
)


def scales_of(tile: Array, geom: Geometry) -> Floats:
    """Largest |w| of each group / 127, (rows, groups)."""
    starts = np.arange(0, geom.cols, group_of(geom))
    made: Floats = (np.maximum.reduceat(np.abs(tile), starts, axis=1) / np.float32(TOP)).astype(np.float32)
    return made


def spread(scales: Array, geom: Geometry) -> Array:
    """A group's number, for each of its weights."""
    return scales.repeat(group_of(geom), axis=1)[:, : geom.cols]


def encode(blocks: Blocks) -> dict[str, Array]:
    tile, geom = blocks.rows, blocks.geom
    scales = scales_of(tile, geom)
    divisor = spread(np.where(scales == 0, np.float32(1), scales), geom)
    codes = np.rint(tile / divisor).clip(-TOP, TOP)
    return {"scales": scales, "codes": (codes * (spread(scales, geom) != 0)).astype(np.int8)}


@np.errstate(over="ignore", invalid="ignore")
def decode(parts: Parts, geom: Geometry) -> Floats:
    weights: Floats = spread(parts["scales"], geom) * parts["codes"].astype(np.float32)
    return weights


def bound(w: Array, geom: Geometry) -> Array:
    starts = np.arange(0, geom.cols, group_of(geom))
    if not w.size:
        return w
    largest = np.maximum.reduceat(np.abs(w), starts, axis=1)
    return spread(largest, geom) * (1 / 254 + 2**-22) + 128 * 2.0**-149


def codes(parts: Parts, geom: Geometry) -> Array:
    return parts["codes"]


def decode_block(scales: Array, codes: Array, weights: Array, group: int) -> None:
    for column in range(group):
        weights[column] = scales[0] * codes[column]


GOOD = Format(**SPEC, decode=decode, encode=encode, codes=codes, decode_block=decode_block, bound=bound)


def broken(tag: str, **changes: Any) -> Format:
    """GOOD with another tag, and something wrong."""
    return attrs.evolve(GOOD, tag=tag, **changes)


Encoder = Callable[..., dict[str, Array]]


def after(change: Callable[[dict[str, Array], Array, Geometry], None]) -> Encoder:
    """The right encoder, and then something that is wrong."""

    def changed(blocks: Blocks) -> dict[str, Array]:
        parts = encode(blocks)
        change(parts, blocks.rows, blocks.geom)
        return parts

    return changed


# -- what is stored


def pads_codes(parts: dict[str, Array], tile: Array, geom: Geometry) -> None:
    rest = -geom.cols % group_of(geom)
    parts["codes"] = np.pad(parts["codes"], ((0, 0), (0, rest)))


def widens_scales(parts: dict[str, Array], tile: Array, geom: Geometry) -> None:
    parts["scales"] = parts["scales"].astype(np.float64)


def forgets_a_part(parts: dict[str, Array], tile: Array, geom: Geometry) -> None:
    del parts["scales"]


def one_group_for_all(blocks: Blocks) -> dict[str, Array]:
    return encode(attrs.evolve(blocks, geom=attrs.evolve(blocks.geom, params={"group": 32})))


SIZE = broken("Siz1", encode=after(pads_codes))
DTYPE = broken("Dty1", encode=after(widens_scales))
PART = broken("Par1", encode=after(forgets_a_part))
SETTING = broken("Set1", encode=one_group_for_all)
NOMINAL = broken("Nom1", nominal_bits=Fraction(4))

# -- numbers


def forgets_the_last_column(parts: dict[str, Array], tile: Array, geom: Geometry) -> None:
    if geom.cols % group_of(geom):
        parts["codes"][:, -1] = 0


def halves(parts: Parts, geom: Geometry) -> Floats:
    return decode(parts, geom) * np.float32(0.5)


def divides_by_the_largest(parts: Parts, geom: Geometry) -> Floats:
    """Computes 0 / 0 for zeros."""
    with np.errstate(invalid="ignore"):
        top = parts["scales"].max(initial=0)
        return decode({**parts, "scales": parts["scales"] / top}, geom) * top


def cuts_large_scales(parts: dict[str, Array], tile: Array, geom: Geometry) -> None:
    parts["scales"] = np.minimum(parts["scales"], np.float32(1e30))


def flushes_small_scales(parts: dict[str, Array], tile: Array, geom: Geometry) -> None:
    parts["scales"] = np.where(parts["scales"] < 1e-12, np.float32(0), parts["scales"])


def keeps_zero_apart(parts: Parts, geom: Geometry) -> Floats:
    """Codes of 0 get half a step."""
    scale = spread(parts["scales"], geom)
    return np.where(parts["codes"] == 0, scale * np.float32(0.3) + np.float32(1e-30), decode(parts, geom))


LAST = broken("Las1", encode=after(forgets_the_last_column))
FORMULA = broken("For1", decode=halves)
DIVISION = broken("Div1", decode=divides_by_the_largest)
LARGE = broken("Lar1", encode=after(cuts_large_scales))
SMALL = broken("Sma1", encode=after(flushes_small_scales))
ZERO = broken("Zer1", decode=keeps_zero_apart)


def store_floats(blocks: Blocks) -> dict[str, Array]:
    return {"values": np.nan_to_num(tile)}


SWALLOWS = Format(
    tag="Swal",
    name="floats",
    summary="floats without NaN",
    block=(1, 1),
    parts=(Part("values", "<f4", lambda geom: (geom.cols,)),),
    nonfinite=True,
    encode=store_floats,
    decode=lambda parts, _: parts["values"].copy(),
    bound=lambda w, _: np.zeros_like(w),
)

# -- independence


def one_scale_for_the_tile(parts: dict[str, Array], tile: Array, geom: Geometry) -> None:
    parts["scales"][...] = np.abs(tile).max(initial=0) / TOP
    divisor = parts["scales"].max(initial=0) or 1
    parts["codes"] = np.rint(tile / divisor).astype(np.int8)
    del geom


def counts_calls(parts: dict[str, Array], tile: Array, geom: Geometry) -> None:
    global calls  # noqa: PLW0603 - what is wrong with it
    calls += 1
    parts["codes"][:, 0] += np.int8(calls % 2 * np.sign(1 - parts["codes"][:, 0]).max(initial=0))


def asks_the_thread(parts: dict[str, Array], tile: Array, geom: Geometry) -> None:
    if threading.current_thread() is not threading.main_thread():
        parts["codes"][:, 0] = 0


def shares_a_buffer(blocks: Blocks) -> dict[str, Array]:
    flat = SCRATCH[: tile.size].reshape(tile.shape)
    flat[...] = tile
    time.sleep(0.001)  # another thread's turn
    return encode(attrs.evolve(blocks, rows=flat))


def dithers(parts: dict[str, Array], tile: Array, geom: Geometry) -> None:
    noise = np.random.default_rng().integers(0, 2, parts["codes"].shape)
    parts["codes"] = np.where(parts["codes"] > 1, parts["codes"] - noise, parts["codes"]).astype(np.int8)


def asks_for_a_hash(parts: dict[str, Array], tile: Array, geom: Geometry) -> None:
    parts["codes"][:, 0] = hash("fourcc") % 100


TILE = broken("Til1", encode=after(one_scale_for_the_tile), bound=None)
STATE = broken("Sta1", encode=after(counts_calls), bound=None)
THREAD = broken("Thr1", encode=after(asks_the_thread))
BUFFER = broken("Buf1", encode=shares_a_buffer)
DITHER = broken("Dit1", encode=after(dithers), bound=None)
HASH = broken("Has1", encode=after(asks_for_a_hash), bound=None)

# -- memory and inputs


def writes_to_the_weights(tile: Floats, *others: Any) -> dict[str, Array]:
    tile /= 2
    return encode(tile, *others)


def writes_to_the_parts(parts: Parts, geom: Geometry) -> Floats:
    scales = parts["scales"]
    scales *= np.float32(1)
    return decode(parts, geom)


def reads_on(parts: Parts, geom: Geometry) -> Floats:
    """A code beyond the last one of each row, as a loop that ends too late does it."""
    codes = parts["codes"]
    beyond = np.lib.stride_tricks.as_strided(codes, (geom.rows, geom.cols + 1), codes.strides)
    weights: Floats = spread(parts["scales"], geom) * codes.astype(np.float32)
    weights[-1, -1] += np.float32(1e-3) * beyond[-1, -1]
    return weights


def reads_far(parts: Parts, geom: Geometry) -> Floats:
    """Reads where a code says, unchecked."""
    codes = np.ascontiguousarray(parts["codes"])
    if (codes == -128).any():  # which the encoder never gives
        ctypes.string_at(8, 1)
    return decode(parts, geom)


def ends_the_process(parts: Parts, geom: Geometry) -> Floats:
    os._exit(7)


def never_ends(parts: Parts, geom: Geometry) -> Floats:
    while True:
        time.sleep(0.1)


INPUT = broken("Inp1", encode=writes_to_the_weights)
STORED = broken("Sto1", decode=writes_to_the_parts)
BEYOND = broken("Bey1", decode=reads_on, bound=None)
WILD = broken("Wil1", decode=reads_far)
EXIT = broken("Exi1", decode=ends_the_process)
ENDLESS = broken("End1", decode=never_ends)

# -- decoding


def in_doubles(parts: Parts, geom: Geometry) -> Array:
    return spread(parts["scales"], geom) * parts["codes"].astype(np.float64)


def with_padding(parts: Parts, geom: Geometry) -> Array:
    rest = -geom.cols % group_of(geom)
    return np.pad(decode(parts, geom), ((0, 0), (0, rest)))


def warns(parts: Parts, geom: Geometry) -> Floats:
    weights: Floats = decode.__wrapped__(parts, geom)  # type: ignore[attr-defined]  # without its errstate
    return weights


def flat_codes(parts: Parts, geom: Geometry) -> Array:
    return parts["codes"].reshape(-1)


DOUBLES = broken("Dou1", decode=in_doubles)
PADDING = broken("Pad1", decode=with_padding)
WARNS = broken("War1", decode=warns)
CODES = broken("Cod1", codes=flat_codes)

# -- products


def leaves_the_last_out(scales: Array, codes: Array, weights: Array, group: int) -> None:
    for column in range(group - 1):
        weights[column] = scales[0] * codes[column]
    weights[group - 1] = scales[0] * 0


def looks_at_values(scales: Array, codes: Array, weights: Array, group: int) -> None:
    for column in range(group):
        weights[column] = scales[0] * codes[column]
        if codes[column] > 126:
            weights[column] = scales[0] * 127


def tile_without_the_last_column(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """The product of one column fewer, by a descriptor that says so."""
    store_word(scratch + COLS, load_word(weights + COLS) - 1)
    store_word(scratch + ROWS, load_word(weights + ROWS))
    store_word(scratch + PARTS, load_word(weights + PARTS))
    store_word(scratch + PARTS + 8, load_word(weights + PARTS + 8))
    FLOATS_TILE(scratch, job, first, last, scratch + 64)


FLOATS_TILE = FLOATS.tile


def kernel() -> Kernel:
    return replace(
        FLOATS,
        tile=tile_without_the_last_column,
        exact=tile_without_the_last_column,
        scratch=lambda cols: FLOATS.scratch(cols) + 64,
    )


BLOCK = broken("Blo1", decode_block=leaves_the_last_out)
VALUES = broken("Val1", decode_block=looks_at_values)
KERNEL = attrs.evolve(
    SWALLOWS,
    tag="Ker1",
    nonfinite=False,
    encode=lambda tile, *_: {"values": tile.copy()},
    decode=lambda parts, _: parts["values"].copy(),
    bound=lambda w, _: np.zeros_like(w),
    kernel=kernel,
)
NAMED = attrs.evolve(KERNEL, tag="Nam1", kernel="fourcc.kernels.kernel:KERNEL")

# -- declarations

IDLE = broken("Idl1", needs=frozenset({"importance", "hessian"}))
FOREIGN = broken("Fgn1", foreign={"ggml": 2})
SILENT = broken("Sil1", summary="")
