"""Slow independent truth: every format in plain Python, written from the pages in ``specs/``.

No numpy, and nothing from fourcc: bytes are read with `struct`, numbers are Python's floats (float64), and `f32` rounds
them as a float32 operation would (float64 has more than twice the bits of float32, so rounding twice is harmless).
Weights go in and come out as flat lists in row-major order; parts are bytes by name.
"""

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from operator import add
from statistics import NormalDist

Bytes = Mapping[str, bytes]
Weights = Sequence[float]


def f32(x: float) -> float:
    """The nearest float32 (half to even); infinite beyond the largest."""
    try:
        return struct.unpack("<f", struct.pack("<f", x))[0]
    except OverflowError:
        return math.copysign(math.inf, x)


def f16(x: float) -> float:
    """The nearest float16 (half to even); infinite beyond the largest."""
    try:
        return struct.unpack("<e", struct.pack("<e", x))[0]
    except OverflowError:
        return math.copysign(math.inf, x)


def read(code: str, data: bytes) -> list[float]:
    """Little-endian values of a struct code: ``f`` float32, ``e`` float16, ``b`` int8."""
    return list(struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data))


def write(code: str, values: Sequence[float]) -> bytes:
    """The inverse of `read`."""
    return struct.pack(f"<{len(values)}{code}", *values)


def cut(values: Sequence[float], size: int) -> list[Sequence[float]]:
    """Consecutive pieces of `size` values; the last may be short."""
    return [values[first : first + size] for first in range(0, len(values), size)]


# ---- Q8_A ----


