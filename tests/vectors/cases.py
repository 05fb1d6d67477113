"""Inputs of the vectors, made by arithmetic only, so that every machine makes equal ones."""

from collections.abc import Mapping, Sequence
from random import Random

import attrs

from tests.naive import NF4_LEVELS, f32, write

Shape = tuple[int, ...]
FLT_MAX = (2 - 2.0**-23) * 2.0**127
TINY = 2.0**-149  # the smallest float32 above 0


@attrs.frozen
class Valid:
    """Weights that are encoded, or, where `weights` is None, parts that are only decoded."""

    name: str
    note: str
    shape: Shape
    weights: Sequence[float] | None = None
    options: Mapping[str, object] = attrs.field(factory=dict)
    parts: Mapping[str, bytes] | None = None
    params: Mapping[str, int] = attrs.field(factory=dict)
    importance: Sequence[float] | None = None


@attrs.frozen
class Invalid:
    """Weights that are refused: the error's class, and what it must say."""

    name: str
    note: str
    shape: Shape
    weights: Sequence[float]
    error: str
    says: Sequence[str]


Cases = list[Valid | Invalid]


def bell(count: int, seed: int, scale: float = 1.0) -> list[float]:
    """About normal weights: the sum of twelve uniform multiples of 2^-10, times a power of two; exact in float32."""
    random = Random(seed)  # random() is the same in every Python
    return [scale * (sum(int(1024 * random.random()) for _ in range(12)) - 6138) / 1024 for _ in range(count)]


def uneven(count: int) -> list[float]:
    """An importance of columns: from 0.25 to 144.25, in no order."""
    return [0.25 + (at * 7 % 13) ** 2 for at in range(count)]


