"""Products made from block decoders of made-up formats with odd sizes: every weight is exactly numpy's."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc import compute
from fourcc.arrays import Array, Parts
from fourcc.errors import PluginError, SlowProductsWarning
from fourcc.format import Format
from fourcc.geometry import Geometry
from fourcc.kernels.descriptors import JOB, address, empty, matrix
from fourcc.kernels.fusing.block_part import BlockPart
from fourcc.kernels.fusing.fused import fused
from fourcc.kernels.kernel import Kernel
from fourcc.kernels.products.plain_floats import DECODED
from fourcc.part import Part
from fourcc.qmatrix import QMatrix, numpy_dtype
from fourcc.settings import Setting
from tests.core.fakes import installed
from tests.examples import examples
from tests.formats.checks import same_numbers
from tests.kernels.bounds import excess
from tests.kernels.other_targets import on_any_processor, passes
from tests.kernels.random_inputs import normal, numbers

Decoder = Callable[..., None]

SIXTEEN = (np.arange(16) - 7.5).astype(np.float32) ** 3
THIRTY_TWO = np.linspace(-1, 1, 32).astype(np.float32)
BYTE = np.sin(np.arange(256)).astype(np.float32)
FIVE = np.array([-1, -0.25, 0, 0.5, 2], np.float64)
SIXTEEN_WHOLE = np.array([3, -7, 0, 100, -100, 5, 6, 7, 8, 9, 1, 2, -3, 2**30, -(2**31), 4])
SEVEN_WHOLE = np.arange(2**32 - 7, 2**32, dtype=np.uint32)
FORTY_WHOLE = np.arange(-20, 20, dtype=np.int8)
LONG = (np.arange(4096) * 2654435761 % 4096).astype(np.float32) - 2048


@dataclass(frozen=True)
class Made:
    """A format made up for a test.

    Attributes:
        width: columns of a block.
        parts: what is stored of it; a part of the whole matrix has `rows` None.
        decode_block: as plugins have it.
        params: of the layout.
    """

    width: int
    parts: tuple[Part, ...]
    decode_block: Decoder
    params: Mapping[str, int] = field(default_factory=dict)

    def format(self, tag: str) -> Format:
        """The format as a plugin would register it; it decodes block by block, in plain Python."""
        settings = tuple(Setting(name, value + 1, "") for name, value in self.params.items())  # not the defaults
        return Format(
            tag=tag,
            name=tag,
            summary="made up",
            block=(1, "group" if "group" in self.params else self.width),
            parts=self.parts,
            params=settings,
            short_block=False,
            decode=self.decode,
            decode_block=self.decode_block,
        )

    def decode(self, parts: Parts, geom: Geometry) -> Array:
        """The decoded blocks, float32 (rows, cols)."""
        out = np.zeros((geom.rows, geom.cols), np.float32)
        with np.errstate(all="ignore"):
            for row in range(geom.rows):
                for block in range(geom.cols // self.width):
                    arguments = [self.entries(part, parts[part.name], row, block) for part in self.parts]
                    weights = out[row, self.width * block : self.width * (block + 1)]
                    self.decode_block(*arguments, weights, **self.params)
        return out

    def entries(self, part: Part, stored: Array, row: int, block: int) -> Array | Mapping[str, Array]:
        """The decoder's view of a part."""
        if part.rows is None:
            flat = stored.reshape(-1)
            return flat.astype(np.int64) if flat.dtype.kind in "iu" else flat.astype(np.float32)
        count, all_three = (prod(part.tail(Geometry(1, times * self.width, self.params))) for times in (1, 3))
        if count == all_three:  # of the row
            block = 0
        some = stored[row].reshape(-1)[count * block : count * (block + 1)]
        if some.dtype.names is None:
            return some.astype(np.int64) if some.dtype.kind in "iu" else some.astype(np.float32)
        return {name: self.field_of(some[name]) for name in some.dtype.names}

    def field_of(self, values: Array) -> Array:
        """The fields of a record; a field's numbers are its entries, one after the other."""
        flat = values.reshape(-1)
        return flat.astype(np.int64) if flat.dtype.kind in "iu" else flat.astype(np.float32)


