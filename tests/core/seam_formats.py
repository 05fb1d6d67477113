"""Formats that nobody needs, each with something that a seam may fail to hold. Small, and right, but not good."""

import zlib
from fractions import Fraction

import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.format import Blocks, Format, Original
from fourcc.geometry import Geometry
from fourcc.part import Part
from fourcc.settings import Params, Setting

# A codebook for the matrix: `prepare` sees all rows, a part belongs to the whole matrix, and so does a scalar.


def _fit(original: Original) -> Floats:
    """The sixteen quantiles of all weights, read in two runs."""
    reader, geom, aids = original.rows, original.geom, original.aids
    half = geom.rows // 2
    w = np.concatenate([reader(0, half), reader(half, geom.rows)])
    book: Floats = np.quantile(w, np.arange(16) / 15).astype(np.float32)  # (16,)
    return book


def _nearest(blocks: Blocks) -> Parts:
    tile, shared = blocks.rows, blocks.shared
    book = np.asarray(shared)
    codes = np.abs(tile[..., None] - book).argmin(axis=-1).astype(np.uint8)
    return {"codes": codes, "book": book, "largest": np.abs(book).max()}


CODEBOOK = Format(
    tag="Cbk4",
    name="a codebook for each matrix",
    summary="",
    block=(1, 1),
    parts=(
        Part("codes", "|u1", lambda geom: (geom.cols,)),
        Part("book", "<f4", lambda _: (16,), rows=None),
        Part("largest", "<f4", lambda _: (), rows=None),
    ),
    prepare=_fit,
    encode=_nearest,
    decode=lambda parts, _: parts["book"][parts["codes"] & 15],
)

# GPTQ with act-order: columns are taken in the order of the Hessian's diagonal and grouped in that order; the part
# g_idx says which group a column is in. Groups are a parameter.


def _act_order(original: Original) -> Array:
    reader, geom, aids = original.rows, original.geom, original.aids
    assert aids.hessian is not None
    order = np.argsort(-np.diag(aids.hessian), kind="stable")
    groups = np.empty(geom.cols, np.int32)
    groups[order] = np.arange(geom.cols) // geom.params["group"]
    return groups  # (cols,)


def _gptq(blocks: Blocks) -> Parts:
    tile, shared, geom = blocks.rows, blocks.shared, blocks.geom
    groups = np.asarray(shared)
    scales = np.zeros((geom.rows, groups.max() + 1), np.float16)
    np.maximum.at(scales.T, groups, (np.abs(tile.T) / 7).astype(np.float16))
    codes = np.rint(tile / np.maximum(scales[:, groups], 1e-6)).clip(-8, 7).astype(np.int8)
    return {"g_idx": groups, "scales": scales, "codes": codes}


