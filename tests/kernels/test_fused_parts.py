"""Fused products of parts that say what they belong to, and of codes in every packing, against the slow truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc import compute
from fourcc.arrays import Array, Floats
from fourcc.dtypes import numpy_dtype
from fourcc.errors import SlowProductsWarning
from fourcc.format import Format
from fourcc.kernels.fusing.block_part import BlockPart
from fourcc.kernels.fusing.ir import UntraceableError
from fourcc.kernels.fusing.packed_codes import PackedCodes
from fourcc.kernels.fusing.stored_parts import FieldsPart, stored
from fourcc.kernels.fusing.units import WIDE, blocks_of_unit
from fourcc.packing import unpack
from fourcc.part import Part, packed, per_block, per_column, per_matrix, per_row, per_weight, record
from fourcc.qmatrix import QMatrix
from fourcc.settings import Setting
from tests.core.fakes import installed
from tests.examples import examples
from tests.kernels.bounds import float_bound
from tests.kernels.other_targets import on_any_processor, passes

COUNTS = (1, 2, 3, 4, 5, 8, 17, 64)
BOOK = np.linspace(-2, 2, 256).astype(np.float32)


def filled(random: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Random bytes; floats of ordinary size."""
    if dtype.names is not None:
        out = np.zeros(shape, dtype)
        for name in dtype.names:
            out[name] = filled(random, shape + dtype[name].shape, dtype[name].base)
        return out
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    info = np.iinfo(dtype)
    return random.integers(info.min, info.max, shape, dtype, endpoint=True)


def drawn(fmt: Format, rows: int, cols: int, seed: int = 0, **params: object) -> QMatrix:
    """A matrix of random parts."""
    shapes, random = fmt.part_shapes((rows, cols), params), np.random.default_rng(seed)
    parts = {part.name: filled(random, shapes[part.name], numpy_dtype(part.dtype)) for part in fmt.parts}
    return QMatrix(fmt.tag, (rows, cols), parts, params)


def check(q: QMatrix, w: Array, counts: tuple[int, ...], threads: int = 1) -> None:
    """All ways to multiply a matrix, and to look up its rows, against its weights, float64 (rows, cols)."""
    assert q.packed.kernel.level == "fused"
    np.testing.assert_allclose(q.decode(), w, rtol=1e-6, atol=1e-6)
    listed = np.arange(q.shape[0])[::-1]
    np.testing.assert_array_equal(compute.gather(q.packed, listed), q.decode()[listed])
    for n in counts:
        x = np.random.default_rng(n).standard_normal((n, q.shape[1])).astype(np.float32)
        bound = float_bound(np.abs(w) + 1e-3, x.astype(np.float64)) * 2  # a weight is rounded, too
        assert (np.abs(q.matmul(x, threads) - x.astype(np.float64) @ w.T) <= bound).all(), n


# -- packings


def scaled(scale: Floats, codes: Array, weights: Floats) -> None:
    """A scale, and a code with a level of its own."""
    for index in range(len(weights)):
        weights[index] = scale * BOOK[codes[index]]


PACKINGS: dict[str, tuple[int, Part]] = {
    **{f"{bits} bits": (24 if bits % 2 else 20, packed("codes", bits=bits)) for bits in range(1, 9)},
    **{f"{bits} bits, high first": (40, packed("codes", bits=bits, high_first=True)) for bits in (1, 2, 4)},
    "4 bits in runs": (32, packed("codes", bits=4, run=16)),
    "2 bits in runs": (32, packed("codes", bits=2, run=32)),
    "1 bit in runs": (16, packed("codes", bits=1, run=4)),
    **{
        f"{digits} of base {base}": (width, packed("codes", base=base, digits=digits))
        for base, digits, width in ((3, 5, 24), (5, 3, 7), (6, 3, 33), (7, 2, 16), (16, 2, 9))
    },
}
RUNS = {"4 bits in runs": 32, "2 bits in runs": 128, "1 bit in runs": 32}  # codes of a run: a row has whole ones
QUICK = {"3 bits", "3 of base 5"}
packings = pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.thorough) for name in PACKINGS]
)


def in_packing(name: str) -> Format:
    """The format of a packing."""
    width, codes = PACKINGS[name]
    parts = (per_block("scale", "<f4"), codes)
    return Format(tag="Pckx", summary="a packing", block=width, parts=parts, decode_block=scaled)


