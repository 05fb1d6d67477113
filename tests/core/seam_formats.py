"""Formats that nobody needs, each with something that a seam may fail to hold. Small, and right, but not good."""

import zlib
from fractions import Fraction

import numpy as np

from fourcc import (
    Array,
    Blocks,
    Floats,
    Format,
    Geometry,
    Original,
    Part,
    Parts,
    Setting,
    Sparse,
    Turn,
    packed,
    per_block,
    per_column,
    per_matrix,
    per_row,
    per_weight,
    ragged,
    record,
)

# A codebook for the matrix: `prepare` sees all rows, a part belongs to the whole matrix, and so does a number.


def _fit(original: Original) -> Floats:
    """The sixteen quantiles of all weights, read in two runs."""
    half, rows = original.geom.rows // 2, original.geom.rows
    w = np.concatenate([original.rows(0, half), original.rows(half, rows)])
    book: Floats = np.quantile(w, np.arange(16) / 15).astype(np.float32)  # (16,)
    return book


def _nearest(blocks: Blocks) -> Parts:
    book = blocks.shared
    return {"codes": np.abs(blocks.w[..., None] - book).argmin(axis=-1), "book": book, "largest": np.abs(book).max()}


def _of_book(codes: Array, book: Array, largest: Array, weights: Array) -> None:
    weights[:] = np.minimum(book[codes], largest)


CODEBOOK = Format(
    tag="Cbk4",
    summary="a codebook for each matrix",
    block=8,
    parts=(packed("codes", bits=4), per_matrix("book", "f4", 16), per_matrix("largest", "f4")),
    prepare=_fit,
    encode=_nearest,
    decode_block=_of_book,
)

# GPTQ with act-order: columns are taken in the order of the Hessian's diagonal and grouped in that order; the part
# g_idx says which group a column is in. Groups are a parameter.


def _act_order(original: Original) -> Array:
    geom, aids = original.geom, original.aids
    assert aids.hessian is not None
    order = np.argsort(-np.diag(aids.hessian), kind="stable")
    groups = np.empty(geom.cols, np.int32)
    groups[order] = np.arange(geom.cols) // geom.params["group"]
    return groups  # (cols,)


def _gptq(blocks: Blocks) -> Parts:
    tile, groups, geom = blocks.rows, blocks.shared, blocks.geom
    scales = np.zeros((geom.rows, groups.max() + 1), np.float16)
    np.maximum.at(scales.T, groups, (np.abs(tile.T) / 7).astype(np.float16))
    codes = np.rint(tile / np.maximum(scales[:, groups], 1e-6)).clip(-8, 7).astype(np.int8)
    return {"g_idx": groups, "scales": scales, "codes": codes}


