"""Slow independent truth for encoding with an importance, and by half-quadratic splitting, written from the pages.

As in `tests.naive`, without numpy. Only formats whose bytes are not those of another project are here.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

from tests.naive import E2M1, NF4_LEVELS, Bytes, Weights, cut, f32, nearest_bin, packed, write

Options = Mapping[str, object]
Settings = tuple[Any, ...]


def ordered_sum(terms: Iterable[float]) -> float:
    """Sum from left to right."""
    return reduce(add, terms)


def least(candidates: Iterable[Settings], error: Callable[..., float]) -> Settings:
    """The candidate of least error; of equal ones the first."""
    tried = list(candidates)
    errors = [error(*candidate) for candidate in tried]
    return tried[errors.index(min(errors))]


def weighted(block: Weights, decoded: Weights, counts: Weights) -> float:
    """The sum of importance times squared error, in float64."""
    return ordered_sum((x - v) * (x - v) * c for x, v, c in zip(block, decoded, counts, strict=True))


def fitted(block: Weights, multiples: Weights, counts: Weights, otherwise: float) -> float:
    """The scale that fits weights to their multiples best; `otherwise` where there is none above 0."""
    below = ordered_sum(c * u * u for c, u in zip(counts, multiples, strict=True))
    above = ordered_sum(c * u * x for c, u, x in zip(counts, multiples, block, strict=True))
    scale = f32(above / below) if below > 0 else 0.0
    return scale if 0 < scale < math.inf else otherwise


def blocks_of(
    w: Weights, rows: int, cols: int, size: int, counts: Weights
) -> list[tuple[int, Sequence[float], Sequence[float]]]:
    """Blocks along the rows, with the number of their row and the importance of their columns."""
    return [
        (i, block, of_block)
        for i in range(rows)
        for block, of_block in zip(cut(w[i * cols : (i + 1) * cols], size), cut(counts, size), strict=True)
    ]


# ---- Q4_A ----


def encode_q4_a(w: Weights, rows: int, cols: int, options: Options, importance: Weights) -> Bytes:
    """The runs have the least weighted error, bins are weighted means."""
    bins: list[float] = []
    q: list[int] = []
    for _, block, given in blocks_of(w, rows, cols, 256, importance):
        most = max(given)
        counts = [max(c, 2.0**-40 * most) if most > 0 else 1.0 for c in given]
        order = sorted(range(len(block)), key=lambda j: block[j])
        runs = weighted_runs([block[j] for j in order], [counts[j] for j in order])
        means = [weighted_mean(run) for run in runs]
        means += [means[-1]] * (16 - len(means))
        bins += means
        q += [nearest_bin(x, means) for x in block]
    return {"bins": write("f", bins), "q": packed(q, rows, cols, even=4)}


def weighted_mean(run: Sequence[tuple[float, float]]) -> float:
    """The mean of (weight, count), summed from +0 on."""
    return f32(ordered_sum([0.0, *(x * c for x, c in run)]) / ordered_sum([0.0, *(c for _, c in run)]))


def weighted_runs(x: Weights, c: Weights) -> list[list[tuple[float, float]]]:
    """Runs of (weight, count); up to 16 distinct values are a run each."""
    n, pairs = len(x), list(zip(x, c, strict=True))
    distinct = sorted(set(x))
    if len(distinct) <= 16:
        return [[pair for pair in pairs if pair[0] == value] for value in distinct]
    sums, counts = [0.0], [0.0]
    for value, count in pairs:
        sums.append(sums[-1] + (value - x[n // 2]) * count)
        counts.append(counts[-1] + count)

    def gain(i: int, j: int) -> float:
        difference = sums[j] - sums[i]
        return difference * difference / (counts[j] - counts[i])

    best = [[0.0] + [-math.inf] * n]
    for _ in range(15):
        best.append([-math.inf, *(max(best[-1][i] + gain(i, j) for i in range(j)) for j in range(1, n + 1))])
    cuts = [n]
    for row in reversed(best[1:16]):
        cuts.insert(0, max(range(cuts[0]), key=lambda i: row[i] + gain(i, cuts[0])))
    return [pairs[first:last] for first, last in pairwise([0, *cuts])]


# ---- NF4 and MXF4 ----

LEVELS = [f32(level) for level in NF4_LEVELS]
BORDERS = [f32((low + high) / 2) for low, high in pairwise(LEVELS)]


def encode_nf4(w: Weights, rows: int, cols: int, options: Options, importance: Weights) -> Bytes:
    """The largest magnitude as the scale, or the scale that fits the codes of a share of it."""
    scales: list[float] = []
    q: list[int] = []

    def codes(block: Weights, scale: float) -> list[int]:
        return [sum((f32(x / scale) if scale else 0) > border for border in BORDERS) for x in block]

    for _, block, counts in blocks_of(w, rows, cols, 64, importance):
        peak = max(map(abs, block))
        candidates: list[tuple[float]] = [(peak,)]
        for number in range(15):
            share = f32((1 - number / 32) * peak)
            candidates.append((fitted(block, [LEVELS[code] for code in codes(block, share)], counts, share),))

        def error(scale: float, block: Weights = block, counts: Weights = counts) -> float:
            return weighted(block, [f32(scale * LEVELS[code]) for code in codes(block, scale)], counts)

        (scale,) = least(candidates, error)
        scales.append(scale)
        q += codes(block, scale)
    return {"scales": write("f", scales), "q": packed(q, rows, cols, even=4)}


def encode_mxf4(w: Weights, rows: int, cols: int, options: Options, importance: Weights) -> Bytes:
    """The exponent of the largest magnitude, or a neighbour of it."""
    data = b""

    def codes(block: Weights, e: int) -> list[int]:
        middles = [math.ldexp((low + high) / 2, e - 127) for low, high in pairwise(E2M1)]
        sizes = [sum(abs(x) > middle for middle in middles) for x in block]
        return [code + 8 if x < 0 and code else code for x, code in zip(block, sizes, strict=True)]

    def decoded(q: int, e: int) -> float:
        return math.copysign(f32(math.ldexp(E2M1[q & 7], e - 127)), -1 if q & 8 else 1)

    for _, block, counts in blocks_of(w, rows, cols, 32, importance):
        peak = max(map(abs, block))
        e = min(252, max(0, math.floor(f32(math.log2(peak))) + 125)) if peak else 0
        candidates = [(min(252, max(0, e + step)),) for step in (0, -1, 1, -2)]

        def error(e: int, block: Weights = block, counts: Weights = counts) -> float:
            return weighted(block, [decoded(code, e) for code in codes(block, e)], counts)

        (e,) = least(candidates, error)
        q = codes(block, e)
        data += bytes([e]) + bytes(low | high << 4 for low, high in zip(q[:16], q[16:], strict=True))
    return {"blocks": data}


# ---- Q4_Z ----


def encode_q4_z(w: Weights, rows: int, cols: int, options: Options, importance: Weights | None) -> Bytes:
    """Groups with zero points: least squares, or half-quadratic splitting, which heeds no importance."""
    group, top = int(options.get("group", 128)), 15  # type: ignore[call-overload]
    search = half_quadratic if options.get("method") == "hqq" else least_squares
    scales, zeros, q = [], [], []
    for _, block, counts in blocks_of(w, rows, cols, group, importance or [1.0] * cols):
        low, high = min(0.0, *block), max(0.0, *block)
        whole = f32((high - low) / top)
        start = (whole, max(0, min(top, round(-low / whole))) if whole else 0)
        scale, zero = search(block, counts, start, top)
        scales.append(scale)
        zeros.append(zero)
        q += affine_codes(block, scale, zero, top)
    return {"scales": write("f", scales), "zeros": bytes(zeros), "q": packed(q, rows, cols, even=0)}


def affine_codes(block: Weights, scale: float, zero: float, top: int) -> list[int]:
    """The codes nearest to w / scale + zero."""
    return [max(0, min(top, round((x / scale if scale else 0) + zero))) for x in block]


def affine_decoded(block: Weights, scale: float, zero: int, top: int) -> list[float]:
    """The weights that the file decodes."""
    return [f32(scale * (code - zero)) for code in affine_codes(block, scale, zero, top)]


def least_squares(block: Weights, counts: Weights, start: Settings, top: int) -> Settings:
    """Three zero points with fifteen scales each, and the start."""
    candidates = [start]
    for shift in (0, -1, 1):
        zero = max(0, min(top, start[1] + shift))
        for number in range(15):
            scale = f32(start[0] * (1 - number / 32))
            multiples = [code - zero for code in affine_codes(block, scale, zero, top)]
            candidates.append((fitted(block, multiples, counts, scale), zero))
    return least(candidates, lambda scale, zero: weighted(block, affine_decoded(block, scale, zero, top), counts))


def half_quadratic(block: Weights, counts: Weights, start: Settings, top: int) -> Settings:
    """Twenty rounds; errors in steps of the start."""
    u = [x / start[0] if start[0] else 0.0 for x in block]
    candidates, step, zero, beta = [start], 1.0, float(start[1]), 10.0
    for _ in range(20):
        q = affine_codes(u, step, zero, top)
        kept = [x - outlying(x - step * (code - zero), beta) for x, code in zip(u, q, strict=True)]
        zero = ordered_sum(code - x / step for x, code in zip(kept, q, strict=True)) / len(q)
        whole = max(0, min(top, round(zero)))
        multiples = [code - whole for code in q]
        below = ordered_sum(m * m for m in multiples)
        step = ordered_sum(m * x for m, x in zip(multiples, kept, strict=True)) / below if below > 0 else 1.0
        step = step if step > 0 else 1.0
        candidates.append((f32(start[0] * step), whole))
        beta *= 1.01

    def error(scale: float, zero: int) -> float:
        return ordered_sum(
            power(abs(x - v), (2, 8, 16)) for x, v in zip(block, affine_decoded(block, scale, zero, top), strict=True)
        )

    return least(candidates, error)


def outlying(error: float, beta: float) -> float:
    """|error| - |error|^(-5/16) / beta, with the sign of the error; 0 where it is negative."""
    size = abs(error)
    shrunk = size - (1 / beta) / power(size, (4, 16)) if size else 0.0
    return math.copysign(max(shrunk, 0.0), error)


def power(x: float, roots: Sequence[int]) -> float:
    """The product of roots of x, from left to right, each made of square roots."""
    product = 1.0
    for root in roots:
        factor = x
        for _ in range(root.bit_length() - 1):
            factor = math.sqrt(factor)
        product *= factor
    return product


# ---- Q8_T, Q8_M and Q4_M ----


def encode_q8_t(w: Weights, rows: int, cols: int, options: Options, importance: Weights) -> Bytes:
    """The scale of a share of the largest magnitude."""
    peak = max(map(abs, w))

    def scaled(share: float) -> tuple[float, list[int]]:
        scale = f32(f32(peak * share) / 127)
        scale = scale if f32(127 * scale) < math.inf else float.fromhex("0x1.020406p121")
        return scale, [max(-127, min(127, round(f32(x / scale)))) if scale else 0 for x in w]

    def error(share: float) -> float:
        scale, q = scaled(share)
        return weighted(w, [f32(scale * code) for code in q], list(importance) * rows)

    scale, q = scaled(*least(SHARES, error))
    return {"scale": write("f", [scale]), "q": write("b", q)}


def minimum(bits: int) -> Callable[..., Bytes]:
    """Codes above a share of the minimum."""

    def encode(w: Weights, rows: int, cols: int, options: Options, importance: Weights) -> Bytes:
        top = 2**bits - 1

        def coded(share: float) -> tuple[float, float, list[int]]:
            low = f32(min(w) * share) + 0.0
            extent = f32(f32(max(w) * share) - low) + 0.0
            real = [f32(f32(f32(x - low) / extent) * top) if extent else 0.0 for x in w]
            return low, f32(extent / top), [max(0, min(top, math.floor(x + 0.5))) for x in real]

        def error(share: float) -> float:
            low, scale, q = coded(share)
            return weighted(w, [f32(low + f32(scale * code)) for code in q], list(importance) * rows)

        low, scale, q = coded(*least(SHARES, error))
        parts = {"base": write("f", [low]), "scale": write("f", [scale])}
        return {**parts, "q": bytes(q) if bits == 8 else packed(q, rows, cols, even=4)}

    return encode


SHARES = [(1 - number * number / 256,) for number in range(15)]

WEIGHTED: dict[str, Callable[..., Bytes]] = {  # (weights, rows, cols, options, importance)
    "Q4_A": encode_q4_a,
    "NF4": encode_nf4,
    "MXF4": encode_mxf4,
    "Q4_Z": encode_q4_z,
    "Q8_T": encode_q8_t,
    "Q8_M": minimum(8),
    "Q4_M": minimum(4),
}