def weights_of(name: str, q: QMatrix) -> Array:
    """The truth: codes as the core unpacks them, in float64."""
    width, part = PACKINGS[name]
    assert part.packing is not None
    codes = unpack(q.parts["codes"], q.shape[1], part.packing)
    scales = np.repeat(q.parts["scale"], width, axis=1)[:, : q.shape[1]].astype(np.float64)
    levels: Array = scales * BOOK[codes]
    return levels


@packings
@examples(12)
@given(rows=st.integers(1, 35), cols=st.integers(1, 700), seed=st.integers(0, 99))
def test_packed_codes(name: str, rows: int, cols: int, seed: int) -> None:
    """Any width, so that blocks and units are short; bytes that no encoder gives count as well."""
    cols = -(-cols // RUNS.get(name, 1)) * RUNS.get(name, 1)
    with installed(in_packing(name)):
        q = drawn(in_packing(name), rows, cols, seed)
        check(q, weights_of(name, q), (1 + seed % 6, 14), 1 + seed % 2)


@pytest.mark.parametrize("name", ["3 bits"])
def test_any_number_of_activations(name: str) -> None:
    with installed(in_packing(name)):
        q = drawn(in_packing(name), 37, 100)
        check(q, weights_of(name, q), COUNTS, 2)


# -- what parts belong to


def of_all(  # noqa: PLR0917 - one of each kind
    scale: Floats,
    pair: Floats,
    low: Array,
    row: Floats,
    ends: Floats,
    by: Floats,
    twice: Array,
    step: Floats,
    book: Floats,
    codes: Array,
    weights: Floats,
) -> None:
    """Uses an entry of each part."""
    for index in range(len(weights)):
        level = book[codes[index]] * scale + low[index] * step
        weights[index] = level * by[index] + twice[2 * index + 1] * row + ends[index & 1] * pair[1]


ALL = Format(
    tag="Allx",
    summary="a part of each kind",
    block=10,
    parts=(
        per_block("scale", "<f2"),
        per_block("pair", "<f4", 2),
        per_weight("low", "|i1"),
        per_row("row", "<f2"),
        per_row("ends", "<f4", 2),
        per_column("by", "<f4"),
        per_column("twice", "|i1", 2),
        per_matrix("step", "<f4"),
        per_matrix("book", "<f2", 8),
        packed("codes", bits=3),
    ),
    decode_block=of_all,
)


def weights_of_all(q: QMatrix) -> Array:
    """The truth, in float64."""
    rows, cols = q.shape
    p = {name: part.astype(np.float64) for name, part in q.parts.items()}
    codes = unpack(q.parts["codes"], cols, ALL.parts[-1].packing)  # type: ignore[arg-type]  # it has one
    blocks, inside = np.arange(cols) // 10, np.arange(cols) % 10
    level = p["book"][codes] * p["scale"][:, blocks] + p["low"] * p["step"]
    rest = p["twice"][:, 1] * p["row"][:, None] + p["ends"][:, inside & 1] * p["pair"][:, blocks, 1]
    whole: Array = level * p["by"] + rest
    assert whole.shape == (rows, cols)
    return whole


@pytest.mark.thorough  # a long kernel; test_fused.py has parts of blocks, rows and the matrix in every run
@examples(12)
@given(rows=st.integers(1, 35), cols=st.integers(1, 400), seed=st.integers(0, 99))
def test_parts_of_each_kind(rows: int, cols: int, seed: int) -> None:
    with installed(ALL):
        q = drawn(ALL, rows, cols, seed)
        w = weights_of_all(q)
        x = np.random.default_rng(seed).standard_normal((1 + seed % 15, cols)).astype(np.float32)
        truth, magnitude = x.astype(np.float64) @ w.T, np.abs(x).astype(np.float64) @ (np.abs(w).T + 300)
        assert q.packed.kernel.level == "fused"
        assert (np.abs(q.matmul(x, 1 + seed % 2) - truth) <= 1e-6 * (cols + 32) / 16 * magnitude).all()
        np.testing.assert_array_equal(compute.gather(q.packed, np.arange(rows)), q.decode())


def fields_one_by_one(d: Floats, least: Array, q: Array, weights: Floats) -> None:
    """A record's fields: two numbers, and codes of three bits, with unused bits behind them."""
    for index in range(len(weights)):
        weights[index] = d * (q[index] - least)


RECORDS = Format(
    tag="Recx",
    summary="records",
    block=12,
    parts=(record("blocks", per_block("d", "<f2"), per_block("least", "|i1"), packed("q", bits=3)),),
    decode_block=fields_one_by_one,
)


@examples(12)
@given(rows=st.integers(1, 35), blocks=st.integers(1, 40), seed=st.integers(0, 99))
def test_fields_of_a_record(rows: int, blocks: int, seed: int) -> None:
    with installed(RECORDS):
        q = drawn(RECORDS, rows, 12 * blocks, seed)
        held = q.parts["blocks"].reshape(rows, blocks)
        bits = np.unpackbits(held["q"], axis=-1, bitorder="little")[..., :36].reshape(rows, blocks, 12, 3)
        codes = bits @ np.array([1, 2, 4])
        w = held["d"].astype(np.float64)[..., None] * (codes - held["least"].astype(np.int64)[..., None])
        check(q, w.reshape(rows, 12 * blocks), (1, 3, 13))


def grouped(scale: Floats, codes: Array, weights: Floats, group: int) -> None:
    """A block as wide as a parameter says."""
    for index in range(group):
        weights[index] = scale * BOOK[codes[index]]


@pytest.mark.parametrize("group", [20, pytest.param(6, marks=pytest.mark.thorough)])
def test_blocks_as_wide_as_a_parameter(group: int) -> None:
    """Each value has a kernel of its own."""
    fmt = Format(
        tag="Grpx",
        summary="a group",
        block="group",
        params=(Setting("group", 32, ""),),
        parts=(per_block("scale", "<f4"), packed("codes", bits=6)),
        decode_block=grouped,
    )
    with installed(fmt):
        q = drawn(fmt, 18, 130, group=group)
        codes = unpack(q.parts["codes"], 130, fmt.parts[1].packing)  # type: ignore[arg-type]  # it has one
        check(q, np.repeat(q.parts["scale"], group, axis=1)[:, :130].astype(np.float64) * BOOK[codes], (1, 5, 17))


def test_an_entry_of_a_column_that_a_value_chooses_is_decoded_first() -> None:
    """Its place would depend on the block."""

    def chooses(by: Floats, codes: Array, weights: Floats) -> None:
        for index in range(8):
            weights[index] = by[codes[index]]

    parts = (per_column("by", "<f4"), packed("codes", bits=3))
    fmt = Format(tag="Chox", summary="chooses", block=8, parts=parts, decode_block=chooses)
    told = "an entry of part 'by' of the columns is chosen by a value"
    with pytest.warns(SlowProductsWarning, match=told):
        assert compute.why_decoded(fmt) == f"its block decoder cannot be traced: {told}"


# -- units


def unit(width: int, packing: PackedCodes, *more: BlockPart) -> int:
    """Weights that are decoded at once."""

    def decode(codes: Array, *rest: Array) -> None:
        weights = rest[-1]
        for index in range(len(weights)):
            weights[index] = codes[index]

    codes = BlockPart("codes", "|u1", width, packing=packing)
    return width * blocks_of_unit(decode, width, [codes, *more], {})


@pytest.mark.parametrize(
    ("width", "packing", "wanted"),
    [
        (32, PackedCodes(bits=3), 32),
        (64, PackedCodes(bits=4), 64),
        (256, PackedCodes(bits=5), 256),
        (5, PackedCodes(base=3, digits=5), 40),  # 8 bytes
        (64, PackedCodes(base=3, digits=5), 320),
        (7, PackedCodes(bits=1), 56),
        (16, PackedCodes(bits=1, run=16), 128),
        (1, PackedCodes(bits=7), 32),
    ],
)
def test_a_unit_is_wide_and_of_whole_bytes(width: int, packing: PackedCodes, wanted: int) -> None:
    found = unit(width, packing)
    assert found == wanted
    assert packing.is_whole(found)


def test_a_unit_of_a_scale_of_two_bytes_has_two() -> None:
    """So that each begins with a word."""
    scale = BlockPart("scale", "<f2", 1, scalar=True)
    assert unit(32, PackedCodes(bits=4), scale) == 64
    assert unit(64, PackedCodes(bits=4), scale) == 128
    assert unit(128, PackedCodes(bits=4), scale) == 128 >= WIDE


def test_codes_that_fill_no_whole_bytes_are_told() -> None:
    with pytest.raises(UntraceableError, match=r"^the codes of 64 blocks or fewer fill no whole bytes$"):
        unit(1, PackedCodes(bits=1, run=16))


def test_packed_fields_of_several_blocks_are_told() -> None:
    field = BlockPart("q", "|u1", 8, packing=PackedCodes(bits=3))
    with pytest.raises(UntraceableError, match="codes of several blocks do not follow each other"):
        stored(FieldsPart("blocks", (field,)), 0, 2)


@pytest.mark.thorough
@on_any_processor
def test_on_any_processor(name: str) -> None:
    """The instructions of other machines."""
    passes(__file__, name, "kind or record or activations or packed_codes")
