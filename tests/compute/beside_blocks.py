"""Formats for tests that have something beside their blocks: a turn, sparse weights, both."""

from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.format import Blocks, Format, Sparse, Turn
from fourcc.geometry import Geometry
from fourcc.part import packed, per_block, per_column, ragged
from tests.core.fakes import installed

WIDTH = 16
LEVELS = np.linspace(-1, 1, 16).astype(np.float32)
CALLS: list[int] = []  # activations of each call of a turn
SPREAD = 30  # one of so many weights is sparse


def encode_blocks(blocks: Blocks) -> dict[str, Array]:
    """The largest magnitude, and the nearest of 16 levels."""
    scale = np.abs(blocks.w).max(axis=1) + np.float32(1e-6)
    return {"scale": scale, "codes": np.rint((blocks.w / scale[:, None] + 1) * 7.5).astype(np.uint8)}


def decode_block(scale: Floats, codes: Array, weights: Floats) -> None:
    """One block."""
    for index in range(len(weights)):
        weights[index] = scale * LEVELS[codes[index]]


def encode_turned(blocks: Blocks) -> dict[str, Array]:
    """The codes of plain blocks, and a factor for each column."""
    by = np.random.default_rng(blocks.geom.cols).uniform(0.5, 2, blocks.geom.cols).astype(np.float32)
    return {**encode_blocks(blocks), "by": by}


def shifted(x: Floats, parts: Parts, geom: Geometry) -> Floats:
    """Each column times its factor, then one column further; float64, and not contiguous, as an author may have it."""
    CALLS.append(len(x))
    return np.asfortranarray(np.roll(x.astype(np.float64) * parts["by"], 1, axis=1))


def shifted_back(rows: Floats, parts: Parts, geom: Geometry) -> Floats:
    """The transposed map: one column back, then times the factors."""
    return np.roll(rows, -1, axis=1) * parts["by"]


def encode_sparse(blocks: Blocks) -> dict[str, Array]:
    """The codes of plain blocks, and some weights beside them, two of them at one place."""
    size = blocks.rows.size
    at = np.sort(np.random.default_rng(size).integers(0, size, 2 + size // SPREAD)).astype(np.uint32)
    at[-1] = at[-2]
    return {**encode_blocks(blocks), "at": at, "values": np.sin(at.astype(np.float32)) / 2}


def sparse_weights(parts: Parts, geom: Geometry) -> Sparse:
    """The weights beside the blocks, last ones first."""
    rows, cols = np.divmod(parts["at"].astype(np.int64), geom.cols)
    return Sparse(rows[::-1], cols[::-1], parts["values"].astype(np.float32)[::-1])


PARTS = (per_block("scale", "<f2"), packed("codes", bits=4))
PLACES = (ragged("at", "<u4"), ragged("values", "<f2"))
TURN = Turn(shifted, shifted_back, ("by",))
PLAIN = Format(
    tag="Plnx", summary="16 levels", block=WIDTH, parts=PARTS, encode=encode_blocks, decode_block=decode_block
)
TURNED = attrs.evolve(
    PLAIN, tag="Trnx", name="t", parts=(*PARTS, per_column("by", "<f4")), encode=encode_turned, turn=TURN
)
SPARSE = attrs.evolve(
    PLAIN, tag="Sprx", name="s", parts=(*PARTS, *PLACES), encode=encode_sparse, extra=sparse_weights, nominal_bits=6
)
BOTH = attrs.evolve(
    SPARSE,
    tag="Botx",
    name="b",
    parts=(*TURNED.parts, *PLACES),
    encode=lambda blocks: encode_turned(blocks) | encode_sparse(blocks),
    turn=TURN,
)


@contextmanager
def all_installed() -> Iterator[None]:
    """These formats beside those that are installed."""
    with installed(PLAIN, TURNED, SPARSE, BOTH):
        yield