GPTQ = Format(
    tag="Gptq",
    summary="GPTQ with act-order",
    block=(1, None),
    parts=(
        per_column("g_idx", "i4"),
        Part("scales", "f2", lambda geom: (-(-geom.cols // geom.params["group"]),)),
        per_weight("codes", "i1"),
    ),
    params=(Setting("group", 8, "columns of a scale", low=1),),
    needs=frozenset({"hessian"}),
    prepare=_act_order,
    encode=_gptq,
    decode=lambda parts, _: parts["scales"].astype(np.float32)[:, parts["g_idx"]] * parts["codes"],
)

# AWQ: weights are scaled for each input channel by its importance, and eight rows of 4-bit codes share a word, in AWQ's
# order. The whole matrix is one tile.

ORDER = np.array([0, 2, 4, 6, 1, 3, 5, 7])
SHIFTS = np.arange(0, 32, 4, dtype=np.uint32)


def _awq(blocks: Blocks) -> Parts:
    tile, geom, aids = blocks.rows, blocks.geom, blocks.aids
    assert aids.importance is not None
    channels = np.sqrt(aids.importance).astype(np.float32)  # (cols,)
    w = tile * channels
    step = (np.abs(w).max(axis=1) / 7).astype(np.float16)  # (rows,)
    codes = np.zeros((-(-geom.rows // 8) * 8, geom.cols), np.uint32)
    codes[: geom.rows] = (np.rint(w / np.maximum(step, 1e-6)[:, None]) + 8).clip(0, 15)
    words = (codes.reshape(-1, 8, geom.cols)[:, ORDER] << SHIFTS[None, :, None]).sum(axis=1, dtype=np.uint32)
    return {"channels": channels, "steps": step, "words": words}


def _awq_decode(parts: Parts, geom: Geometry) -> Floats:
    codes = parts["words"][:, None] >> SHIFTS[None, :, None] & 15  # (words, 8, cols)
    rows: Floats = codes[:, np.argsort(ORDER)].reshape(-1, geom.cols)[: geom.rows].astype(np.float32)
    rows -= 8
    rows *= parts["steps"].astype(np.float32)[:, None]
    rows /= parts["channels"]
    return rows


AWQ = Format(
    tag="Awqi",
    summary="AWQ, interleaved",
    block=(None, None),
    parts=(
        per_column("channels", "f4"),
        per_row("steps", "f2"),
        Part("words", "u4", lambda geom: (geom.cols,), rows=8),
    ),
    needs=frozenset({"importance"}),
    encode=_awq,
    decode=_awq_decode,
)

# A trellis: each code is a path of two bits a weight through states, the table of outputs is stored. A block is a row.


def _walk(blocks: Blocks) -> Parts:
    table = blocks.shared
    state = np.zeros(len(blocks.w), np.int64)
    codes = np.empty(blocks.w.shape, np.uint8)
    for column, w in enumerate(blocks.w.T):
        nexts = (state[:, None] * 4 + np.arange(4)) % 64
        codes[:, column] = np.abs(table[nexts] - w[:, None]).argmin(axis=1)
        state = nexts[np.arange(len(state)), codes[:, column]]
    return {"table": table, "codes": codes}


def _walk_back(table: Array, codes: Array, weights: Array) -> None:
    state = 0
    for column in range(len(weights)):
        state = (state * 4 + codes[column]) % 64
        weights[column] = table[state]


TRELLIS = Format(
    tag="Trel",
    summary="a trellis with its table",
    block=(1, None),
    parts=(per_matrix("table", "f4", 64), packed("codes", bits=2, high_first=True)),
    prepare=lambda _: np.sin(np.arange(64) * 2.4).astype(np.float32) * np.float32(2),
    encode=_walk,
    decode_block=_walk_back,
)

# Rotated by a Hadamard matrix with random signs, of which the file holds the seed; records of a scale and eight codes.


def _rotation(geom: Geometry) -> Floats:
    signs = np.random.Generator(np.random.PCG64(geom.params["seed"])).integers(0, 2, geom.cols) * 2 - 1
    matrix = np.ones((1, 1), np.float32)
    while len(matrix) < geom.cols:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    rotation: Floats = (matrix / np.sqrt(np.float32(geom.cols)) * signs).astype(np.float32)  # (cols, cols), orthogonal
    return rotation


def _rotate(blocks: Blocks) -> Parts:
    w = (blocks.rows @ blocks.shared.T).reshape(-1, 8)
    d = np.abs(w).max(axis=1) / 127
    return {"d": d, "q": np.rint(w / np.maximum(d, 1e-30)[:, None]).astype(np.int8)}


def _rotated(d: Array, q: Array, weights: Array, seed: int) -> None:
    weights[:] = d * q


HADAMARD = Format(
    tag="Hada",
    summary="rotated 8-bit",
    block=8,
    parts=(record("blocks", per_block("d", "f4"), per_weight("q", "i1")),),
    params=(Setting("seed", 1, "of the signs", low=0, high=2**32 - 1),),
    prepare=lambda original: _rotation(original.geom),
    encode=_rotate,
    decode_block=_rotated,
    turn=Turn(lambda x, _, geom: x @ _rotation(geom).T, lambda rows, _, geom: rows @ _rotation(geom)),
)

# Entropy-coded: one part of variable length, and one of fixed length behind it.


def _deflate(blocks: Blocks) -> Parts:
    steps = np.abs(blocks.rows).max(axis=1) / 127
    codes = np.rint(blocks.rows / np.maximum(steps, 1e-30)[:, None]).astype(np.int8)
    return {"stream": np.frombuffer(zlib.compress(codes.tobytes(), 9), np.uint8), "steps": steps}


def _inflate(parts: Parts, geom: Geometry) -> Floats:
    codes = np.frombuffer(zlib.decompress(parts["stream"].tobytes()), np.int8).reshape(geom.rows, geom.cols)
    w: Floats = codes.astype(np.float32)
    w *= parts["steps"][:, None]
    return w


ENTROPY = Format(
    tag="Zent",
    summary="entropy-coded 8-bit",
    block=(1, None),
    parts=(ragged("stream", "u1"), per_row("steps", "f4")),
    nominal_bits=Fraction(7),
    encode=_deflate,
    decode=_inflate,
)

# Three values a weight, five to a byte, and the weights that are far from them: of variable length, beside the blocks.


def _ternary(blocks: Blocks) -> Parts:
    scale = np.abs(blocks.w).mean(axis=1)
    codes = np.rint(blocks.w / np.maximum(scale, 1e-30)[:, None]).clip(-1, 1)
    rows, cols = blocks.geom.rows, blocks.geom.cols
    off = (blocks.w - scale[:, None] * codes).reshape(rows, -1)[:, :cols]  # without the zeros of short blocks
    at = np.flatnonzero(np.abs(off) > 0.5)
    return {"scale": scale, "codes": codes.astype(np.int8) + 1, "at": at, "off": off.ravel()[at]}


def _of_ternary(scale: Array, codes: Array, weights: Array) -> None:
    weights[:] = scale * (codes - 1)


def _outliers(parts: Parts, geom: Geometry) -> Sparse:
    return Sparse(*np.divmod(parts["at"], geom.cols), parts["off"])


OUTLIERS = Format(
    tag="Outl",
    summary="ternary, with outliers",
    block=12,
    parts=(per_block("scale", "f4"), packed("codes", base=3, digits=5), ragged("at", "u4"), ragged("off", "f4")),
    nominal_bits=Fraction(5),
    encode=_ternary,
    decode_block=_of_ternary,
    extra=_outliers,
)

# Blocks of several rows: down a column, and four rows of seven; the last ones are short in both directions.


def _steps(blocks: Blocks) -> Parts:
    assert blocks.w.size == 0 or np.abs(blocks.w).max(axis=1).all(), "no zero fills up a block"
    step = np.abs(blocks.w).max(axis=1) / 15
    return {"step": step, "codes": np.rint(blocks.w / step[:, None]).astype(np.int8) + 15}


def _stepped(step: Array, codes: Array, weights: Array) -> None:
    weights[:] = step * (codes - 15)


COLUMNS = Format(
    tag="Colu",
    summary="128 rows of a column",
    block=(128, 1),
    parts=(per_block("step", "f4"), packed("codes", bits=5)),
    encode=_steps,
    decode_block=_stepped,
)
GRID = Format(
    tag="Grid",
    summary="4 rows of 7",
    block=(4, 7),
    parts=(per_block("step", "f4"), packed("codes", bits=5)),
    encode=_steps,
    decode_block=_stepped,
)

# A block as long as a parameter says, scales of the columns that calibration data give, and of the rows.


def _balanced(blocks: Blocks) -> Parts:
    assert blocks.aids.importance is not None
    channels = np.sqrt(blocks.aids.importance).astype(np.float32)  # (cols,)
    w = blocks.rows * channels
    rows = np.abs(w).max(axis=1)
    width = blocks.w.shape[1]
    w = np.pad(w, ((0, 0), (0, -w.shape[1] % width))).reshape(len(w), -1, width) / rows[:, None, None]
    step = np.maximum(np.abs(w).max(axis=2), 1e-30) / 7  # (rows, blocks of a row)
    codes = np.rint(w / step[..., None]).astype(np.int8) + 8
    return {"channels": channels, "rows": rows, "step": step.reshape(-1), "codes": codes.reshape(-1, width)}


def _balance(channels: Array, rows: Array, step: Array, codes: Array, weights: Array, group: int) -> None:
    for column in range(group):
        weights[column] = rows * step * (codes[column] - 8) / channels[column]


BALANCED = Format(
    tag="Bala",
    summary="4-bit, with scales of rows, columns and groups",
    block=(1, "group"),
    parts=(per_column("channels", "f4"), per_row("rows", "f4"), per_block("step", "f2"), packed("codes", bits=4)),
    params=(Setting("group", 24, "columns of a step", low=1),),
    needs=frozenset({"importance"}),
    encode=_balanced,
    decode_block=_balance,
)
