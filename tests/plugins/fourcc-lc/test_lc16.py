"""Lc16, from its page: the kit, a decoder of plain loops, the searches uncompiled, and what the format is worth."""

import numpy as np
import pytest
from fourcc_lc import FIRST, LC16
from fourcc_lc.search import borders_of, compiled, searchers

from fourcc import encode
from fourcc.format import Array
from fourcc.metrics import ErrorSums
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.testing import Trial, trials

NOTED = {"narrow bound", "idempotence"}  # the page says why
NORMAL = np.random.default_rng(1).standard_normal((64, 1024)).astype(np.float32)


@pytest.mark.parametrize("trial", trials(LC16), ids=str)
def test_conformance(trial: Trial) -> None:
    outcome = trial()
    if trial.check.name not in NOTED:
        assert not outcome.findings, "\n\n".join(map(str, outcome.findings))


def by_loops(q: QMatrix) -> Array:
    """The page's decoder, one weight at a time."""
    out = np.zeros(q.shape, np.float32)
    for row, col in np.ndindex(*q.shape):
        packed = int.from_bytes(q.parts["levels"][row, col // 256].tobytes(), "little")
        level = packed >> (7 * (col // 32 % 8)) & 127
        magnitude = (level & 31) * (-1 if level & 32 else 1)
        code = int(q.parts["codes"][row, col // 2]) >> (4 * (col % 2)) & 15
        scale = np.float32(q.parts["units"][row, col // 256]) * np.float32(magnitude)
        out[row, col] = scale * np.float32(q.parts["books"][level >> 6, code])
    return out


@pytest.mark.parametrize("cols", [1, 31, 33, 64, 172, 256, 257, 288, 640])
def test_decodes_as_the_page_says(cols: int) -> None:
    """Short last blocks of every kind; the kernel gives the same."""
    with registry.trying(LC16):
        q = encode(NORMAL[:3, :cols], "Lc16", options={"rounds": 1})
        assert q.decode().tobytes() == by_loops(q).tobytes()
        assert q.packed.kernel.level == "fused"
        np.testing.assert_array_equal(q.matmul(np.eye(cols, dtype=np.float32)), q.decode().T)


def test_any_bytes_decode_as_the_page_says() -> None:
    """Every level and code, those that the encoder does not use too."""
    random = np.random.default_rng(2)
    with registry.trying(LC16):
        shapes = LC16.part_shapes((2, 300), {})
        parts = {name: random.integers(0, 256, shapes[name], np.uint8) for name in ("levels", "codes")}
        parts |= {name: random.standard_normal(shapes[name]).astype(np.float16) for name in ("books", "units")}
        q = QMatrix(LC16.tag, (2, 300), parts)
        assert q.decode().tobytes() == by_loops(q).tobytes()
        np.testing.assert_array_equal(q.matmul(np.eye(300, dtype=np.float32)), q.decode().T)


def test_the_searches_are_the_same_uncompiled() -> None:
    weights = np.random.default_rng(3).standard_t(4, (2, 8, 32))
    weights[1, 3:] = 0
    books, borders, units = FIRST.astype(np.float64), borders_of(FIRST), np.array([0.125, 0.0])
    results = []
    for blocks, free in (compiled(), searchers(lambda function: function)):
        scales, chosen, codes = np.empty(16), np.empty(16, np.int64), np.empty((2, 8, 32), np.uint8)
        free(weights.reshape(-1, 32), books, borders, scales, chosen, codes.reshape(-1, 32))
        levels, stored = np.empty((2, 8), np.uint8), np.empty((2, 8, 32), np.uint8)
        blocks(weights, books, borders, scales.reshape(2, 8), units, levels, stored)
        results.append([each.tobytes() for each in (scales, chosen, codes, levels, stored)])
    assert results[0] == results[1]
    assert not scales[11:].any()
    assert not levels[1].any()


def test_what_normal_weights_keep() -> None:
    """Better than ggml's scalar types of 4.5 bits, with 22.4 dB (IQ4_NL) to 22.9 dB (Q4_K)."""
    with registry.trying(LC16):
        q = encode(NORMAL, "Lc16")
        assert ErrorSums.of(NORMAL, q.decode()).sqnr_db > 22.95
    assert float(LC16.bits_per_weight()) == 4.28125


def test_a_book_is_learnt_for_the_matrix() -> None:
    """Weights with seven values lose almost nothing once the book has learnt the values."""
    values = np.array([-8, -5, -1, 0, 2, 3, 8], np.float32)
    weights = values[np.random.default_rng(4).integers(0, 7, (32, 512))]
    with registry.trying(LC16):
        sqnr = [
            ErrorSums.of(weights, encode(weights, "Lc16", options={"rounds": rounds}).decode()).sqnr_db
            for rounds in (0, 8)
        ]
    assert sqnr[1] > sqnr[0] + 6


def test_one_huge_weight_and_a_denormal_one() -> None:
    """The bound holds at the limits of float16 units."""
    weights = np.zeros((2, 256), np.float32)
    weights[0, 5], weights[1, 7] = 3e38, 1e-45
    with registry.trying(LC16):
        decoded = encode(weights, "Lc16").decode()
    assert np.isfinite(decoded).all()
    assert (np.abs(decoded - weights) <= np.abs(weights).max(axis=1, keepdims=True)).all()