GPTQ = Format(
    tag="Gptq",
    name="GPTQ with act-order",
    summary="",
    block=(1, 1),
    parts=(
        Part("g_idx", "<i4", lambda geom: (geom.cols,), rows=None),
        Part("scales", "<f2", lambda geom: (-(-geom.cols // geom.params["group"]),)),
        Part("codes", "|i1", lambda geom: (geom.cols,)),
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
    name="AWQ, interleaved",
    summary="",
    block=(None, None),
    parts=(
        Part("channels", "<f4", lambda geom: (geom.cols,), rows=None),
        Part("steps", "<f2", lambda _: ()),
        Part("words", "<u4", lambda geom: (geom.cols,), rows=8),
    ),
    needs=frozenset({"importance"}),
    encode=_awq,
    decode=_awq_decode,
)

# A trellis: each code is a path of two bits a weight through states, the table of outputs is stored.


def _walk(blocks: Blocks) -> Parts:
    tile, shared = blocks.rows, blocks.shared
    table = np.asarray(shared)
    state = np.zeros(len(tile), np.int64)
    codes = np.empty(tile.shape, np.uint8)
    for column, w in enumerate(tile.T):
        nexts = (state[:, None] * 4 + np.arange(4)) % 64
        codes[:, column] = np.abs(table[nexts] - w[:, None]).argmin(axis=1)
        state = nexts[np.arange(len(tile)), codes[:, column]]
    return {"table": table, "codes": codes}


def _walk_back(parts: Parts, geom: Geometry) -> Floats:
    state = np.zeros(geom.rows, np.int64)
    w = np.empty((geom.rows, geom.cols), np.float32)
    for column in range(geom.cols):
        state = (state * 4 + (parts["codes"][:, column] & 3)) % 64
        w[:, column] = parts["table"][state]
    return w


TRELLIS = Format(
    tag="Trel",
    name="a trellis with its table",
    summary="",
    block=(1, None),
    parts=(
        Part("table", "<f4", lambda _: (64,), rows=None),
        Part("codes", "|u1", lambda geom: (geom.cols,)),
    ),
    prepare=lambda *_: np.sin(np.arange(64) * 2.4).astype(np.float32) * np.float32(2),
    encode=_walk,
    decode=_walk_back,
)

# Rotated by a Hadamard matrix with random signs, of which the file holds the seed; records of a scale and eight codes.


def _rotation(cols: int, params: Params) -> Floats:
    signs = np.random.Generator(np.random.PCG64(params["seed"])).integers(0, 2, cols) * 2 - 1
    matrix = np.ones((1, 1), np.float32)
    while len(matrix) < cols:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    rotation: Floats = (matrix / np.sqrt(np.float32(cols)) * signs).astype(np.float32)  # (cols, cols), orthogonal
    return rotation


def _rotate(blocks: Blocks) -> Parts:
    tile, shared, geom = blocks.rows, blocks.shared, blocks.geom
    w = (tile @ np.asarray(shared).T).reshape(geom.rows, -1, 8)
    blocks = np.empty(w.shape[:2], np.dtype([("d", "<f4"), ("q", "i1", 8)]))
    blocks["d"] = np.abs(w).max(axis=2) / 127
    blocks["q"] = np.rint(w / np.maximum(blocks["d"], 1e-30)[..., None])
    return {"blocks": blocks}


def _rotate_back(parts: Parts, geom: Geometry) -> Floats:
    w = (parts["blocks"]["d"][..., None] * parts["blocks"]["q"]).reshape(geom.rows, geom.cols)
    back: Floats = w @ _rotation(geom.cols, geom.params)
    return back


HADAMARD = Format(
    tag="Hada",
    name="rotated 8-bit",
    summary="",
    block=(1, 8),
    parts=(Part("blocks", (("d", "<f4", ()), ("q", "|i1", (8,))), lambda geom: (geom.cols // 8,)),),
    params=(Setting("seed", 1, "of the signs", low=0, high=2**32 - 1),),
    prepare=lambda _, geom, *__: _rotation(geom.cols, geom.params),
    encode=_rotate,
    decode=_rotate_back,
)

# Entropy-coded: one part of variable length, and one of fixed length behind it.


def _deflate(blocks: Blocks) -> Parts:
    tile, shared, geom = blocks.rows, blocks.shared, blocks.geom
    steps = np.abs(tile).max(axis=1) / 127
    codes = np.rint(tile / np.maximum(steps, 1e-30)[:, None]).astype(np.int8)
    return {"stream": np.frombuffer(zlib.compress(codes.tobytes(), 9), np.uint8), "steps": steps.astype(np.float32)}


def _inflate(parts: Parts, geom: Geometry) -> Floats:
    codes = np.frombuffer(zlib.decompress(parts["stream"].tobytes()), np.int8).reshape(geom.rows, geom.cols)
    w: Floats = codes.astype(np.float32)
    w *= parts["steps"][:, None]
    return w


ENTROPY = Format(
    tag="Zent",
    name="entropy-coded 8-bit",
    summary="",
    block=(1, 1),
    parts=(Part("stream", "|u1", reach="ragged"), Part("steps", "<f4", lambda _: ())),
    nominal_bits=Fraction(7),
    encode=_deflate,
    decode=_inflate,
)