def weighed(shape: Shape) -> Cases:
    """Weights whose columns count differently, some or all of them nothing.

    Args:
        shape: of two rows at least.
    """
    count, cols = shape[0] * shape[1], shape[1]
    several = [x * 2.0 ** (at // 16 % 7 - 8) for at, x in enumerate(bell(count, 21))]
    some = [float(at % 3 == 0) for at in range(cols)]
    whole = [float(at * 5 % 37 - 18) for at in range(count)]
    tails = [f32(x * abs(x) ** 3) for x in bell(count, 28)]
    return [
        Valid("importance", "columns that count differently", shape, bell(count, 27, 2.0**-5), importance=uneven(cols)),
        Valid("importance_several", "neighbours of sizes of their own", shape, several, importance=uneven(cols)),
        Valid("importance_tails", "few large weights", shape, tails, importance=uneven(cols)),
        Valid("importance_ties", "whole numbers; every third column counts", shape, whole, importance=some),
        Valid("importance_none", "no column counts", shape, bell(count, 29), importance=[0.0] * cols),
        Valid("importance_zeros", "all weights 0", shape, [0.0] * count, importance=uneven(cols)),
    ]


def refused(shape: Shape) -> Cases:
    """NaN and infinity, which no quantized format holds."""
    count = shape[0] * shape[1]
    nan, inf = float("nan"), float("inf")
    weights = bell(count, 90)
    spoilt = [nan if at in {5, 9} else x for at, x in enumerate(weights)]
    says = ["weights are not finite", "expected finite weights"]
    return [
        Invalid("nan", "two NaN", shape, spoilt, "NumericError", [f"2 of {count}", "flat index 5", *says]),
        Invalid("inf", "infinity", shape, [*weights[:-1], inf], "NumericError", [f"flat index {count - 1}", *says]),
        Invalid("minus_inf", "-infinity", shape, [-inf, *weights[1:]], "NumericError", ["flat index 0", *says]),
    ]


def common(shape: Shape) -> Cases:
    """Corners that every format has."""
    count = shape[0] * shape[1]
    return [
        Valid("ordinary", "about normal weights", shape, bell(count, 1, 2.0**-5)),
        Valid("zeros", "all weights 0", shape, [0.0] * count),
        Valid("minus_zeros", "all weights -0", shape, [-0.0] * count),
        Valid("constant", "all weights 0.3", shape, [0.30000001192092896] * count),
        Valid("minus_constant", "all weights -5", shape, [-5.0] * count),
        Valid("denormal", "multiples of the smallest float32", shape, [(at % 23 - 11) * TINY for at in range(count)]),
        Valid("outlier", "one weight of 1000", shape, [1000.0, *bell(count - 1, 2)]),
    ]


def huge(shape: Shape) -> Cases:
    """Largest magnitudes, for the formats with float32 scales."""
    count = shape[0] * shape[1]
    return [
        Valid("flt_max", "weights of +-FLT_MAX", shape, [FLT_MAX if at % 3 else -FLT_MAX for at in range(count)]),
        Valid("one_flt_max", "one FLT_MAX among ones", shape, [1.0] * (count - 1) + [FLT_MAX]),
    ]


def ggml(largest_code: int, code_bytes: int) -> Cases:
    """Q4_0 and Q8_0: blocks of 32 with a float16 scale.

    Args:
        largest_code: the magnitude that a scale of 1 gives the largest weight.
        code_bytes: bytes of a block's codes.
    """
    top = float(largest_code)
    shape = (2, 64)
    ramp = [top, *((at % 13 - 6) + 0.5 for at in range(31))]
    rows = (1, 32)
    return [
        *common(shape),
        *refused(rows),
        Valid("ties", "scale 1, weights half-way between two codes", rows, ramp),
        Valid("minus_ties", "scale -1 or 1, the same with the other sign", rows, [-x for x in ramp]),
        Valid("equal_magnitudes", "the largest magnitude with both signs; the first counts", rows, [1.0, -1.0] * 16),
        Valid("equal_magnitudes_minus_first", "the same, -1 first", rows, [-1.0, 1.0] * 16),
        Valid("scale_underflow", "the scale is 0 in float16, not in float32", rows, bell(32, 3, 2.0**-40)),
        Valid("scale_denormal", "a denormal float16 scale", rows, bell(32, 4, 2.0**-14)),
        Valid("inverse_overflow", "1 / d is infinite", rows, [2.0**-130 * (at - 16) / 16 for at in range(32)]),
        Valid("scale_max", "the scale is 65504", rows, [65504 * top] + [65504.0 * (at % 7 - 3) for at in range(31)]),
        Invalid(
            "scale_overflow",
            "the scale is infinite in float16",
            rows,
            [65520 * top] + [1.0] * 31,
            "NumericError",
            ["weights are not finite", "too large for Q"],
        ),
        Invalid("misfit", "32 does not divide 33", (1, 33), bell(33, 5), "UsageError", ["33", "multiple of 32"]),
        *(weighed((2, 96)) if largest_code == 8 else []),
        Valid("every_byte", "decoding alone: each of 256 bytes", (1, 8192 // code_bytes), parts=every_byte(code_bytes)),
    ]


def every_byte(code_bytes: int) -> dict[str, bytes]:
    """Blocks of scale -0.1 (float16 2e66) whose codes are the bytes 0 .. 255."""
    return {"blocks": b"".join(b"\x66\xae" + bytes(range(at, at + code_bytes)) for at in range(0, 256, code_bytes))}


def blocks_of(size: int, scales: Sequence[int], width: int) -> Cases:
    """Decoding alone: blocks of random bytes, as no encoder would leave them, but for scales that are plain numbers.

    Args:
        size: bytes of a block.
        scales: offsets of its float16 numbers.
        width: weights of a block.
    """
    random = Random(size)
    blocks = [bytearray(random.randbytes(size)) for _ in range(8)]
    for number, block in enumerate(blocks):
        for at in scales:
            block[at : at + 2] = (0x2C00 + 0x2A5 * number + at | (number & 1) << 15).to_bytes(2, "little")
    special = [bytearray(random.randbytes(size)) for _ in range(3)]
    for block, bits in zip(special, (0x7C00, 0x7E01, 0x0001), strict=True):
        for at in scales:
            block[at : at + 2] = bits.to_bytes(2, "little")
    return [
        Valid("random_bytes", "random codes, ordinary scales", (2, 4 * width), parts={"blocks": b"".join(blocks)}),
        Valid(
            "special_scales",
            "scales that are infinite, NaN, denormal",
            (1, 3 * width),
            parts={"blocks": b"".join(special)},
        ),
    ]


def searched(width: int) -> Cases:
    """Formats whose encoders search for scales, in blocks of `width` along a row.

    Where all magnitudes are equal, or half-way, comparisons of errors are ties.
    """
    shape, row = (2, 256), (1, 256)
    several = [x * 2.0 ** (at // 16 % 7 - 8) for at, x in enumerate(bell(256, 21))]
    importance = uneven(256)
    return [
        *common(row),
        *refused((1, width)),
        Valid("several_sizes", "neighbours of sixteen have sizes of their own", row, several),
        Valid("offset", "weights around 3, all above 0", row, [3 + x for x in bell(256, 22, 0.25)]),
        Valid("negative", "all weights below 0", row, [-1 - abs(x) for x in bell(256, 23)]),
        Valid("ties", "small whole numbers", row, [float(at * 5 % 17 - 8) for at in range(256)]),
        Valid("sparse", "one weight in sixteen is not 0", row, [0.0 if at % 16 else 1.0 + at for at in range(256)]),
        Valid("scale_denormal", "denormal float16 scales", row, bell(256, 24, 2.0**-16)),
        Valid("scale_underflow", "scales that are 0 in float16", row, bell(256, 25, 2.0**-40)),
        Valid("nothing", "all magnitudes below 1e-15", row, bell(256, 26, 2.0**-60)),
        Valid("importance", "columns that count differently", shape, bell(512, 27, 2.0**-5), importance=importance),
        Valid(
            "importance_several",
            "the same, with neighbours of sixteen of sizes of their own",
            row,
            several,
            importance=importance,
        ),
        Invalid(
            "scale_overflow",
            "the scale is infinite in float16",
            (1, width),
            [3e9, -2e9] + [1.0] * (width - 2),
            "NumericError",
            ["weights are not finite", "too large for"],
        ),
        Invalid(
            "misfit", f"{width} does not divide 300", (1, 300), bell(300, 5), "UsageError", [f"multiple of {width}"]
        ),
    ]


def powers_of_two() -> Cases:
    """MXF4: largest magnitudes around powers of two, ties between levels, and magnitudes beyond the largest level."""
    row = (1, 32)
    below = 2.0**3 * (1 - 2.0**-24)
    ordinary = [
        case for case in common((2, 32)) if case.name != "denormal"
    ]  # where C's cast of the exponent is undefined
    return [
        *ordinary,
        *refused(row),
        Valid("levels", "every level, and -0", row, [s * x for x in (0, 0.5, 1, 1.5, 2, 3, 4, 6) for s in (1, -1)] * 2),
        Valid("ties", "half-way between levels: the one nearer to 0", row, [6.0, *(at / 4 - 4 for at in range(31))]),
        Valid("beyond", "magnitudes between 6 and 8 steps", row, [7.9, -7.5, 6.5, -6.1] * 8),
        Valid("below_a_power", "counts as the power: the logarithm is rounded", row, [below] + [0.5] * 31),
        Valid("further_below", "does not", row, [8 * (1 - 2.0**-20)] + [0.5] * 31),
        Valid("largest", "almost FLT_MAX", row, [0.875 * 2.0**128, -(2.0**126)] + [2.0**125] * 30),
        Valid("least_exponent", "the least power of two that has an exponent", row, [2.0**-125, 2.0**-127] * 16),
        Invalid("misfit", "32 does not divide 33", (1, 33), bell(33, 5), "UsageError", ["33", "multiple of 32"]),
    ]


def mxf4() -> Cases:
    """Every exponent, and every byte of codes."""
    blocks = [bytes([e]) + bytes((16 * e + 37 * k) % 256 for k in range(16)) for e in range(256)]
    every = Valid("every_exponent", "each exponent and byte", (8, 1024), parts={"blocks": b"".join(blocks)})
    return [*powers_of_two(), *weighed((2, 96)), every]


def nvf4() -> Cases:
    """Scales of every byte, ties, scales that ggml rounds in a way of its own, and weights beyond the largest level."""
    row = (1, 64)
    blocks = [
        bytes((4 * at + k) % 256 for k in range(4)) + bytes((37 * k + at) % 256 for k in range(32)) for at in range(64)
    ]
    sizes = [
        6 * x
        for x in (2.0**-10, 2.0**-11, 7.5 * 2.0**-9, 2.0**-6, 1.0625, 1.1875, 240.0, 248.0, 256.0, 448.0, 1e6, 5e37)
    ]
    return [
        *common((2, 64)),
        *refused(row),
        Valid("levels", "every level, and -0", row, [s * x for x in (0, 0.5, 1, 1.5, 2, 3, 4, 6) for s in (1, -1)] * 4),
        Valid(
            "ties", "half-way between levels: the one nearer to 0", row, [6.0, *(at / 4 - 4 for at in range(31))] * 2
        ),
        Valid(
            "several_sizes",
            "neighbours of sixteen have sizes of their own",
            (1, 256),
            [x * 2.0 ** (at // 16 % 7 - 8) for at, x in enumerate(bell(256, 21))],
        ),
        Valid(
            "scales",
            "scales that are half-way, least, beyond 240",
            (1, 16 * len(sizes)),
            [f32(size) if at == 0 else f32(size * (at - 8) / 16) for size in sizes for at in range(16)],
        ),
        Invalid("misfit", "64 does not divide 96", (1, 96), bell(96, 5), "UsageError", ["96", "multiple of 64"]),
        Valid("every_scale", "each byte as a scale, and as codes", (2, 2048), parts={"blocks": b"".join(blocks)}),
    ]


def nv4t() -> Cases:
    """NVFP4 with its second scale."""
    random = Random(40)
    row = (1, 32)
    parts = {"second": bytes.fromhex("cdcc4c3d cdcc4c40"), "scales": bytes(range(256)), "q": random.randbytes(2048)}
    small = [2.0**-30 if at // 16 % 2 else x for at, x in enumerate(bell(64, 6))]
    return [
        *common((2, 48)),
        Valid("large", "magnitudes of 2^126", (1, 16), [2.0**126 * (at - 8) / 8 for at in range(16)]),
        Invalid(
            "flt_max", "the largest level is infinite", (1, 16), [FLT_MAX] * 16, "NumericError", ["too large for NV4T"]
        ),
        *refused(row),
        Valid("levels", "every level, and -0", row, [s * x for x in (0, 0.5, 1, 1.5, 2, 3, 4, 6) for s in (1, -1)] * 2),
        Valid("ties", "half-way between levels", row, [6.0, *(at / 4 - 4 for at in range(31))]),
        Valid("least_scale", "a scale that rounds to 0 becomes 1/8", (1, 64), small),
        Valid("no_divisor", "the largest magnitude is a denormal: the divisor is 1", row, bell(32, 7, 2.0**-130)),
        Invalid("misfit", "16 does not divide 40", (1, 40), bell(40, 5), "UsageError", ["40", "multiple of 16"]),
        Valid("random_bytes", "every byte as a scale, a factor and a divisor", (16, 256), parts=parts),
    ]


def few_levels(width: int) -> Cases:
    """Two or three levels and a float16 scale, in blocks of `width` along a row.

    Args:
        width: weights of a block.
    """
    row = (1, width)
    steps = [4.0, *(float(at % 9 - 4) for at in range(width - 1))]
    return [
        *common(row),
        *refused(row),
        Valid("two_rows", "three blocks each", (2, 3 * width), bell(6 * width, 8, 2.0**-5)),
        Valid("ties", "scale 4, weights half-way between two codes", row, steps),
        Valid("levels", "-1, 0 and 1", row, [float(at % 3 - 1) for at in range(width)]),
        Valid("scale_underflow", "the scale is 0 in float16, not in float32", row, bell(width, 3, 2.0**-40)),
        Valid("scale_denormal", "a denormal float16 scale", row, bell(width, 4, 2.0**-18)),
        Valid("scale_max", "the scale is 65504", row, [65504.0 * (1 if at % 2 else -1) for at in range(width)]),
        Invalid(
            "scale_overflow",
            "the scale is infinite in float16",
            row,
            [65520.0] * width,
            "NumericError",
            ["weights are not finite", "too large for"],
        ),
        Invalid(
            "misfit",
            "half a block is left",
            (1, 3 * width // 2),
            bell(3 * width // 2, 5),
            "UsageError",
            [f"multiple of {width}"],
        ),
    ]


def levels_above(bits: int) -> Cases:
    """Q4_L and Q8_L: a scale and an offset for each group; only decoded.

    Args:
        bits: of a code.
    """
    random = Random(bits)
    numbers = {"scales": [0.5, -0.25, 0.1, 3e-39], "offsets": [-1.0, 7.0, 0.3, 1e-38]}
    floats = {name: b"".join(write("f", [f32(x)]) for x in values) for name, values in numbers.items()}
    row = -(-70 * bits // 8)
    infinite = {"scales": bytes.fromhex("0000807f 0000c07f"), "offsets": bytes(8), "q": bytes(range(2 * bits // 4))}
    return [
        Valid(
            "two_groups",
            "a full group and one of 6 in each row",
            (2, 70),
            parts={**floats, "q": random.randbytes(2 * row)},
        ),
        Valid(
            "groups_of_2",
            "a parameter",
            (1, 4),
            parts={name: data[:8] for name, data in floats.items()} | {"q": random.randbytes(4 * bits // 8)},
            params={"group": 2},
        ),
        Valid("not_finite", "scales that are infinite and NaN", (1, 4), parts=infinite, params={"group": 2}),
    ]


def rows_and_peaks() -> Cases:
    """Q8_R: every code."""
    peaks = write("f", [f32(x) for x in (127.0, 0.3)])
    return [Valid("every_code", "each byte in two rows", (2, 256), parts={"peaks": peaks, "q": bytes(range(256)) * 2})]


def fp4() -> Cases:
    """Every pair of codes."""
    scales = write("f", [f32(0.1 * at - 0.35) for at in range(8)])
    short = {"scales": write("f", [1.0, -2.0]), "q": bytes(range(7, 7 + 33))}
    return [
        Valid("every_byte", "each of 256 bytes", (1, 512), parts={"scales": scales, "q": bytes(range(256))}),
        Valid("short", "a full block and one of 2", (1, 66), parts=short),
    ]


def scattered_scale() -> Cases:
    """IQ1M: blocks of random bytes, whose float16 scale is spread over four nibbles."""
    random = Random(56)
    blocks = [bytearray(random.randbytes(56)) for _ in range(11)]
    bits = [0x2C00 + 0x2A5 * number | (number & 1) << 15 for number in range(8)] + [0x7C00, 0x7E01, 0x0001]
    for block, value in zip(blocks, bits, strict=True):
        for nibble in range(4):
            at = 49 + 2 * nibble
            block[at] = block[at] & 15 | (value >> 4 * nibble & 15) << 4
    ordinary, special = b"".join(blocks[:8]), b"".join(blocks[8:])
    return [
        Valid("random_bytes", "random codes, ordinary scales", (2, 1024), parts={"blocks": ordinary}),
        Valid("special_scales", "infinite, NaN, denormal", (1, 768), parts={"blocks": special}),
    ]


def nf4() -> Cases:
    """Blocks of 64 along a row, the last one short."""
    random = Random(4)
    return [
        *common((2, 24)),
        *huge((1, 24)),
        *refused((1, 12)),
        Valid("full_and_short", "a full block and one of 33", (2, 97), bell(194, 9, 2.0**-5)),
        *weighed((2, 97)),
        Valid("one_weight", "1 x 1: the scale", (1, 1), [-0.75]),
        Valid("tiny_scale", "the smallest scale", (1, 4), [TINY, 0.0, -TINY, TINY]),
        Valid("levels", "twice every level", (1, 16), [2 * f32(level) for level in NF4_LEVELS]),
        Valid(
            "random_bytes",
            "two rows of a full and a short block; the last nibble of a row is padding",
            (2, 97),
            parts={"scales": bytes.fromhex("cdcccc3d0000803f9a9919bfcdcc4c3e"), "q": random.randbytes(98)},
        ),
    ]


def q8_a() -> Cases:
    """Blocks of 128 rows in a column."""
    ramp = [float(i) for i in range(257)]
    return [
        *common((10, 2)),
        *huge((10, 2)),
        Valid("short_block", "a full block and one of 3 rows, two columns", (131, 2), bell(262, 12)),
        *refused((6, 2)),
        Valid("rising", "each block has its own scale, from rows 128 i on, not from row i on", (257, 1), ramp),
        Valid("falling", "the same from the other side", (257, 1), ramp[::-1]),
        Valid("ties", "scale 254: odd weights are half-way", (128, 1), [254.0, *(float(i - 64) for i in range(127))]),
        Valid("one_weight", "1 x 1", (1, 1), [-0.75]),
        Valid("tiny_scale", "the smallest scale", (4, 1), [TINY, 0.0, -TINY, TINY]),
        Valid("outlier_column", "one column a thousand times the other", (128, 2), two_columns(128)),
        Valid(
            "foreign_codes",
            "-128, and a scale smaller than the weights, as the fork's slice bug leaves them",
            (3, 1),
            parts={"scales": bytes.fromhex("9a99193f"), "q": bytes([0x80, 0x7F, 0x03])},
        ),
    ]


def two_columns(rows: int) -> list[float]:
    """Two columns, of which the second is 1024 times as large, as one row-major list."""
    return [x for pair in zip(bell(rows, 6), bell(rows, 7, 1024.0), strict=True) for x in pair]


def q8_b() -> Cases:
    """Blocks of 128 along a row."""
    return [
        *common((2, 12)),
        *huge((1, 12)),
        Valid("short_block", "a full block and one of 22, two rows", (2, 150), bell(300, 12)),
        *refused((1, 12)),
        Valid("large_mean", "weights around 1000", (1, 128), [1000 + x for x in bell(128, 8)]),
        Valid("order_of_summing", "from left to right the first 1 is lost", (1, 4), [2.0**60, 1.0, -(2.0**60), 1.0]),
        Valid("ties", "mean 0, scale 254: odd weights are half-way", (1, 128), balanced()),
        Valid("below_2_127", "just below the bound: the mean is kept", (1, 2), [2.0**127 * (1 - 2.0**-24), 0.0]),
        Valid("at_2_127", "at the bound: the mean is 0", (1, 2), [2.0**127, 0.0]),
        Valid("one_weight", "1 x 1: the mean", (1, 1), [-0.75]),
        Valid(
            "foreign_codes",
            "-128, and a negative scale",
            (1, 3),
            parts={
                "scales": bytes.fromhex("9a9919bf"),
                "means": bytes.fromhex("cdcccc3d"),
                "q": bytes([0x80, 0x7F, 0x03]),
            },
        ),
    ]


def balanced() -> list[float]:
    """128 weights of sum 0: +-254 and +-1 .. +-63."""
    return [sign * float(k) for k in (254, *range(1, 64)) for sign in (1, -1)]


def q4_a() -> Cases:
    """Blocks of 256 along a row."""
    equal = {"method": "equal-count"}
    full = bell(300, 9, 2.0**-5)
    return [
        *common((2, 24)),
        *huge((1, 24)),
        *refused((1, 12)),
        Valid("full_and_short", "a full block and one of 44", (1, 300), full),
        Valid("full_and_short_equal", "the same in equal counts", (1, 300), full, equal),
        Valid("odd_columns", "the last low nibble is 0", (2, 33), bell(66, 10)),
        Valid("few", "three weights: more bins than weights", (1, 3), [0.5, -0.25, 2.0]),
        Valid("few_equal", "the same in equal counts", (1, 3), [0.5, -0.25, 2.0], equal),
        Valid("sixteen_distinct", "16 values, three times each", (1, 48), [float(i % 16) for i in range(48)]),
        Valid("repeated", "20 values, four times each", (1, 80), [float(i % 20) ** 2 for i in range(80)]),
        Valid("leftmost_cut", "17 equal steps: which two share a bin is a tie", (1, 17), [float(i) for i in range(17)]),
        Valid("half_way", "weights half-way between two bins take the upper", (1, 32), half_way(), equal),
        Valid("one_weight", "1 x 1", (1, 1), [-0.75]),
        *weighed((2, 300)),
        Valid("importance_equal", "equal counts heed none", (1, 40), bell(40, 30), equal, importance=uneven(40)),
        Valid("both_outliers", "-1e30 and 1e30 among others", (1, 64), [-1e30, *bell(62, 11), 1e30]),
    ]


def half_way() -> list[float]:
    """16 runs (0, 2) (2, 4) (4, 6) ...: their means are odd, all weights but two lie half-way between two means."""
    return [float(x) for run in range(16) for x in (2 * run, 2 * run + 2)]


def groups() -> Cases:
    """Q8_G and Q8_F: a float32 scale for 64 weights, or as many as the parameter says."""
    ties = [127.0, *((at % 13 - 6) + 0.5 for at in range(63))]
    return [
        *common((2, 12)),
        *huge((1, 12)),
        *refused((1, 12)),
        Valid("two_rows", "a full group and one of 22 in each row; flat, the third begins in the first", (2, 86), ROWS),
        Valid("groups_of_4", "rows of 6", (3, 6), bell(18, 13), params={"group": 4}),
        Valid("groups_of_1", "every weight is its own scale", (2, 3), bell(6, 14), params={"group": 1}),
        Valid("one_group", "larger than the matrix", (2, 3), bell(6, 14), params={"group": 2**31 - 1}),
        Valid("ties", "scale 1, weights half-way between two codes", (1, 64), ties),
        Valid("quotient_rounds_to_a_tie", "w / scale is rounded to float32 first", (1, 2), TIE),
        Valid("scale_underflow", "the scale is 0, or rounded down: codes beyond 127 are cut", (1, 3), SMALL),
        Valid(
            "foreign_codes",
            "-128, a negative scale, one whose product is infinite",
            (1, 4),
            parts={"scales": bytes.fromhex("9a9919bfffff7f7f"), "q": bytes([0x80, 0x7F, 0x03, 0x7F])},
            params={"group": 2},
        ),
    ]


def float8_groups() -> Cases:
    """F8_G: E4M3 numbers with a float32 scale for 128 weights, or as many as the parameter says."""
    middles = [448.0, 17.0, 19.0, 2.0**-10, 3 * 2.0**-10, -(2.0**-10), 1.0625, 464 / 2]
    every = {"scales": bytes.fromhex("0000003f000080bf"), "values": bytes(range(256))}
    return [
        *common((2, 12)),
        *huge((1, 12)),
        *refused((1, 12)),
        Valid("two_rows", "a full group and one of 22 in each row", (2, 150), bell(300, 12)),
        Valid("groups_of_4", "rows of 6", (3, 6), bell(18, 13), params={"group": 4}),
        Valid("one_group", "larger than the matrix", (2, 3), bell(6, 14), params={"group": 2**31 - 1}),
        Valid("ties", "scale 1, weights half-way between two numbers", (1, 8), middles),
        Valid("small", "below the least number: 0 and -0", (1, 3), [448.0, 2.0**-11, -(2.0**-11)]),
        Valid("scale_underflow", "the scale is 0, or rounded down", (1, 3), [300 * TINY, TINY, -700 * TINY]),
        Valid("every_byte", "with a positive scale and a negative one; NaN among them", (1, 256), parts=every),
    ]


def half_quadratic() -> Cases:
    """Q4_Z by half-quadratic splitting; an importance makes no difference to it."""
    hqq = {"method": "hqq"}
    tails = [f32(x * abs(x) ** 3) for x in bell(300, 31)]
    return [
        Valid("hqq", "about normal weights, a full group and one of 22 in each row", (2, 150), bell(300, 12), hqq),
        Valid("hqq_tails", "few large weights", (2, 150), tails, hqq, importance=uneven(150)),
        Valid("hqq_positive", "the zero point is 0", (1, 12), [1.0 + at * at for at in range(12)], hqq),
        Valid("hqq_zeros", "all weights 0", (1, 12), [0.0] * 12, hqq),
        Valid("hqq_groups_of_3", "rows of 7", (2, 7), bell(14, 13), hqq, params={"group": 3}),
    ]


def whole_tensor(parts: dict[str, bytes], top: int) -> Cases:
    """Q8_T, Q8_M and Q4_M: one scale for all.

    Args:
        parts: of three weights, as no encoder makes them.
        top: the largest code.
    """
    return [
        *common((3, 12)),
        *refused((1, 12)),
        Valid("odd_columns", "three rows of 5", (3, 5), bell(15, 13)),
        Valid("flt_max", "one FLT_MAX among ones", (1, 12), [1.0] * 11 + [FLT_MAX]),
        Valid("ties", "scale 1, weights half-way between two codes", (1, 15), [0.0, float(top), *HALVES]),
        Valid("one_weight", "1 x 1", (1, 1), [-0.75]),
        *weighed((3, 40)),
        Valid("foreign_codes", "a negative scale", (1, 3), parts=parts),
    ]


def trellis(bits: int) -> Cases:
    """TC2, TC3 and TC4: rings of 256 codes.

    Args:
        bits: of a code.
    """
    ring = bytes((37 * at + 11) % 256 for at in range(32 * bits))
    return [
        *common((3, 4)),
        *refused((3, 4)),
        Invalid("huge", "the scale is infinite", (1, 4), [3e5, 1.0, -3e5, 2e5], "NumericError", TOO_LARGE_FOR_TC),
        Valid("edges", "a block of 64 rows and one of 6, both with a short one beside them", (70, 5), bell(350, 14)),
        Valid("one_try", "an outlier, and a single spread", (2, 4), [*bell(7, 15), 9.0], options={"tries": 1}),
        Valid("one_weight", "1 x 1", (1, 1), [-0.75]),
        Valid(
            "foreign_codes",
            "a negative scale, and one that is infinite",
            (3, 5),
            parts={"scale": bytes.fromhex("00b8007c"), "codes": ring + ring[::-1]},
        ),
    ]


def affine(top: int, codes: bytes, *, index: bytes | None = None) -> Cases:
    """Q8_Z, Q4_Z, and with an index Q8_X and Q4_X: groups with zero points.

    Args:
        top: the largest code.
        codes: the bytes of two rows of 4.
        index: the groups of 4 columns; these formats have no encoder.
    """
    scales = bytes.fromhex("0000003f000080be9a99993e00000043")  # 0.5, -0.25, 0.3, 128
    parts = {"scales": scales, "zeros": bytes([0, 8, top, 16]), "q": codes}
    foreign = Valid("foreign", "zero points up to 16, a negative scale", (2, 4), parts=parts, params={"group": 2})
    if index is not None:
        return [attrs.evolve(foreign, parts={**parts, "groups": index})]
    return [
        *common((2, 12)),
        huge((1, 12))[1],
        Invalid(
            "flt_max", "the zero point is rounded: -FLT_MAX is beyond float32", (1, 2), EXTREMES, "NumericError", TOO
        ),
        *refused((1, 12)),
        foreign,
        Valid("two_groups", "a full group and one of 22 in each row", (2, 150), bell(300, 12)),
        Valid("groups_of_4", "rows of 6", (3, 6), bell(18, 13), params={"group": 4}),
        Valid("groups_of_3", "rows of 7", (2, 7), bell(14, 13), params={"group": 3}),
        Valid("positive", "the zero point is 0", (1, 12), [1.0 + at for at in range(12)]),
        Valid("negative", "the zero point is the largest code", (1, 12), [-1.0 - at for at in range(12)]),
        Valid("ties", "scale 1, weights half-way between two codes", (1, 16), [0.0, float(top), *HALVES, 0.5]),
        Valid("cut", "the zero point is rounded up: the largest weight is cut", (1, 3), [-0.5, 0.0, top - 0.5]),
        Valid("scale_underflow", "the scale is 0 or rounded", (1, 3), SMALL),
        *([*weighed((2, 150)), *half_quadratic()] if top < 255 else []),
    ]


EXTREMES = [FLT_MAX, -FLT_MAX]
TOO_LARGE_FOR_TC = ["weights are not finite", "too large for TC"]
TOO = ["weights are not finite", "too large for Q"]
HALVES = [(at % 13) + 0.5 for at in range(13)]
ROWS = bell(172, 12)
TIE = [127.0, 2.5 - 2.0**-23]
SMALL = [190 * TINY, TINY, -190 * TINY]


def floats(bits: int) -> Cases:
    """F16 and BF16: numbers rounded half to even.

    Args:
        bits: of the mantissa that is stored.
    """
    step = 2.0**-bits
    ties = [1 + step * (k + 0.5) for k in range(4)]
    near = [1 + step * 0.5 + 2.0**-23, 1 + step * 0.5 - 2.0**-23]
    return [
        Valid("ordinary", "about normal weights", (2, 32), bell(64, 1, 2.0**-5)),
        Valid("zeros", "0 and -0", (1, 2), [0.0, -0.0]),
        Valid("ties", "half-way between two numbers, and next to it", (1, 8), [*ties, *near, -ties[0], -ties[1]]),
        Valid(
            "denormal",
            "multiples of 2^-25 and of the smallest float32",
            (1, 6),
            [k * x for x in (2.0**-25, TINY) for k in (1, 2, 3)],
        ),
    ]


def f16() -> Cases:
    """Rounded to 11 significant bits."""
    return [
        *floats(10),
        Valid("largest", "65504, and what rounds to it", (1, 2), [65504.0, -65519.0]),
        Invalid("overflow", "65520 rounds to infinity", (1, 2), [1.0, 65520.0], "NumericError", ["too large for F16"]),
        *refused((1, 12)),
        Valid(
            "specials",
            "infinity, NaN, smallest and largest denormal",
            (1, 6),
            parts={"values": bytes.fromhex("007c00fc007e01000100ff03")},
        ),
    ]


def bf16() -> Cases:
    """Rounded to 8 significant bits."""
    return [
        *floats(7),
        Valid("largest", "the largest bfloat16", (1, 1), [(2 - 2.0**-7) * 2.0**127]),
        Invalid("overflow", "FLT_MAX rounds to infinity", (1, 1), [FLT_MAX], "NumericError", ["too large for BF16"]),
        *refused((1, 12)),
        Valid(
            "specials", "infinity, NaN, smallest denormal", (1, 4), parts={"values": bytes.fromhex("807f80ffc07f0100")}
        ),
    ]


def wide() -> Cases:
    """F32 and F64: nothing is lost."""
    return [
        Valid("ordinary", "about normal weights", (2, 8), bell(16, 1, 2.0**-5)),
        Valid("extremes", "zeros, denormals, largest", (1, 6), [0.0, -0.0, TINY, -TINY, FLT_MAX, -FLT_MAX]),
        *refused((1, 12)),
    ]


def counted(code_bytes: int) -> Cases:
    """Integers, truth values and 8-bit floats: decoding alone."""
    if code_bytes == 1:
        return [Valid("every_byte", "each of 256 bytes", (2, 128), parts={"values": bytes(range(256))})]
    corners = [0, 1, 2 ** (8 * code_bytes - 1) - 1, 2 ** (8 * code_bytes - 1), 2 ** (8 * code_bytes) - 1, 258]
    data = b"".join(value.to_bytes(code_bytes, "little") for value in corners)
    return [Valid("corners", "0, 1, the bounds with and without sign, 258", (2, 3), parts={"values": data})]


ABOVE = {"base": bytes.fromhex("cdcccc3d"), "scale": bytes.fromhex("9a9919bf")}  # 0.1 and -0.6
INDEX = bytes.fromhex("01000000 00000000 01000000 00000000")

CASES: dict[str, Cases] = {
    "bf16": bf16(),
    "bool": [Valid("both", "false and true", (1, 2), parts={"values": b"\0\1"})],
    "f16": f16(),
    "f32": wide(),
    "f64": wide(),
    "fp4": fp4(),
    "f8e4": counted(1),
    "f8e5": counted(1),
    "f8e8": counted(1),
    "f8_g": float8_groups(),
    "i16": counted(2),
    "i32": counted(4),
    "i64": counted(8),
    "i8": counted(1),
    "iq1m": scattered_scale(),
    "iq1s": blocks_of(50, (0,), 256),
    "iq2s": blocks_of(82, (0,), 256),
    "iq2x": blocks_of(74, (0,), 256),
    "iq2y": blocks_of(66, (0,), 256),
    "iq3s": blocks_of(110, (0,), 256),
    "iq3y": blocks_of(98, (0,), 256),
    "iq4n": [*searched(32), *blocks_of(18, (0,), 32)],
    "iq4x": [*searched(256), *blocks_of(136, (0,), 256)],
    "mxf4": mxf4(),
    "nf4": nf4(),
    "nv4t": nv4t(),
    "q4_l": levels_above(4),
    "q8_l": levels_above(8),
    "q8_r": rows_and_peaks(),
    "nvf4": nvf4(),
    "q1_0": [*few_levels(128), *blocks_of(18, (0,), 128)],
    "q2_0": [*few_levels(64), *blocks_of(18, (0,), 64)],
    "q2_k": [*searched(256), *blocks_of(84, (80, 82), 256)],
    "q3_k": [*searched(256), *blocks_of(110, (108,), 256)],
    "q4_0": ggml(8, 16),
    "q4_1": [*searched(32), *blocks_of(20, (0, 2), 32)],
    "q4_a": q4_a(),
    "q4_k": [*searched(256), *blocks_of(144, (0, 2), 256)],
    "q5_0": [*searched(32), *blocks_of(22, (0,), 32)],
    "q5_1": [*searched(32), *blocks_of(24, (0, 2), 32)],
    "q5_k": [*searched(256), *blocks_of(176, (0, 2), 256)],
    "q6_k": [*searched(256), *blocks_of(210, (208,), 256)],
    "q8_0": ggml(127, 32),
    "q8_a": q8_a(),
    "q8_b": q8_b(),
    "q8_f": groups(),
    "q8_g": groups(),
    "q8_t": whole_tensor({"scale": bytes.fromhex("9a9919bf"), "q": bytes([0x80, 0x7F, 0x03])}, 127),
    "q8_m": whole_tensor({**ABOVE, "q": bytes([0x00, 0xFF, 0x80])}, 255),
    "q4_m": whole_tensor({**ABOVE, "q": bytes([0x0F, 0x80])}, 15),
    "q8_z": affine(255, bytes([0, 255, 8, 16, 1, 2, 128, 127])),
    "q4_z": affine(15, bytes.fromhex("f0812f7e")),
    "tq1": [*few_levels(256), *blocks_of(54, (52,), 256)],
    "tq2": [*few_levels(256), *blocks_of(66, (64,), 256)],
    "tc2": trellis(2),
    "tc3": trellis(3),
    "tc4": trellis(4),
    "q8_x": affine(255, bytes([0, 255, 8, 16, 1, 2, 128, 127]), index=INDEX),
    "q4_x": affine(15, bytes.fromhex("f0812f7e"), index=INDEX),
    "u16": counted(2),
    "u32": counted(4),
    "u64": counted(8),
    "u8": counted(1),
}
