"""Cutting tiles into blocks: every weight is in one block, and comes back; what is returned is checked part by part."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc import Array, Blocks, Format, Geometry, QMatrix, encode, packed, per_block, per_matrix, per_row, record
from fourcc.arrays import Parts
from fourcc.block_layout import regions, whole_blocks
from fourcc.errors import PluginError
from tests.core.fakes import installed
from tests.examples import examples

sizes = st.integers(1, 12)


@given(sizes, sizes, sizes, sizes)
@examples(100)
def test_piece_writers_cover_a_tile_once(rows: int, cols: int, height: int, width: int) -> None:
    """Blocks are numbered along the rows; only the last ones are short."""
    tile = np.arange(rows * cols).reshape(rows, cols)
    back = np.full_like(tile, -1)
    for region in regions(rows, cols, height, width):
        blocks = region.cut(tile)
        assert blocks.shape == (region.count, region.height * region.width)
        assert region.height <= height
        assert region.width <= width
        assert (back[region.rows, region.cols] == -1).all()
        region.put(blocks, back)
        first = tile[region.rows, region.cols][: region.height, : region.width]
        np.testing.assert_array_equal(blocks[0], first.ravel())
    np.testing.assert_array_equal(back, tile)


@given(sizes, sizes, sizes, sizes)
@examples(50)
def test_whole_blocks_are_filled_with_zeros(rows: int, cols: int, height: int, width: int) -> None:
    whole = whole_blocks(np.ones((rows, cols)), height, width)
    assert whole.shape[0] % height == whole.shape[1] % width == 0
    assert whole.sum() == rows * cols
    assert (whole[:rows, :cols] == 1).all()


def _nearest(blocks: Blocks) -> Parts:
    scale = np.abs(blocks.w).max(axis=1).astype(np.float16)  # (blocks,)
    codes = np.rint(blocks.w / np.where(scale, scale, 1)[:, None] * 7) + 8
    return {"scale": scale, "codes": codes.clip(0, 15).astype(np.uint8)}


def _decode(scale: Array, codes: Array, weights: Array) -> None:
    for column in range(len(weights)):
        weights[column] = scale * ((codes[column] - 8) / 7)


def _zeros(*arguments: Array) -> None:
    arguments[-1][:] = 0


FOUR = Format(
    tag="Four",
    summary="4-bit codes",
    block=32,
    parts=(per_block("scale", "f2"), packed("codes", bits=4)),
    encode=_nearest,
    decode_block=_decode,
)


@pytest.mark.parametrize("shape", [(3, 64), (2, 75), (5,), (2, 3, 33), (0, 64), (3, 0)])
def test_a_format_is_its_formula(shape: tuple[int, ...]) -> None:
    """Packed and cut by the core; the decoder and the codes follow."""
    w = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    with installed(FOUR):
        q = encode(w, "Four")
        assert np.abs(q.decode() - w).max(initial=0) < 0.3
        last = 1 if len(shape) == 1 else shape[-1]
    if w.size and len(shape) == 2:
        assert q.parts["codes"].shape == (shape[0], -(-last // 2))
        assert FOUR.codes is not None
        codes = FOUR.codes(q.parts, Geometry(*shape))
        assert codes.shape == shape
        assert codes.min() >= 1


def test_a_short_block_comes_alone() -> None:
    """No zero of a padding is among the weights that an encoder sees."""
    seen = []

    def look(blocks: Blocks) -> Parts:
        seen.append(blocks.w.shape)
        assert blocks.w.all()
        return _nearest(blocks)

    with installed(Format(tag="Four", summary="", block=32, parts=FOUR.parts, encode=look, decode_block=_decode)):
        encode(np.ones((3, 75), np.float32), "Four")
    assert seen == [(6, 32), (3, 11)]


def test_with_a_part_of_the_row_blocks_come_at_once() -> None:
    seen = []

    def look(blocks: Blocks) -> Parts:
        seen.append(blocks.w.shape)
        return {**_nearest(blocks), "mean": blocks.rows.mean(axis=1)}

    parts = (*FOUR.parts, per_row("mean", "f4"))
    found = Format(tag="Four", summary="", block=32, parts=parts, encode=look, decode_block=_zeros)
    with installed(found):
        q = encode(np.ones((3, 75), np.float32), "Four")
    assert seen == [(9, 32)]
    assert q.parts["mean"].tolist() == [1, 1, 1]
    assert q.parts["codes"].shape == (3, 38)


def test_importance_comes_with_the_weights() -> None:
    seen: list[Array] = []

    def look(blocks: Blocks) -> Parts:
        assert blocks.importance is not None
        seen.append(blocks.importance)
        return _nearest(blocks)

    from fourcc import Aids

    found = Format(
        tag="Four",
        summary="",
        block=32,
        parts=FOUR.parts,
        encode=look,
        decode_block=_decode,
        needs=frozenset({"importance"}),
    )
    with installed(found):
        encode(np.ones((2, 40), np.float32), "Four", aids=Aids(importance=np.arange(40, dtype=np.float32)))
    assert seen[0].tolist() == [list(range(32))] * 2
    assert seen[1].tolist() == [list(range(32, 40))] * 2


def returning(**parts: Array) -> Format:
    """A format whose encoder returns what it should not."""
    right = (per_block("scale", "f2"), packed("codes", bits=4), per_matrix("book", "f4", 2))
    return Format(tag="Four", summary="", block=32, parts=right, encode=lambda _: parts, decode_block=_zeros)


SCALE, CODES, BOOK = np.ones(4, np.float32), np.ones((4, 32), np.int64), np.zeros(2)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (
            returning(scale=SCALE, codes=CODES),
            "found parts ['codes', 'scale'], expected parts ['book', 'codes', 'scale']",
        ),
        (
            returning(scale=SCALE[:3], codes=CODES, book=BOOK),
            "found (3,) float32 for part 'scale', expected (4,) float16",
        ),
        (returning(scale=SCALE, codes=16 * CODES, book=BOOK), "found 16 .. 16 in part 'codes', expected 0 .. 15"),
        (returning(scale=SCALE, codes=-CODES, book=BOOK), "found -1 .. -1 in part 'codes', expected 0 .. 15"),
        (returning(scale=SCALE, codes=CODES * 1.0, book=BOOK), "found float64 for part 'codes', expected uint8"),
        (returning(scale=SCALE.astype(int), codes=CODES, book=BOOK), "found int64 for part 'scale', expected float16"),
        (
            returning(scale=SCALE, codes=CODES, book=BOOK[:1]),
            "found (1,) float64 for part 'book', expected (2,) float32",
        ),
    ],
)
def test_what_an_encoder_may_not_return(found: Format, says: str) -> None:
    with installed(found), pytest.raises(PluginError) as caught:
        encode(np.ones((2, 64), np.float32), "Four")
    assert str(caught.value).endswith(f"does not keep its contract: {says}. `fourcc plugin test Four` shows where.")


def test_fields_of_a_record_are_packed() -> None:
    """As ggml stores blocks: code j and code j + 16 share a byte."""
    block = record("blocks", per_block("d", "f2"), packed("q", bits=4, run=16))

    def look(blocks: Blocks) -> Parts:
        return {"d": np.ones(len(blocks.w)), "q": np.tile(np.arange(32) % 16, (len(blocks.w), 1))}

    def decode(d: Array, q: Array, weights: Array) -> None:
        for column in range(32):
            weights[column] = d * q[column]

    found = Format(tag="Recd", summary="", block=32, parts=(block,), encode=look, decode_block=decode)
    assert not found.short_block
    assert found.bits_per_weight() * 32 == 8 * 18
    with installed(found):
        q = encode(np.ones((2, 64), np.float32), "Recd")
        assert q.parts["blocks"].dtype == np.dtype([("d", "<f2"), ("q", "u1", (16,))])
        assert q.parts["blocks"]["q"][1, 1].tolist() == [code * 17 for code in range(16)]
        assert q.decode()[1].tolist() == [column % 16 for column in range(64)]
        assert isinstance(q, QMatrix)


def test_what_a_format_must_say_of_its_decoder() -> None:
    """It has one; arguments that are called like the parts have their order."""
    given = {"tag": "Four", "summary": "4-bit codes", "block": 32, "parts": FOUR.parts}
    with pytest.raises(ValueError, match=r"^neither decode nor decode_block: nothing decodes it$"):
        Format(**given).check()
    with pytest.raises(ValueError, match=r"^decode_block takes codes, scale: parts come in their order, scale, codes$"):
        Format(**given, decode_block=lambda codes, scale, weights: None).check()
    Format(**given, decode_block=lambda a, b, weights: None).check()
