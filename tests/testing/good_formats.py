"""Formats of which the broken ones are made: one of each kind of part, and a turn. They are right."""

from typing import Any

import attrs
import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.format import Blocks, Format, Original, Sparse, Turn
from fourcc.geometry import Geometry
from fourcc.part import packed, per_block, per_column, per_matrix, per_row, per_weight, ragged
from fourcc.settings import Setting

TOP = 127
OUTLIER = 3.0  # times the root mean square


def group_of(geom: Geometry) -> int:
    """Weights that share a scale."""
    return int(str(geom.params["group"]))


def safe(scales: Array) -> Array:
    """The scales, 1 instead of 0, as a column."""
    return np.where(scales == 0, np.float32(1), scales)[:, None]


def quantized(w: Array, top: int) -> tuple[Array, Array]:
    """Scales (blocks,) and integers (blocks, weights)."""
    scales = (np.abs(w).max(axis=1) / np.float32(top)).astype(np.float32)
    codes = np.rint(w / safe(scales)).clip(-top, top)
    return scales, (codes * (scales != 0)[:, None]).astype(np.int8)


def encode(blocks: Blocks) -> dict[str, Array]:
    """Eight bits, one scale for a block."""
    scales, codes = quantized(blocks.w, TOP)
    return {"scales": scales, "codes": codes}


def decode_block(scale: Any, codes: Any, weights: Any, group: int) -> None:
    """The formula."""
    for column in range(group):
        weights[column] = scale * codes[column]


def bound(w: Array, geom: Geometry) -> Array:
    """Half a step of the block, with the rounding of the scale."""
    if not w.size:
        return w
    group = group_of(geom)
    largest = np.maximum.reduceat(np.abs(w), np.arange(0, geom.cols, group), axis=1)
    return largest.repeat(group, axis=1)[:, : geom.cols] * (1 / 254 + 2**-22) + 128 * 2.0**-149


GOOD = Format(
    tag="Good",
    name="eight bits",
    summary="8-bit codes, float32 scale for each group",
    block=(1, "group"),
    parts=(per_block("scales", "<f4"), per_weight("codes", "|i1")),
    params=(Setting("group", 32, "weights with one scale", choices=(32, 64)),),
    encode=encode,
    decode_block=decode_block,
    bound=bound,
)

# -- four bits, which the core packs


def encode_nibbles(blocks: Blocks) -> dict[str, Array]:
    """Codes 1 .. 15; 0 is never given."""
    scales, codes = quantized(blocks.w, 7)
    return {"scales": scales, "codes": (codes + 8).astype(np.uint8)}


def decode_nibbles(scale: Any, codes: Any, weights: Any) -> None:
    """The formula."""
    for column in range(32):
        weights[column] = scale * (codes[column] - 8)


NIBBLES = Format(
    tag="Nibb",
    summary="4-bit codes, float32 scale for 32",
    block=32,
    parts=(per_block("scales", "<f4"), packed("codes", bits=4)),
    encode=encode_nibbles,
    decode_block=decode_nibbles,
)

# -- a book of the whole matrix, and a scale for each row


def learn(original: Original) -> Floats:
    """Sixteen quantiles of the first rows."""
    w = original.rows(0, min(original.geom.rows, 8))
    book: Floats = (np.quantile(w, np.linspace(0, 1, 16)) / (np.abs(w).max() or 1)).astype(np.float32)
    return book


def encode_book(blocks: Blocks) -> dict[str, Array]:
    """The nearest entry of the book, times the row's scale."""
    book = np.asarray(blocks.shared)
    scales = np.abs(blocks.rows).max(axis=1).astype(np.float32)
    each = np.repeat(scales, len(blocks.w) // len(scales))[:, None]
    codes = np.abs((blocks.w / np.where(each == 0, 1, each))[..., None] - book).argmin(axis=-1)
    return {"book": book, "scales": scales, "codes": codes.astype(np.uint8)}


def decode_book(book: Any, scale: Any, codes: Any, weights: Any) -> None:
    """The formula."""
    for column in range(32):
        weights[column] = scale * book[codes[column]]


BOOK = Format(
    tag="Book",
    summary="4-bit codes, a book of 16 for the matrix, float32 scale for a row",
    block=32,
    parts=(per_matrix("book", "<f4", 16), per_row("scales", "<f4"), packed("codes", bits=4)),
    prepare=learn,
    encode=encode_book,
    decode_block=decode_book,
)

# -- columns in another order and of another size


def prepare_columns(original: Original) -> Floats:
    """The largest |w| of each column, as a power of two."""
    w = np.abs(original.rows(0, original.geom.rows)).max(axis=0)
    return np.exp2(np.round(np.log2(np.clip(w, 2.0**-60, 2.0**60)))).astype(np.float32)


def encode_turned(blocks: Blocks) -> dict[str, Array]:
    """The weights divided by their column's size, and reversed."""
    columns = np.asarray(blocks.shared)
    turned = (blocks.rows / columns)[:, ::-1].reshape(-1, 32)
    scales, codes = quantized(turned, TOP)
    return {"columns": columns, "scales": scales, "codes": codes}


def forward(x: Floats, parts: Parts, geom: Geometry) -> Floats:
    """Activations times the sizes, reversed."""
    return np.ascontiguousarray((x * parts["columns"])[:, ::-1])


def back(v: Floats, parts: Parts, geom: Geometry) -> Floats:
    """The inverse order, then the sizes."""
    turned: Floats = v[:, ::-1] * parts["columns"]
    return turned


TURNED = Format(
    tag="Turn",
    summary="8-bit codes of scaled and reversed columns",
    block=32,
    parts=(per_column("columns", "<f4"), per_block("scales", "<f4"), per_weight("codes", "|i1")),
    short_block=False,
    prepare=prepare_columns,
    encode=encode_turned,
    decode_block=lambda scale, codes, weights: decode_block(scale, codes, weights, 32),
    turn=Turn(forward, back, ("columns",)),
)

# -- outliers beside the blocks


def encode_outliers(blocks: Blocks) -> dict[str, Array]:
    """Eight bits; what is large is stored apart, as it is."""
    w = np.array(blocks.rows)
    row, col = np.nonzero(np.abs(w) > OUTLIER * np.sqrt(np.square(w, dtype=np.float64).mean()))
    values = w[row, col].copy()
    w[row, col] = 0
    places = (row * w.shape[1] + col).astype(np.uint32)
    full = np.zeros((len(w), -(-w.shape[1] // 32) * 32), np.float32)
    full[:, : w.shape[1]] = w
    scales, codes = quantized(full.reshape(-1, 32), TOP)
    return {"scales": scales, "codes": codes, "places": places, "values": values}


def outliers(parts: Parts, geom: Geometry) -> Sparse:
    """The large weights; a damaged place is taken modulo the matrix."""
    count = min(len(parts["places"]), len(parts["values"]))
    places = parts["places"][:count].astype(np.int64) % (geom.rows * geom.cols)
    return Sparse(places // geom.cols, places % geom.cols, parts["values"][:count].astype(np.float32))


OUTLIERS = attrs.evolve(
    TURNED,
    tag="Outl",
    name="Outl",
    summary="8-bit codes, outliers apart",
    parts=(per_block("scales", "<f4"), per_weight("codes", "|i1"), ragged("places", "<u4"), ragged("values", "<f4")),
    short_block=True,
    prepare=None,
    nominal_bits=10,
    encode=encode_outliers,
    turn=None,
    extra=outliers,
)