def each(count: int) -> Callable[[Geometry], tuple[int, ...]]:
    """The number of entries for 32 columns."""
    return lambda geom: (geom.cols * count // 32,)


def nibble_pairs(blocks: Mapping[str, Array], weights: Array) -> None:
    """Decodes 18 bytes: a scale and 16 pairs."""
    for index in range(16):
        both = blocks["q"][index]
        weights[index] = ((both & 15) - 8) * blocks["d"][0]
        weights[index + 16] = ((both >> 4) - 8) * blocks["d"][0]


def signed_bytes(blocks: Mapping[str, Array], weights: Array) -> None:
    """Decodes 34 bytes: the codes, then the scale."""
    for index in range(32):
        weights[index] = blocks["q"][index] * blocks["d"][0]


def odd_float(blocks: Mapping[str, Array], weights: Array) -> None:
    """Decodes 9 bytes: a float32 at an odd offset, then four bytes of four codes of two bits."""
    for index in range(16):
        code = blocks["q"][index // 4] >> (2 * (index % 4)) & 3
        weights[index] = blocks["d"][0] * (code - 1) + blocks["first"][0]


def looked_up(codes: Array, scales: Array, weights: Array) -> None:
    """Looks up in tables of 5, 16, 32 and 256 entries."""
    for index in range(8):
        weights[4 * index] = SIXTEEN[codes[index] & 15] * scales[0]
        weights[4 * index + 1] = THIRTY_TWO[codes[index] >> 3] - scales[0]
        weights[4 * index + 2] = BYTE[codes[index]]
        weights[4 * index + 3] = FIVE[(codes[index] & 3) + (codes[index] >> 7)] / (scales[0] * scales[0] + 1)


def words(packed: Array, weights: Array) -> None:
    """Decodes ten numbers of three bits a word of 32; the two remaining bits are for a scale."""
    for word in range(3):
        for index in range(10):
            three = (packed[word] >> (3 * index)) & 7
            weights[10 * word + index] = (three.astype(np.float32) - 3.5) * (packed[word] >> 30)
    weights[30] = packed[0]
    weights[31] = packed[1] >> 1


def shared_book(codes: Array, book: Array, small: Array, offset: Array, weights: Array) -> None:
    """Uses two codebooks of the whole matrix, one of them of sixteen entries, and a number beside them."""
    for index in range(32):
        weights[index] = book[codes[index]] * small[codes[index] & 15] + offset[0]


def halves_and_shorts(halves: Array, shorts: Array, unsigned: Array, bytes_: Array, weights: Array) -> None:
    """Uses every kind of entry, arithmetic and shifts."""
    for index in range(32):
        a, b = shorts[index % 3], unsigned[index % 5]
        value = (a * 3 - (b >> (index % 7))) ^ (bytes_[index % 2] << (index % 9)) | (index & 5)
        quotient = (-a).astype(np.float32) / (b + 1).astype(np.float32)
        weights[index] = value.astype(np.float32) * halves[index % 4] + quotient


def row_scale(codes: Array, scale: Array, ends: Mapping[str, Array], weights: Array) -> None:
    """Uses one scale a row, and a record of its least weight and its step."""
    for index in range(32):
        low = (codes[index] & 3).astype(np.float32)
        weights[index] = codes[index].astype(np.float32) * scale[0] + ends["step"][index & 1] * low + ends["least"][0]


def narrow_books(codes: Array, halves: Array, bytes_: Array, long: Array, last: Array, weights: Array) -> None:
    """Uses codebooks that are stored in fewer than 32 bits, one for each way to look up."""
    for index in range(8):
        code = codes[index]
        weights[4 * index] = halves[code & 31] + last[0]
        weights[4 * index + 1] = bytes_[code >> 4] * 0.5 + bytes_[2]
        weights[4 * index + 2] = halves[(code & 15) | (codes[0] >> 7 << 4)]
        weights[4 * index + 3] = long[code & 127] - last[code & 1]


def whole_numbers(codes: Array, weights: Array) -> None:
    """Uses tables of whole numbers, and a long one whose index comes from two words."""
    for index in range(8):
        code = codes[index % 2] >> index
        both = code | codes[1] << (32 - index) if index else code
        weights[4 * index] = SIXTEEN_WHOLE[code & 15]
        weights[4 * index + 1] = SEVEN_WHOLE[(code & 3) + (codes[0] >> 31)]
        weights[4 * index + 2] = FORTY_WHOLE[code & 31] * 0.25
        weights[4 * index + 3] = LONG[both & 4095]


def of_a_group(scales: Array, codes: Array, weights: Array, group: int, low: int) -> None:
    """Is as wide as one parameter says, and subtracts another."""
    assert len(weights) == group == 2 * len(codes)
    for index in range(group):
        weights[index] = ((codes[index // 2] >> (4 * (index & 1)) & 15) - low) * scales[0]


def two_scales(units: Array, levels: Array, codes: Array, weights: Array) -> None:
    """Uses one scale for each of two runs, and another formula for the last weight."""
    for run in range(2):
        scale = units[0] * levels[run].astype(np.float32)
        for index in range(16 * run, 16 * run + 16):
            weights[index] = SIXTEEN[codes[index // 2] >> (4 * (index & 1)) & 15] * scale
    weights[31] = units[0] + codes[15]


def unaligned(blocks: Mapping[str, Array], weights: Array) -> None:
    """Decodes 20 bytes: numbers of two bytes, some of which straddle words."""
    for index in range(16):
        code = blocks["q"][index % 5].astype(np.float32)
        weights[index] = blocks["d"][0] * code + (blocks["n"][0] - blocks["s"][0]).astype(np.float32)


MADE = {
    "nibbles": Made(32, (Part("blocks", (("d", "<f2", ()), ("q", "|u1", (16,))), tail=each(1)),), nibble_pairs),
    "behind": Made(32, (Part("blocks", (("q", "|i1", (4, 8)), ("d", "<f2", ())), tail=each(1)),), signed_bytes),
    "odd": Made(
        16,
        (
            Part(
                "blocks",
                (("first", "|i1", ()), ("d", "<f4", ()), ("q", "|u1", (4,))),
                tail=lambda geom: (geom.cols // 16,),
            ),
        ),
        odd_float,
    ),
    "tables": Made(32, (Part("codes", "|u1", tail=each(8)), Part("scales", "<f2", tail=each(1))), looked_up),
    "words": Made(32, (Part("packed", "<u4", tail=each(3)),), words),
    "book": Made(
        32,
        (
            Part("codes", "|u1", tail=each(32)),
            Part("book", "<f4", rows=None, tail=lambda _: (256,)),
            Part("small", "<f4", rows=None, tail=lambda _: (16,)),
            Part("offset", "<f2", rows=None, tail=lambda _: (1,)),
        ),
        shared_book,
    ),
    "row": Made(
        32,
        (
            Part("codes", "|i1", tail=each(32)),
            Part("scale", "<f2", tail=lambda _: ()),
            Part("ends", (("step", "<f4", (2,)), ("least", "<f2", ())), tail=lambda _: (1,)),
        ),
        row_scale,
    ),
    "narrow": Made(
        32,
        (
            Part("codes", "|u1", tail=each(8)),
            Part("halves", "<f2", rows=None, tail=lambda _: (2, 16)),
            Part("bytes", "|i1", rows=None, tail=lambda _: (16,)),
            Part("long", "<f2", rows=None, tail=lambda _: (130,)),
            Part("last", "<f4", rows=None, tail=lambda _: (2,)),
        ),
        narrow_books,
    ),
    "whole": Made(32, (Part("codes", "<u4", tail=each(2)),), whole_numbers),
    "group": Made(
        48,
        (
            Part("scales", "<f2", tail=lambda geom: (geom.cols // geom.params["group"],)),
            Part("codes", "|u1", tail=lambda geom: (geom.cols // 2,)),
        ),
        of_a_group,
        {"group": 48, "low": 5},
    ),
    "runs": Made(
        32,
        (Part("units", "<f2", tail=each(1)), Part("levels", "|i1", tail=each(2)), Part("codes", "|u1", tail=each(16))),
        two_scales,
    ),
    "unaligned": Made(
        16,
        (
            Part(
                "blocks",
                (
                    ("a", "|u1", (3,)),
                    ("d", "<f2", ()),
                    ("b", "|u1", (2,)),
                    ("n", "<u2", ()),
                    ("q", "|u1", (6,)),
                    ("s", "<i2", ()),
                    ("last", "|u1", (3,)),
                ),
                tail=lambda geom: (geom.cols // 16,),
            ),
        ),
        unaligned,
    ),
    "kinds": Made(
        32,
        (
            Part("halves", "<f2", tail=each(4)),
            Part("shorts", "<i2", tail=each(3)),
            Part("unsigned", "<u2", tail=each(5)),
            Part("bytes", "|i1", tail=each(2)),
        ),
        halves_and_shorts,
    ),
}
# Those that use most kinds of parts and of tables, at every run. What an operator does, the tests of traces say.
MOST = {"kinds"}
every = pytest.mark.parametrize(
    "name", [name if name in MOST else pytest.param(name, marks=pytest.mark.thorough) for name in MADE]
)


def tag_of(name: str) -> str:
    """The codes of the made-up format."""
    return f"T{'abcdefghijklmnopqr'[list(MADE).index(name)]}x"


def stored(name: str, rows: int, blocks: int, seed: int) -> QMatrix:
    """A matrix of random codes; floats have sizes that models have."""
    made = MADE[name]
    found = made.format(tag_of(name))
    shape = (rows, blocks * made.width)
    random = np.random.default_rng(seed)
    shapes = found.part_shapes(shape, made.params)
    parts = {part.name: filled(random, shapes[part.name], numpy_dtype(part.dtype)) for part in found.parts}
    return QMatrix(found.tag, shape, parts, made.params)


def filled(random: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Random numbers of a dtype."""
    if dtype.names is not None:
        out = np.zeros(shape, dtype)
        for name in dtype.names:
            inner = dtype[name]
            out[name] = filled(random, shape + inner.shape, inner.base)
        return out
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    info = np.iinfo(dtype)
    return random.integers(info.min, info.max, shape, dtype, endpoint=True)


def gathered(q: QMatrix, listed: Array | None = None) -> Array:
    """The rows as the kernel decodes them."""
    packed = q.packed
    count = q.shape[0] if listed is None else len(listed)
    out = empty(count * q.shape[1], "<f4").reshape(count, q.shape[1])
    place = 0 if listed is None else address(listed)
    job = JOB.record(count=1, out=address(out), out_stride=out.strides[0], x=place)
    compute.run(
        packed.kernel.gather, packed.descriptor, job, rows=count, align=1, scratch=packed.kernel.scratch(q.shape[1])
    )
    return out


@every
@examples(25)
@given(rows=st.integers(1, 35), blocks=st.integers(1, 5), n=st.integers(1, 9), seed=st.integers(0, 1000))
def test_products_and_rows_are_those_of_the_decoder(name: str, rows: int, blocks: int, n: int, seed: int) -> None:
    """Rows are equal bit for bit; products are within the bound."""
    with installed(MADE[name].format(tag_of(name))):
        q = stored(name, rows, blocks, seed)
        wanted = q.decode()
        assert q.packed.kernel.level == "fused"
        assert gathered(q).tobytes() == wanted.tobytes()
        listed = np.random.default_rng(seed).integers(0, rows, 7)
        assert gathered(q, listed).tobytes() == wanted[listed].tobytes()
        x = numbers(normal, seed, (n, q.shape[1]))
        assert excess(q, x, q.matmul(x, 1 + seed % 3)) <= 1
        assert excess(q, x[:1], (q @ x[0])[None]) <= 1


@every
@pytest.mark.parametrize("rows", [16, 21])
def test_long_rows(name: str, rows: int) -> None:
    """The rows have more blocks than are interleaved at a time."""
    with installed(MADE[name].format(tag_of(name))):
        q = stored(name, rows, 75, seed=7)
        x = numbers(normal, 3, (1, q.shape[1]))
        assert excess(q, x, (q @ x[0])[None]) <= 1


@every
def test_a_panel_is_exact(name: str) -> None:
    """With unit vectors for activations, one or several, a product is a column of weights."""
    with installed(MADE[name].format(tag_of(name))):
        q = stored(name, 18, 2, seed=5)
        unit = np.eye(q.shape[1], dtype=np.float32)
        wanted = q.decode()
        np.testing.assert_array_equal(q.matmul(unit), wanted.T)
        for column in (0, 1, q.shape[1] // 2, q.shape[1] - 1):
            np.testing.assert_array_equal(q @ unit[column], wanted[:, column])


@every
def test_damaged_floats_decode_as_they_do_in_numpy(name: str) -> None:
    """The bits are random, with NaN and infinity among them."""
    with installed(MADE[name].format(tag_of(name))):
        q = stored(name, 18, 2, seed=6)
        random = np.random.default_rng(6)
        raw = {
            key: np.frombuffer(random.bytes(part.nbytes), part.dtype).reshape(part.shape)
            for key, part in q.parts.items()
        }
        damaged = QMatrix(q.tag, q.shape, raw, q.params)
        assert same_numbers(gathered(damaged), damaged.decode())
        for n in (1, 3):
            assert damaged.matmul(np.ones((n, q.shape[1]))).shape == (n, 18)


@pytest.mark.thorough
@on_any_processor
def test_on_any_processor(name: str) -> None:
    """The instructions of other machines give the same weights: of those formats that use most kinds of them."""
    passes(__file__, name, "exact and (kinds or book or tables or runs or odd or unaligned) or short")


# -- which formats get such a kernel


def plain_format(decode_block: Decoder | None, **spec: Any) -> Format:
    """Bytes times a half."""
    given = {"block": (1, 32), "parts": (Part("codes", "|i1", tail=lambda geom: (geom.cols,)),), **spec}
    given |= {"decode": lambda parts, _: parts["codes"].astype(np.float32) / 2, "decode_block": decode_block}
    return Format(tag="T9x", name="T9x", summary="made up", **given)


def half(codes: Array, weights: Array) -> None:
    """Decodes bytes times a half."""
    for index in range(32):
        weights[index] = codes[index] / 2


def peeks(codes: Array, weights: Array) -> None:
    """Decodes like `half`, but branches on a value."""
    for index in range(32):
        weights[index] = codes[index] / 2 if codes[index] else 0.0


def reads_beyond(codes: Array, weights: Array) -> None:
    """Reads beyond the block."""
    for index in range(32):
        weights[index] = codes[index + 1]


def joins_five(codes: Array, weights: Array) -> None:
    """Decodes five bytes at once, which 32 bits do not hold."""
    for index in range(32):
        first = min(index, 27)
        word = 0
        for each in range(5):
            word = word | (codes[first + each] & 255) << 8 * each
        weights[index] = (((word >> 8 * (index - first)) & 255 ^ 128) - 128) / 2


def takes_sines(codes: Array, weights: Array) -> None:
    """Decodes with an operator that cannot be traced."""
    for index in range(32):
        weights[index] = codes[index] / 2 + np.sin(codes[index] * 0.0)


RECORDS = Part("blocks", (("q", "|i1", (16,)),), tail=lambda geom: (geom.cols // 16,))
UNEVEN = "part 'codes' is not stored block by block"
UNKNOWN = "block decoders that are traced do not know it"
UNFIT = "its block decoder cannot be traced: "
IF = "what it does depends on a value (if, and, or, not, while): write np.where(condition, a, b), which chooses a value"


def line_of(decoder: Decoder, line: int) -> int:
    """The number of a line of a decoder, by its number after the first."""
    return decoder.__code__.co_firstlineno + line


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (plain_format(half), None),
        (plain_format(None), "it declares neither a kernel nor a block decoder"),
        (plain_format(half, block=(2, 32)), "its blocks are not along a row"),
        (plain_format(half, block=(1, None)), "its blocks are not along a row"),
        (plain_format(half, parts=(Part("codes", "|i1", tail=lambda geom: (32, geom.cols // 32)),)), UNEVEN),
        (plain_format(half, parts=(Part("codes", "|i1", tail=lambda geom: (geom.cols // 32 * 33 - 1,)),)), UNEVEN),
        (plain_format(half, parts=(Part("codes", "|i1", tail=lambda geom: (geom.rows * geom.cols,)),)), UNEVEN),
    ],
    ids=["fused", "none", "two rows", "whole rows", "planes", "overlapping", "by rows"],
)
def test_what_is_not_along_rows_is_decoded_first(found: Format, why: str | None) -> None:
    """The product is right nevertheless."""
    assert compute.why_decoded(found) == why
    if why != UNEVEN:
        check_plain(found, "decode" if why else "fused")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (plain_format(peeks), "LINE: what it does depends on a value (if, and, or, not, while): write np.where"),
        (plain_format(joins_five), "LINE: << by 32 bits, where 0 .. 31 may be"),
        (plain_format(takes_sines), "LINE: np.sin of a value: block decoders that are traced do not know it"),
        (plain_format(reads_beyond), "IndexError: LINE: entry 32 of 32 of part 'codes'"),
        (
            plain_format(half, params=(Setting("group", 64, ""),)),
            "TypeError: half() got an unexpected keyword argument",
        ),
        (plain_format(half, parts=(RECORDS,)), "part 'blocks' has 2 records where one is expected"),
    ],
    ids=["branches", "wide", "unknown", "beyond", "no parameter", "records"],
)
def test_a_decoder_that_cannot_be_traced_falls_back_with_one_warning(found: Format, told: str) -> None:
    """The warning and `why_decoded` name the place and the reason; nothing else happens."""
    pattern = re.escape(told).replace("LINE", r"test_fused\.py:\d+")
    with pytest.warns(
        SlowProductsWarning, match=f"^products with the format T9x decode the whole matrix first: {pattern}"
    ):
        reason = compute.why_decoded(found)
    assert reason is not None
    assert re.match(re.escape(UNFIT) + pattern, reason)
    assert compute.kernel_of(found) is DECODED
    if not found.params and found.parts[0].name == "codes":
        check_plain(found, "decode")


def test_the_warning_comes_once_whatever_the_parameters() -> None:
    found = plain_format(peeks, params=(Setting("low", 3, ""),))
    with pytest.warns(SlowProductsWarning):
        compute.kernel_of(found)
    assert compute.kernel_of(found, {"low": 4}) is DECODED


def check_plain(found: Format, level: str) -> None:
    """The products of bytes times a half."""
    with installed(found):
        codes = np.random.default_rng(1).integers(-128, 128, (18, 64)).astype(np.int8)
        q = QMatrix(found.tag, codes.shape, {"codes": codes})
        x = numbers(normal, 1, (3, 64))
        assert q.packed.kernel.level == level
        assert excess(q, x, q.matmul(x)) <= 1
        assert gathered(q).tobytes() == q.decode().tobytes()


def test_a_kernel_that_is_none_is_said_in_words() -> None:
    found = attrs.evolve(plain_format(None), kernel=lambda: 3)
    with pytest.raises(PluginError, match=r"its kernel cannot be made: found TypeError: .* gave a int$"):
        compute.kernel_of(found)


@pytest.mark.parametrize("tail", [lambda geom: (geom.cols,), lambda geom: (geom.rows,)], ids=["columns", "rows"])
def test_a_part_as_large_as_the_matrix_is_no_block(tail: Callable[[Geometry], tuple[int, ...]]) -> None:
    """A tracer would see the same for all blocks."""
    codes = Part("codes", "|i1", tail=lambda geom: (geom.cols,))
    found = plain_format(half, parts=(codes, Part("scales", "<f4", rows=None, tail=tail)))
    assert compute.why_decoded(found) == "part 'scales' is as large as the matrix"


def test_a_kernel_for_each_set_of_parameters() -> None:
    """The layout's own parameters are passed by name; a missing one takes its default."""
    seen: list[dict[str, object]] = []

    def kernel(**params: object) -> Kernel:
        seen.append(params)
        return DECODED

    found = plain_format(None, params=(Setting("group", 64, ""), Setting("fine", "no", "")), kernel=kernel)
    for params in ({}, {"group": 32}, {"fine": "no", "group": 64}, {"group": 32}):
        assert compute.kernel_of(found, params) is DECODED
    assert seen == [{"group": 64, "fine": "no"}, {"group": 32, "fine": "no"}]


def test_too_little_of_a_part_is_seen_by_the_trace() -> None:
    part = BlockPart("codes", "|i1", 16)
    with pytest.raises(IndexError, match=r"^test_fused\.py:\d+: entry 16 of 16 of part 'codes'$"):
        fused(half, 32, [part])
    assert fused(half, 32, [replace(part, count=32)]).level == "fused"
    assert matrix(1, 32, []).tolist() == [32, 1]