def decode_q8_a(parts: Bytes, rows: int, cols: int) -> list[float]:
    """Formula: w = float32((scale / 127) * q), the scale of row i and column j at (i // 128, j)."""
    scales, q = read("f", parts["scales"]), read("b", parts["q"])
    return [f32(scales[i // 128 * cols + j] / 127 * q[i * cols + j]) for i in range(rows) for j in range(cols)]


def encode_q8_a(w: Weights, rows: int, cols: int, options: Mapping[str, object]) -> Bytes:
    """The scale is the block's largest magnitude; codes are exact quotients, rounded half to even."""
    blocks = range(-(-rows // 128))
    scales = [
        max(abs(w[i * cols + j]) for i in range(128 * block, min(rows, 128 * block + 128)))
        for block in blocks
        for j in range(cols)
    ]
    q = [exact_code(w[i * cols + j], scales[i // 128 * cols + j]) for i in range(rows) for j in range(cols)]
    return {"scales": write("f", scales), "q": write("b", q)}


def exact_code(w: float, scale: float) -> int:
    """127 w / scale, with a single rounding at the end, half to even."""
    return round(127 * Fraction(w) / Fraction(scale)) if scale else 0


# ---- Q8_B ----


def decode_q8_b(parts: Bytes, rows: int, cols: int) -> list[float]:
    """Formula: w = float32((scale / 127) * q + mean), scale and mean of row i and column j at (i, j // 128)."""
    scales, means, q = read("f", parts["scales"]), read("f", parts["means"]), read("b", parts["q"])
    width = -(-cols // 128)
    return [
        f32(scales[i * width + j // 128] / 127 * q[i * cols + j] + means[i * width + j // 128])
        for i in range(rows)
        for j in range(cols)
    ]


def encode_q8_b(w: Weights, rows: int, cols: int, options: Mapping[str, object]) -> Bytes:
    """The mean is summed from left to right; a block that reaches 2^127 takes mean 0."""
    scales, means, q = [], [], []
    for i in range(rows):
        for block in cut(w[i * cols : (i + 1) * cols], 128):
            mean = 0.0 if max(map(abs, block)) >= 2.0**127 else f32(ordered_sum(block) / len(block))
            scale = f32(max(abs(x - mean) for x in block))
            scales.append(scale)
            means.append(mean)
            q += [round((x - mean) * 127 / scale) if scale else 0 for x in block]
    return {"scales": write("f", scales), "means": write("f", means), "q": write("b", q)}


# ---- Q4_A ----


def decode_q4_a(parts: Bytes, rows: int, cols: int) -> list[float]:
    """Formula: w = bins[nibble]; the even column's nibble is the high one."""
    bins, q = read("f", parts["bins"]), parts["q"]
    blocks, pairs = -(-cols // 256), -(-cols // 2)
    return [
        bins[16 * (i * blocks + j // 256) + (q[i * pairs + j // 2] >> (4 if j % 2 == 0 else 0) & 15)]
        for i in range(rows)
        for j in range(cols)
    ]


def encode_q4_a(w: Weights, rows: int, cols: int, options: Mapping[str, object]) -> Bytes:
    """Bins are means of runs of the ordered block; see `runs_of_least_error` and `runs_of_equal_count`."""
    bins: list[float] = []
    q = bytearray()
    cut_runs = runs_of_equal_count if options["method"] == "equal-count" else runs_of_least_error
    for i in range(rows):
        index: list[int] = []
        for block in cut(w[i * cols : (i + 1) * cols], 256):
            means = [f32(ordered_sum([0.0, *run]) / len(run)) for run in cut_runs(sorted(block))]
            means += [means[-1]] * (16 - len(means))
            bins += means
            index += [nearest_bin(x, means) for x in block]
        index += [0] * (cols % 2)
        q += bytes(high << 4 | low for high, low in zip(index[0::2], index[1::2], strict=True))
    return {"bins": write("f", bins), "q": bytes(q)}


def ordered_sum(values: Weights) -> float:
    """Sum from left to right, from the first value on. Python's own `sum` compensates rounding errors (from 3.12)."""
    return reduce(add, values)


def nearest_bin(x: float, bins: Weights) -> int:
    """The number of bins c with bins[c] < x whose middle to the next bin is at or below x."""
    return sum(low < x and (low + high) / 2 <= x for low, high in pairwise(bins))


def runs_of_equal_count(ordered: Weights) -> list[Weights]:
    """Run r covers positions r n // 16 .. (r + 1) n // 16 - 1; up to 16 weights are a run each."""
    n = len(ordered)
    return [ordered[r * n // 16 : (r + 1) * n // 16] for r in range(16)] if n > 16 else [[x] for x in ordered]


def runs_of_least_error(ordered: Weights) -> list[Weights]:
    """Up to 16 distinct values are a run each; otherwise the 16 runs of the page's recurrence, in float64."""
    distinct = sorted(set(ordered))
    if len(distinct) <= 16:
        return [[x for x in ordered if x == value] for value in distinct]
    cuts = walk_back(*best_gains(ordered, 16))
    return [ordered[first:last] for first, last in pairwise(cuts)]


def best_gains(ordered: Weights, count: int) -> tuple[list[list[float]], list[float]]:
    """G[r][j] for r below `count`, and the prefix sums S of the centred values."""
    n = len(ordered)
    sums = [0.0]
    for x in ordered:
        sums.append(sums[-1] + (x - ordered[n // 2]))
    best = [[0.0] + [-math.inf] * n]
    for _ in range(1, count):
        row = [-math.inf] * (n + 1)
        for j in range(1, n + 1):
            row[j] = max(best[-1][i] + gain(sums, i, j) for i in range(j))
        best.append(row)
    return best, sums


def gain(sums: Weights, i: int, j: int) -> float:
    """(S[j] - S[i])^2 / (j - i)."""
    difference = sums[j] - sums[i]
    return difference * difference / (j - i)


def walk_back(best: list[list[float]], sums: Weights) -> list[int]:
    """Cuts 0 .. n, found from the last to the first; ties go to the leftmost."""
    cuts = [len(sums) - 1]
    for row in reversed(best[1:]):
        cuts.insert(0, max(range(cuts[0]), key=lambda i: row[i] + gain(sums, i, cuts[0])))
    return [0, *cuts]


def least_error(ordered: Weights, count: int) -> Fraction:
    """The exact least sum of squared errors of `count` runs, by the textbook recurrence over the squares of runs.

    D[k][j] = min over i of D[k - 1][i] + sum of (x - mean)^2 over the positions i .. j.
    """
    exact = [Fraction(x) for x in ordered]
    n = len(exact)
    total, squares = [Fraction(0)], [Fraction(0)]
    for x in exact:
        total.append(total[-1] + x)
        squares.append(squares[-1] + x * x)

    def cost(i: int, j: int) -> Fraction:
        return squares[j] - squares[i] - (total[j] - total[i]) ** 2 / (j - i)

    best = [cost(0, j) if j else Fraction(0) for j in range(n + 1)]
    for k in range(2, count + 1):
        best = [min((best[i] + cost(i, j) for i in range(k - 1, j)), default=Fraction(0)) for j in range(n + 1)]
    return best[n]


# ---- Q8_0 and Q4_0 ----


def decode_q8_0(parts: Bytes, rows: int, cols: int) -> list[float]:
    """34 bytes a block: w = d * q."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 34):
        (d,) = read("e", block[:2])
        weights += [f32(d * q) for q in read("b", block[2:])]
    return weights


def encode_q8_0(w: Weights, rows: int, cols: int, options: Mapping[str, object]) -> Bytes:
    """Formula: d = amax / 127; q = w * (1 / d) in float32, rounded half away from zero."""
    data = b""
    for block in cut(w, 32):
        d = f32(max(map(abs, block)) / 127)
        inverse = finite_inverse(d)
        data += write("e", [f16(d)])
        data += write("b", [round_half_away(f32(x * inverse)) for x in block])
    return {"blocks": data}


def round_half_away(x: float) -> int:
    """C's roundf."""
    return int(math.copysign(math.floor(abs(Fraction(x)) + Fraction(1, 2)), x))


def finite_inverse(d: float) -> float:
    """1 / d in float32; 0 where d is 0 or the inverse beyond float32."""
    inverse = f32(1 / d) if d else math.inf
    return 0.0 if math.isinf(inverse) else inverse


def decode_q4_0(parts: Bytes, rows: int, cols: int) -> list[float]:
    """18 bytes a block: w = d * (q - 8), low nibbles are weights 0 .. 15, high nibbles 16 .. 31."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 18):
        (d,) = read("e", block[:2])
        weights += [f32(d * ((byte & 15) - 8)) for byte in block[2:]]
        weights += [f32(d * ((byte >> 4) - 8)) for byte in block[2:]]
    return weights


def encode_q4_0(w: Weights, rows: int, cols: int, options: Mapping[str, object]) -> Bytes:
    """Formula: d = m / -8, m the first largest magnitude; q = min(15, trunc(w * (1 / d) + 8.5)) in float32."""
    data = b""
    for block in cut(w, 32):
        d = f32(max(block, key=abs) / -8)
        inverse = finite_inverse(d)
        q = [min(15, int(f32(f32(x * inverse) + 8.5))) for x in block]
        if d and not inverse:
            q = [0] * 32
        data += write("e", [f16(d)]) + bytes(low | high << 4 for low, high in zip(q[:16], q[16:], strict=True))
    return {"blocks": data}


# ---- Q8_G and Q8_F ----


def decode_q8_g(parts: Bytes, rows: int, cols: int, group: int = 64) -> list[float]:
    """Formula: w = float32(scale * q), the scale of row i and column j at (i, j // group)."""
    scales, q, groups = read("f", parts["scales"]), read("b", parts["q"]), -(-cols // group)
    return [f32(scales[i * groups + j // group] * q[i * cols + j]) for i in range(rows) for j in range(cols)]


def encode_q8_g(w: Weights, rows: int, cols: int, options: Mapping[str, object]) -> Bytes:
    """Encodes every row by itself."""
    group = int(options.get("group", 64))  # type: ignore[call-overload]
    encoded = [scaled_codes(block) for i in range(rows) for block in cut(w[i * cols : (i + 1) * cols], group)]
    return {"scales": write("f", [scale for scale, _ in encoded]), "q": b"".join(write("b", q) for _, q in encoded)}


def decode_q8_f(parts: Bytes, rows: int, cols: int, group: int = 64) -> list[float]:
    """Formula: w = float32(scale * q), the scale of weight i of the flattened matrix at i // group."""
    scales, q = read("f", parts["scales"]), read("b", parts["q"])
    return [f32(scales[i // group] * code) for i, code in enumerate(q)]


def encode_q8_f(w: Weights, rows: int, cols: int, options: Mapping[str, object]) -> Bytes:
    """Encodes the matrix as one row."""
    return encode_q8_g(w, 1, rows * cols, options)


def scaled_codes(block: Weights) -> tuple[float, list[int]]:
    """Formula: scale = amax / 127, q = w / scale rounded half to even, in float32."""
    scale = f32(max(map(abs, block)) / 127)
    scale = scale if f32(127 * scale) < math.inf else float.fromhex("0x1.020406p121")
    return scale, [max(-127, min(127, round(f32(x / scale)))) if scale else 0 for x in block]


# ---- ggml's other blocks of 32 ----


def decode_q4_1(parts: Bytes, rows: int, cols: int) -> list[float]:
    """20 bytes a block: w = d * q + m."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 20):
        d, m = read("e", block[:4])
        weights += [f32(d * q + m) for q in split_half(block[4:])]
    return weights


def decode_q5_0(parts: Bytes, rows: int, cols: int) -> list[float]:
    """22 bytes a block: w = d * (q - 16); bit j of the word at byte 2 is the top bit of code j."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 22):
        (d,) = read("e", block[:2])
        weights += [f32(d * (q - 16)) for q in with_top_bits(block[6:], block[2:6])]
    return weights


def decode_q5_1(parts: Bytes, rows: int, cols: int) -> list[float]:
    """24 bytes a block: w = d * q + m."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 24):
        d, m = read("e", block[:4])
        weights += [f32(d * q + m) for q in with_top_bits(block[8:], block[4:8])]
    return weights


def split_half(stored: Sequence[int]) -> list[int]:
    """Low nibbles, then high nibbles."""
    return [byte & 15 for byte in stored] + [byte >> 4 for byte in stored]


def with_top_bits(stored: Sequence[int], word: bytes) -> list[int]:
    """The codes of `split_half`, with their top bits from a word of 32 bits."""
    bits = int.from_bytes(word, "little")
    return [q + 16 * (bits >> j & 1) for j, q in enumerate(split_half(stored))]


IQ4_LEVELS = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
E2M1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6]


def decode_iq4n(parts: Bytes, rows: int, cols: int) -> list[float]:
    """18 bytes a block: w = d * level."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 18):
        (d,) = read("e", block[:2])
        weights += [f32(d * IQ4_LEVELS[q]) for q in split_half(block[2:])]
    return weights


def decode_mxf4(parts: Bytes, rows: int, cols: int) -> list[float]:
    """17 bytes a block: w = 2^(e - 127) times a number of E2M1."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 17):
        for q in split_half(block[1:]):
            size = f32(math.ldexp(E2M1[q & 7], block[0] - 127))
            weights.append(-size if q & 8 and size else size)  # there is no -0
    return weights


# ---- ggml's super-blocks of 256 ----


def two_bits(stored: Sequence[int], e: int) -> int:
    """The code of weight e: half e // 128 is 32 bytes; a byte has four codes that are 32 weights apart."""
    return stored[32 * (e // 128) + e % 32] >> 2 * (e % 128 // 32) & 3


def decode_q2_k(parts: Bytes, rows: int, cols: int) -> list[float]:
    """84 bytes: 16 bytes of scales and minima, 64 of codes, d, dmin."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 84):
        d, dmin = read("e", block[80:])
        for e in range(256):
            both = block[e // 16]
            weights.append(f32(d * (both & 15) * two_bits(block[16:80], e) - dmin * (both >> 4)))
    return weights


def decode_q3_k(parts: Bytes, rows: int, cols: int) -> list[float]:
    """110 bytes: 32 of top bits, 64 of low bits, 12 of scales, d."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 110):
        (d,) = read("e", block[108:])
        for e in range(256):
            scale = q3_k_scale(block[96:108], e // 16) - 32
            q = two_bits(block[32:96], e) + 4 * (block[e % 32] >> e // 32 & 1)
            weights.append(f32(d * scale * (q - 4)))
    return weights


def q3_k_scale(stored: Sequence[int], s: int) -> int:
    """Scale s of 16: low four bits in the first eight bytes, high two in the last four."""
    low = stored[s % 8] & 15 if s < 8 else stored[s % 8] >> 4
    return low + 16 * (stored[8 + s % 4] >> 2 * (s // 4) & 3)


def six_bits(stored: Sequence[int], j: int) -> tuple[int, int]:
    """Scale and minimum j of eight, in 12 bytes."""
    if j < 4:
        return stored[j] & 63, stored[j + 4] & 63
    return (stored[j + 4] & 15) + (stored[j - 4] >> 6) * 16, (stored[j + 4] >> 4) + (stored[j] >> 6) * 16


def decode_q4_k(parts: Bytes, rows: int, cols: int) -> list[float]:
    """144 bytes: d, dmin, 12 of scales and minima, 128 of codes."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 144):
        d, dmin = read("e", block[:4])
        for e in range(256):
            scale, minimum = six_bits(block[4:16], e // 32)
            q = block[16 + 32 * (e // 64) + e % 32] >> (4 if e % 64 >= 32 else 0) & 15
            weights.append(f32(d * scale * q - dmin * minimum))
    return weights


def decode_q5_k(parts: Bytes, rows: int, cols: int) -> list[float]:
    """176 bytes: as Q4_K, with 32 bytes of top bits before the codes."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 176):
        d, dmin = read("e", block[:4])
        for e in range(256):
            scale, minimum = six_bits(block[4:16], e // 32)
            q = block[48 + 32 * (e // 64) + e % 32] >> (4 if e % 64 >= 32 else 0) & 15
            q += 16 * (block[16 + e % 32] >> e // 32 & 1)
            weights.append(f32(d * scale * q - dmin * minimum))
    return weights


def decode_q6_k(parts: Bytes, rows: int, cols: int) -> list[float]:
    """210 bytes: 128 of low bits, 64 of high bits, 16 signed scales, d."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 210):
        scales, (d,) = read("b", block[192:208]), read("e", block[208:])
        for e in range(256):
            half, k, at = e // 128, e % 128 // 32, e % 32
            q = block[64 * half + at + 32 * (k % 2)] >> (0 if k < 2 else 4) & 15
            q += 16 * (block[128 + 32 * half + at] >> 2 * k & 3)
            weights.append(f32(d * scales[e // 16] * (q - 32)))
    return weights


def decode_iq4x(parts: Bytes, rows: int, cols: int) -> list[float]:
    """136 bytes: d, 16 high bits and 4 bytes of low bits of the scales, 128 of codes."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 136):
        (d,), high = read("e", block[:2]), int.from_bytes(block[2:4], "little")
        for sub, stored in enumerate(cut(block[8:], 16)):
            scale = (block[4 + sub // 2] >> 4 * (sub % 2) & 15) + 16 * (high >> 2 * sub & 3) - 32
            weights += [f32(d * scale * IQ4_LEVELS[q]) for q in split_half(stored)]
    return weights


# ---- NF4 ----

NF4_LEVELS = [
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
]


def decode_nf4(parts: Bytes, rows: int, cols: int) -> list[float]:
    """Formula: w = scale * level; the even column's nibble is the high one."""
    scales, q = read("f", parts["scales"]), parts["q"]
    blocks, pairs = -(-cols // 64), -(-cols // 2)
    return [
        f32(scales[i * blocks + j // 64] * f32(NF4_LEVELS[q[i * pairs + j // 2] >> (4 if j % 2 == 0 else 0) & 15]))
        for i in range(rows)
        for j in range(cols)
    ]


# ---- TC2, TC3 and TC4 ----

QUANTILES = [f32(round(NormalDist().inv_cdf((k + 0.5) / 4096), 5)) for k in range(4096)]
TRELLIS_TABLE = [QUANTILES[(1529 * state + 11) % 4096] for state in range(4096)]
SHRUNK = {2: 0.9631, 3: 0.9911, 4: 0.9976}


def decode_trellis(bits: int) -> Callable[[Bytes, int, int], list[float]]:
    """Formula: w = scale * TABLE[s], s the 12 bits of the tile's ring from bit t * bits on."""

    def decode(parts: Bytes, rows: int, cols: int) -> list[float]:
        scales, across, size = read("e", parts["scale"]), -(-cols // 4), 32 * bits

        def weight(i: int, j: int) -> float:
            tile, t = i // 64 * across + j // 4, j % 4 * 64 + i % 64
            ring = int.from_bytes(parts["codes"][size * tile : size * tile + size], "little")
            twice = ring | ring << 8 * size
            return f32(scales[tile] * TRELLIS_TABLE[twice >> t * bits & 4095])

        return [weight(i, j) for i in range(rows) for j in range(cols)]

    return decode


def encode_trellis(bits: int) -> Callable[[Weights, int, int, Mapping[str, object]], Bytes]:
    """For each block the ring and the scale of the spread that leaves the least error."""

    def encode(w: Weights, rows: int, cols: int, options: Mapping[str, object]) -> Bytes:
        scales, codes = [], b""
        for top in range(0, rows, 64):
            for left in range(0, cols, 4):
                places = [(top + t % 64, left + t // 64) for t in range(256)]
                inside = [i < rows and j < cols for i, j in places]
                ring = [w[i * cols + j] if each else 0.0 for (i, j), each in zip(places, inside, strict=True)]
                scale, stored = fitted_ring(ring, inside, bits, int(str(options.get("tries", 4))))
                scales.append(f16(scale))
                codes += stored
        return {"scale": write("e", scales), "codes": codes}

    return encode


def fitted_ring(w: Weights, inside: Sequence[bool], bits: int, tries: int) -> tuple[float, bytes]:
    """The scale, before it is rounded, and the bytes of a ring."""
    present = sum(inside)
    counts = [f32(1 / (present / 256)) if each else 0.0 for each in inside]
    spread = math.sqrt(ordered_sum([x * x for x in w]) / present) or 1.0
    units = [x / (spread * SHRUNK[bits]) for x in w]
    kept, best, wider = -1.0, (0.0, b""), 1.0
    for _ in range(tries):
        states = best_ring([f32(u / wider) for u in units], counts, bits)
        values = [TRELLIS_TABLE[state] for state in states]
        products = ordered_sum([c * x * v for c, x, v in zip(counts, w, values, strict=True)])
        squares = ordered_sum([c * v * v for c, v in zip(counts, values, strict=True)])
        if products * products / squares > kept:
            code = sum(state % 2**bits << bits * t for t, state in enumerate(states))
            kept, best = products * products / squares, (products / squares, code.to_bytes(32 * bits, "little"))
        if max(map(abs, units)) <= 3.0 * wider:
            break
        wider *= 1.3
    return best


def best_ring(units: Weights, counts: Weights, bits: int) -> list[int]:
    """The states of the ring: the joint by a pass over 64 weights around it, then one from it to itself."""
    groups = 4096 >> bits
    around = [t % 256 for t in range(224, 288)]
    costs, ways = trellis_pass([units[t] for t in around], [counts[t] for t in around], [0.0] * groups, bits)
    group = costs.index(min(costs))
    joint = trellis_path(group << bits | ways[-1][group], ways[31:-1], bits)[0]
    costs = [f32(3e38)] * groups
    costs[joint >> bits] = 0.0
    _, ways = trellis_pass(units[:-1], counts[:-1], costs, bits)
    return trellis_path(joint, ways, bits)


def trellis_pass(units: Weights, counts: Weights, costs: list[float], bits: int) -> tuple[list[float], list[list[int]]]:
    """The least costs of the groups of states after the last weight; after each weight, which state has it."""
    groups, every = 4096 >> bits, range(4096)
    ways = []
    for unit, count in zip(units, counts, strict=True):
        off = f32s([unit - value for value in TRELLIS_TABLE])
        errors = f32s([square * count for square in f32s([each * each for each in off])])
        each_state = f32s([costs[state & groups - 1] + errors[state] for state in every])
        costs = [min(each_state[group << bits : group + 1 << bits]) for group in range(groups)]
        ways.append([each_state.index(costs[group], group << bits) - (group << bits) for group in range(groups)])
    return costs, ways


def trellis_path(state: int, ways: Sequence[Sequence[int]], bits: int) -> list[int]:
    """The states of the cheapest path to a state."""
    states = [state]
    for way in reversed(ways):
        group = states[-1] & (4096 >> bits) - 1
        states.append(group << bits | way[group])
    return states[::-1]


def f32s(values: Weights) -> list[float]:
    """`f32` of many numbers."""
    return list(struct.unpack(f"<{len(values)}f", struct.pack(f"<{len(values)}f", *values)))


# ---- Q8_T, Q8_M and Q4_M ----


def decode_q8_t(parts: Bytes, rows: int, cols: int) -> list[float]:
    """Formula: w = float32(scale * q)."""
    (scale,) = read("f", parts["scale"])
    return [f32(scale * q) for q in read("b", parts["q"])]


def encode_q8_t(w: Weights, rows: int, cols: int, options: Mapping[str, object]) -> Bytes:
    """Encodes the matrix as one group."""
    scale, q = scaled_codes(w)
    return {"scale": write("f", [scale]), "q": write("b", q)}


def decode_minimum(bits: int) -> Callable[[Bytes, int, int], list[float]]:
    """Formula: w = float32(base + float32(scale * q))."""

    def decode(parts: Bytes, rows: int, cols: int) -> list[float]:
        (base,), (scale,) = read("f", parts["base"]), read("f", parts["scale"])
        q = list(parts["q"]) if bits == 8 else nibbles(parts["q"], rows, cols, even=4)
        return [f32(base + f32(scale * code)) for code in q]

    return decode


def encode_minimum(bits: int) -> Callable[[Weights, int, int, Mapping[str, object]], Bytes]:
    """Formula: scale = (max - min) / T, q = (w - min) / (max - min) * T in float32, rounded half up."""

    def encode(w: Weights, rows: int, cols: int, options: Mapping[str, object]) -> Bytes:
        low, top = min(w) + 0.0, 2**bits - 1
        extent = f32(max(w) - low) + 0.0
        q = [math.floor(Fraction(f32(f32(f32(x - low) / extent) * top)) + Fraction(1, 2)) if extent else 0 for x in w]
        parts = {"base": write("f", [low]), "scale": write("f", [f32(extent / top)])}
        return {**parts, "q": bytes(q) if bits == 8 else packed(q, rows, cols, even=4)}

    return encode


def nibbles(data: bytes, rows: int, cols: int, even: int) -> list[int]:
    """Codes of 4 bits; an even column's code begins at bit `even` of its byte."""
    width = -(-cols // 2)
    return [
        data[i * width + j // 2] >> (even if j % 2 == 0 else 4 - even) & 15 for i in range(rows) for j in range(cols)
    ]


def packed(q: Sequence[int], rows: int, cols: int, even: int) -> bytes:
    """The inverse of `nibbles`."""
    out = bytearray(rows * -(-cols // 2))
    for at, code in enumerate(q):
        i, j = divmod(at, cols)
        out[i * -(-cols // 2) + j // 2] |= code << (even if j % 2 == 0 else 4 - even)
    return bytes(out)


# ---- Q8_Z, Q4_Z, Q8_X and Q4_X ----


def decode_affine(bits: int) -> Callable[..., list[float]]:
    """Formula: w = float32(scale * (q - zero)); the group of column j is j // group, or the one in the index."""

    def decode(parts: Bytes, rows: int, cols: int, group: int = 128) -> list[float]:
        scales, zeros, count = read("f", parts["scales"]), parts["zeros"], -(-cols // group)
        index = [min(g, count - 1) for g in read("I", parts["groups"])] if "groups" in parts else None
        q = list(parts["q"]) if bits == 8 else nibbles(parts["q"], rows, cols, even=0)
        weights = []
        for at, code in enumerate(q):
            i, j = divmod(at, cols)
            g = i * count + (j // group if index is None else index[j])
            weights.append(f32(scales[g] * (code - zeros[g])))
        return weights

    return decode


def encode_affine(bits: int) -> Callable[[Weights, int, int, Mapping[str, object]], Bytes]:
    """Scale float32((high - low) / T), zero -low / scale, q = w / scale + zero, in float64."""

    def encode(w: Weights, rows: int, cols: int, options: Mapping[str, object]) -> Bytes:
        group, top = int(options.get("group", 128)), 2**bits - 1  # type: ignore[call-overload]
        scales, zeros, q = [], [], []
        for block in (block for i in range(rows) for block in cut(w[i * cols : (i + 1) * cols], group)):
            low, high = min(0.0, *block), max(0.0, *block)
            scale = f32((high - low) / top)
            zero = min(top, round(-low / scale)) if scale else 0
            scales.append(scale)
            zeros.append(zero)
            q += [max(0, min(top, round(x / scale + zero))) if scale else 0 for x in block]
        parts = {"scales": write("f", scales), "zeros": bytes(zeros)}
        return {**parts, "q": bytes(q) if bits == 8 else packed(q, rows, cols, even=0)}

    return encode


# ---- Plain formats ----


def decode_plain(code: str) -> Callable[[Bytes, int, int], list[float]]:
    """The values as they are."""
    return lambda parts, rows, cols: read(code, parts["values"])


def decode_bf16(parts: Bytes, rows: int, cols: int) -> list[float]:
    """The two stored bytes are the upper half of a float32."""
    return read("f", b"".join(b"\0\0" + parts["values"][at : at + 2] for at in range(0, len(parts["values"]), 2)))


def encode_bf16(w: Weights, rows: int, cols: int, options: Mapping[str, object]) -> Bytes:
    """Rounds off the lower sixteen bits, half to even."""
    bits = [int.from_bytes(write("f", [x]), "little") for x in w]
    return {"values": write("H", [bit + 0x7FFF + (bit >> 16 & 1) >> 16 for bit in bits])}


def encode_plain(code: str) -> Callable[[Weights, int, int, Mapping[str, object]], Bytes]:
    """The values as they are, rounded half to even where the type is narrower."""
    return lambda w, rows, cols, options: {"values": write(code, w)}


def decode_f8e5(parts: Bytes, rows: int, cols: int) -> list[float]:
    """The stored byte is the upper half of a float16."""
    return read("e", b"".join(bytes([0, byte]) for byte in parts["values"]))


def decode_f8e4(parts: Bytes, rows: int, cols: int) -> list[float]:
    """Sign, 4 bits of exponent, 3 of mantissa; only 0x7f and 0xff are NaN."""
    return [f8e4_value(byte) for byte in parts["values"]]


def decode_f8e8(parts: Bytes, rows: int, cols: int) -> list[float]:
    """8 bits of exponent; 0xff is NaN."""
    return [math.nan if byte == 255 else 2.0 ** (byte - 127) for byte in parts["values"]]


def f8e4_value(byte: int) -> float:
    """The value of one byte."""
    sign, exponent, mantissa = (-1.0 if byte & 128 else 1.0), byte >> 3 & 15, byte & 7
    if byte & 127 == 127:
        return math.nan
    return sign * (2.0 ** (exponent - 7) * (1 + mantissa / 8) if exponent else 2.0**-6 * mantissa / 8)


def decode_f8_g(parts: Bytes, rows: int, cols: int, group: int = 128) -> list[float]:
    """Formula: w = float32(scale * number), the scale of row i and column j at (i, j // group)."""
    scales, values, groups = read("f", parts["scales"]), parts["values"], -(-cols // group)
    number = [f8e4_value(byte) for byte in values]
    return [f32(scales[i * groups + j // group] * number[i * cols + j]) for i in range(rows) for j in range(cols)]


def encode_f8_g(w: Weights, rows: int, cols: int, options: Mapping[str, object]) -> Bytes:
    """Formula: scale = amax / 448; the number nearest to w / scale, all in float32."""
    group, scales, values = int(options.get("group", 128)), [], []  # type: ignore[call-overload]
    for i in range(rows):
        for block in cut(w[i * cols : (i + 1) * cols], group):
            scale = f32(max(map(abs, block)) / 448)
            scales.append(scale)
            values += [f8e4_byte(f32(x / scale) if scale else math.copysign(0, x)) for x in block]
    return {"scales": write("f", scales), "values": bytes(values)}


def f8e4_byte(x: float) -> int:
    """The byte of the number nearest to x, of two the even one; x keeps its sign."""
    byte = min(range(127), key=lambda byte: (abs(abs(x) - f8e4_value(byte)), byte & 1))
    return byte + (128 if math.copysign(1, x) < 0 else 0)


def encode_nf4(w: Weights, rows: int, cols: int, options: Mapping[str, object]) -> Bytes:
    """The scale is the block's largest magnitude; the code is that of the level nearest to w / scale."""
    borders = [f32((f32(low) + f32(high)) / 2) for low, high in pairwise(NF4_LEVELS)]
    scales: list[float] = []
    q = bytearray()
    for i in range(rows):
        index: list[int] = []
        for block in cut(w[i * cols : (i + 1) * cols], 64):
            scale = max(map(abs, block))
            scales.append(scale)
            index += [sum((f32(x / scale) if scale else 0) > border for border in borders) for x in block]
        index += [0] * (cols % 2)
        q += bytes(high << 4 | low for high, low in zip(index[0::2], index[1::2], strict=True))
    return {"scales": write("f", scales), "q": bytes(q)}


# ---- ggml's floats of 4 bits, its blocks of 1 and 2 bits, its ternary blocks ----


def decode_nvf4(parts: Bytes, rows: int, cols: int) -> list[float]:
    """36 bytes: 4 scales, 4 times 8 bytes of codes. A scale is an E4M3 without sign; there is no NaN and no -0."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 36):
        for scale, stored in zip(block[:4], cut(block[4:], 8), strict=True):
            weights += [ue4m3(scale) * E2M1[q & 7] * (-1 if q & 8 and q & 7 else 1) for q in split_half(stored)]
    return weights


def ue4m3(byte: int) -> float:
    """The number that ggml takes a scale's byte for."""
    return 0.0 if byte == 127 else 480.0 if byte == 255 else f8e4_value(byte & 127)


def decode_nv4t(parts: Bytes, rows: int, cols: int) -> list[float]:
    """Formula: w = scale * factor / divisor * level, float32 after each; the even column's nibble is the low one."""
    factor, divisor = read("f", parts["second"])
    weights: list[float] = []
    for scale, stored in zip(parts["scales"], cut(parts["q"], 8), strict=True):
        size = f32(f32(f8e4_value(scale) * factor) / divisor) if divisor else math.nan
        codes = [code for byte in stored for code in (byte & 15, byte >> 4)]
        weights += [f32(size * math.copysign(E2M1[q & 7], 7.5 - q)) for q in codes]
    return weights


def encode_nv4t(w: Weights, rows: int, cols: int, options: Mapping[str, object]) -> Bytes:
    """The divisor gives the largest weight the largest scale and level; ties go to even codes."""
    peak = max(2.0**-126, *map(abs, w))
    divisor = f32(f32(1 / peak) * 2688)
    divisor = 1.0 if math.isinf(divisor) else divisor
    steps, scales, q = [f8e4_value(byte) for byte in range(127)], bytearray(), bytearray()
    for block in cut(w, 16):
        wanted = f32(divisor * f32(max(map(abs, block)) / 6))
        code = min(range(127), key=lambda code: (abs(steps[code] - wanted), code % 2)) or 0x20
        shares = [f32(x / f32(steps[code] / divisor)) for x in block]
        index = [min(range(8), key=lambda n: (abs(E2M1[n] - abs(x)), n % 2)) + 8 * (x < 0) for x in shares]
        scales.append(code)
        q += bytes(low | high << 4 for low, high in zip(index[0::2], index[1::2], strict=True))
    return {"second": write("f", [1.0, divisor]), "scales": bytes(scales), "q": bytes(q)}


def decode_q1_0(parts: Bytes, rows: int, cols: int) -> list[float]:
    """18 bytes: d, 128 bits; 1 is d, 0 is -d."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 18):
        (d,) = read("e", block[:2])
        weights += [d if block[2 + e // 8] >> e % 8 & 1 else -d for e in range(128)]
    return weights


def decode_q2_0(parts: Bytes, rows: int, cols: int) -> list[float]:
    """18 bytes: d, four codes a byte."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 18):
        (d,) = read("e", block[:2])
        weights += [f32(d * ((block[2 + e // 4] >> 2 * (e % 4) & 3) - 1)) for e in range(64)]
    return weights


def decode_tq2(parts: Bytes, rows: int, cols: int) -> list[float]:
    """66 bytes: 64 of codes as in Q2_K, d."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 66):
        (d,) = read("e", block[64:])
        weights += [f32(d * (two_bits(block, e) - 1)) for e in range(256)]
    return weights


def decode_tq1(parts: Bytes, rows: int, cols: int) -> list[float]:
    """54 bytes: 48 of five digits, 4 of four, d."""
    weights: list[float] = []
    for block in cut(parts["blocks"], 54):
        (d,) = read("e", block[52:])
        for run, digits in ((block[:32], 5), (block[32:48], 5), (block[48:52], 4)):
            weights += [f32(d * (ternary_digit(byte, n) - 1)) for n in range(digits) for byte in run]
    return weights


def ternary_digit(byte: int, n: int) -> int:
    """Digit n behind the point of byte / 256 as a number of base 3."""
    return int(Fraction(byte, 256) * 3 ** (n + 1) % 3)


# ---- ggml's runs of weights from a grid ----


def grid(name: str) -> list[list[int]]:
    """A grid as the package gguf holds it: hexadecimal digits, codes of 2 or (3 in) 4 bits, low ones first."""
    from gguf import quants

    kind = getattr(quants, name)
    bits = 4 if len(kind.grid_map) > 4 else 2
    codes = [byte >> at & 2**bits - 1 for byte in bytes.fromhex(kind.grid_hex.decode()) for at in range(0, 8, bits)]
    return [[kind.grid_map[code] for code in run] for run in cut(codes, kind.grid_shape[1])]


def signs_of(bits: int) -> list[int]:
    """Eight signs from 8 bits, the lowest first."""
    return [-1 if bits >> j & 1 else 1 for j in range(8)]


def even_signs(seven: int) -> list[int]:
    """Eight signs from 7 bits: an even number of them is negative."""
    return signs_of(seven | seven.bit_count() % 2 << 7)


def little(data: Sequence[int]) -> int:
    """A little-endian integer."""
    return int.from_bytes(bytes(data), "little")


def signed_runs(scale: float, run: Sequence[int], signs: Sequence[int]) -> list[float]:
    """Weights of a run; every product is exact, but for scales beyond all measure."""
    return [f32(scale * size * sign) for size, sign in zip(run, signs, strict=True)]


def decode_iq2y(parts: Bytes, rows: int, cols: int) -> list[float]:
    """66 bytes: d, then for each 32 weights four indices and a word of signs and scale."""
    runs, weights = grid("IQ2_XXS"), []
    for block in cut(parts["blocks"], 66):
        (d,) = read("e", block[:2])
        for group in cut(block[2:], 8):
            word = little(group[4:])
            for k in range(4):
                scale = d * ((word >> 28) + 0.5) / 4
                weights += signed_runs(scale, runs[group[k]], even_signs(word >> 7 * k & 127))
    return weights


def decode_iq2x(parts: Bytes, rows: int, cols: int) -> list[float]:
    """74 bytes: d, 32 words of index and signs, 8 bytes of scales."""
    runs, weights = grid("IQ2_XS"), []
    for block in cut(parts["blocks"], 74):
        (d,) = read("e", block[:2])
        for k, word in enumerate(map(little, cut(block[2:66], 2))):
            scale = d * ((block[66 + k // 4] >> 4 * (k // 2 % 2) & 15) + 0.5) / 4
            weights += signed_runs(scale, runs[word & 511], even_signs(word >> 9))
    return weights


def decode_iq2s(parts: Bytes, rows: int, cols: int) -> list[float]:
    """82 bytes: d, 32 bytes of indices, 32 of signs, 8 of the indices' top bits, 8 of scales."""
    runs, weights = grid("IQ2_S"), []
    for block in cut(parts["blocks"], 82):
        (d,) = read("e", block[:2])
        for k in range(32):
            scale = d * ((block[74 + k // 4] >> 4 * (k // 2 % 2) & 15) + 0.5) / 4
            index = block[2 + k] + 256 * (block[66 + k // 4] >> 2 * (k % 4) & 3)
            weights += signed_runs(scale, runs[index], signs_of(block[34 + k]))
    return weights


def decode_iq3y(parts: Bytes, rows: int, cols: int) -> list[float]:
    """98 bytes: d, 64 indices, 8 words of signs and scale."""
    runs, weights = grid("IQ3_XXS"), []
    for block in cut(parts["blocks"], 98):
        (d,) = read("e", block[:2])
        for k in range(32):
            word = little(block[66 + k // 4 * 4 : 70 + k // 4 * 4])
            eight = [*runs[block[2 + 2 * k]], *runs[block[3 + 2 * k]]]
            weights += signed_runs(d * ((word >> 28) + 0.5) / 2, eight, even_signs(word >> 7 * (k % 4) & 127))
    return weights


def decode_iq3s(parts: Bytes, rows: int, cols: int) -> list[float]:
    """110 bytes: d, 64 bytes of indices, 8 of their top bits, 32 of signs, 4 of scales."""
    runs, weights = grid("IQ3_S"), []
    for block in cut(parts["blocks"], 110):
        (d,) = read("e", block[:2])
        index = [block[2 + k] + 256 * (block[66 + k // 8] >> k % 8 & 1) for k in range(64)]
        for k in range(32):
            scale = d * (2 * (block[106 + k // 8] >> 4 * (k // 4 % 2) & 15) + 1)
            weights += signed_runs(scale, [*runs[index[2 * k]], *runs[index[2 * k + 1]]], signs_of(block[74 + k]))
    return weights


def decode_iq1s(parts: Bytes, rows: int, cols: int) -> list[float]:
    """50 bytes: d, 32 bytes of indices, 8 words of their top bits, scale and shift."""
    runs, weights = grid("IQ1_S"), []
    for block in cut(parts["blocks"], 50):
        (d,) = read("e", block[:2])
        for k in range(32):
            word = little(block[34 + k // 4 * 2 : 36 + k // 4 * 2])
            scale, shift = d * (2 * (word >> 12 & 7) + 1), (-1 if word >> 15 else 1) / 8
            weights += [f32(scale * (x + shift)) for x in runs[block[2 + k] + 256 * (word >> 3 * (k % 4) & 7)]]
    return weights


def decode_iq1m(parts: Bytes, rows: int, cols: int) -> list[float]:
    """56 bytes: 32 of indices, 16 of their top bits and the shifts, 4 words of scales with d in their top nibbles."""
    runs, weights = grid("IQ1_S"), []
    for block in cut(parts["blocks"], 56):
        words = [little(each) for each in cut(block[48:], 2)]
        (d,) = read("e", sum((word >> 12) << 4 * at for at, word in enumerate(words)).to_bytes(2, "little"))
        for k in range(32):
            nibble = block[32 + k // 2] >> 4 * (k % 2) & 15
            scale = d * (2 * (words[k // 8] >> 3 * (k // 2 % 4) & 7) + 1)
            shift = (-1 if nibble & 8 else 1) / 8
            weights += [f32(scale * (x + shift)) for x in runs[block[k] + 256 * (nibble & 7)]]
    return weights


# ---- formats of MLX and bitsandbytes ----


def decode_levels_above(bits: int) -> Callable[..., list[float]]:
    """Formula: w = scale * q + offset, rounded twice; 4 bits: the even column's code is in the low nibble."""

    def decode(parts: Bytes, rows: int, cols: int, group: int = 64) -> list[float]:
        scales, offsets, groups = read("f", parts["scales"]), read("f", parts["offsets"]), -(-cols // group)
        stored = cut(parts["q"], -(-cols * bits // 8))
        return [
            f32(f32(scales[at] * code) + offsets[at])
            for i in range(rows)
            for j in range(cols)
            for at in (i * groups + j // group,)
            for code in (stored[i][j] if bits == 8 else stored[i][j // 2] >> 4 * (j % 2) & 15,)
        ]

    return decode


def decode_q8_r(parts: Bytes, rows: int, cols: int) -> list[float]:
    """Formula: w = q * peak * float32(1 / 127), rounded twice."""
    peaks, q = read("f", parts["peaks"]), read("b", parts["q"])
    return [f32(f32(q[i * cols + j] * peaks[i]) * f32(1 / 127)) for i in range(rows) for j in range(cols)]


def decode_fp4(parts: Bytes, rows: int, cols: int) -> list[float]:
    """Formula: w = scale * level; the even column's nibble is the high one."""
    scales, q = read("f", parts["scales"]), parts["q"]
    sizes = [f32(twelfths / 12) for twelfths in (0, 0.0625, 8, 12, 4, 6, 2, 3)]
    levels = [*sizes, *(-size for size in sizes)]
    blocks, pairs = -(-cols // 64), -(-cols // 2)
    return [
        f32(scales[i * blocks + j // 64] * levels[q[i * pairs + j // 2] >> (4 if j % 2 == 0 else 0) & 15])
        for i in range(rows)
        for j in range(cols)
    ]


DECODERS: dict[str, Callable[..., list[float]]] = {  # (parts, rows, cols), the layout's parameters by name
    "Q8_A": decode_q8_a,
    "Q8_B": decode_q8_b,
    "Q8_F": decode_q8_f,
    "Q8_G": decode_q8_g,
    "Q8_T": decode_q8_t,
    "TC2": decode_trellis(2),
    "TC3": decode_trellis(3),
    "TC4": decode_trellis(4),
    "Q8_M": decode_minimum(8),
    "Q4_M": decode_minimum(4),
    "Q8_Z": decode_affine(8),
    "Q4_Z": decode_affine(4),
    "Q8_X": decode_affine(8),
    "Q4_X": decode_affine(4),
    "Q4_A": decode_q4_a,
    "Q8_0": decode_q8_0,
    "Q4_0": decode_q4_0,
    "Q4_1": decode_q4_1,
    "Q5_0": decode_q5_0,
    "Q5_1": decode_q5_1,
    "Q2_K": decode_q2_k,
    "Q3_K": decode_q3_k,
    "Q4_K": decode_q4_k,
    "Q5_K": decode_q5_k,
    "Q6_K": decode_q6_k,
    "IQ4N": decode_iq4n,
    "IQ4X": decode_iq4x,
    "MXF4": decode_mxf4,
    "NVF4": decode_nvf4,
    "NV4T": decode_nv4t,
    "FP4": decode_fp4,
    "Q4_L": decode_levels_above(4),
    "Q8_L": decode_levels_above(8),
    "Q8_R": decode_q8_r,
    "Q1_0": decode_q1_0,
    "Q2_0": decode_q2_0,
    "TQ1": decode_tq1,
    "TQ2": decode_tq2,
    "IQ1M": decode_iq1m,
    "IQ1S": decode_iq1s,
    "IQ2S": decode_iq2s,
    "IQ2X": decode_iq2x,
    "IQ2Y": decode_iq2y,
    "IQ3S": decode_iq3s,
    "IQ3Y": decode_iq3y,
    "NF4": decode_nf4,
    "BF16": decode_bf16,
    "F8E4": decode_f8e4,
    "F8_G": decode_f8_g,
    "F8E5": decode_f8e5,
    "F8E8": decode_f8e8,
    "F16": decode_plain("e"),
    "F32": decode_plain("f"),
    "F64": decode_plain("d"),
    "I8": decode_plain("b"),
    "I16": decode_plain("h"),
    "I32": decode_plain("i"),
    "I64": decode_plain("q"),
    "U8": decode_plain("B"),
    "U16": decode_plain("H"),
    "U32": decode_plain("I"),
    "U64": decode_plain("Q"),
    "BOOL": decode_plain("?"),
}
ENCODERS: dict[str, Callable[[Weights, int, int, Mapping[str, object]], Bytes]] = {
    "Q8_A": encode_q8_a,
    "Q8_B": encode_q8_b,
    "Q8_F": encode_q8_f,
    "Q8_G": encode_q8_g,
    "Q8_T": encode_q8_t,
    "TC2": encode_trellis(2),
    "TC3": encode_trellis(3),
    "TC4": encode_trellis(4),
    "Q8_M": encode_minimum(8),
    "Q4_M": encode_minimum(4),
    "Q8_Z": encode_affine(8),
    "Q4_Z": encode_affine(4),
    "Q4_A": encode_q4_a,
    "Q8_0": encode_q8_0,
    "Q4_0": encode_q4_0,
    "NF4": encode_nf4,
    "F8_G": encode_f8_g,
    "NV4T": encode_nv4t,
    "BF16": encode_bf16,
    "F16": encode_plain("e"),
    "F32": encode_plain("f"),
    "F64": encode_plain("d"),
}


# -- error feedback: GPTQ with the inverse of the Hessian, one column after the other


def gptq(
    w: Weights, levels: Sequence[Sequence[float]], hessian: Sequence[Sequence[float]], damping: float
) -> list[int]:
    """The numbers of the levels of one row's weights, in the order of the columns.

    Args:
        w: the weights of a row.
        levels: of each weight.
        hessian: square, symmetric; no column of it is dead.
        damping: share of the mean of its diagonal that is added to it.
    """
    cols = len(w)
    extra = damping * sum(hessian[k][k] for k in range(cols)) / cols
    inverse = inverted([[hessian[i][j] + (extra if i == j else 0) for j in range(cols)] for i in range(cols)])
    wanted, chosen = list(w), []
    for k in range(cols):
        chosen.append(min(range(len(levels[k])), key=lambda code: abs(levels[k][code] - wanted[k])))
        error = (wanted[k] - levels[k][chosen[k]]) / inverse[k][k]
        wanted = [wanted[j] - error * inverse[k][j] for j in range(cols)]
        inverse = [
            [
                inverse[i][j] - inverse[i][k] * inverse[k][j] / inverse[k][k] if min(i, j) > k else 0.0
                for j in range(cols)
            ]
            for i in range(cols)
        ]
    return chosen


def inverted(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """The inverse of a positive definite matrix, by elimination."""
    size = len(matrix)
    rows = [[*row, *(float(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    for k in range(size):
        rows[k] = [value / rows[k][k] for value in rows[k]]
        for i in range(size):
            if i != k:
                rows[i] = [value - rows[i][k] * of_k for value, of_k in zip(rows[i], rows[k], strict=True)]
    return [row[size:] for row in rows]
