"""Tcq, from its page: the kit, a decoder of plain loops, the search against all paths, and what the code is worth."""

from itertools import product

import numpy as np
import pytest
from fourcc_tcq import TABLE, TCQ
from fourcc_tcq.trellis import STATES, best_codes, placed, searcher

from fourcc import compute, encode
from fourcc.format import Array
from fourcc.metrics import ErrorSums
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.testing import Trial, trials

NOTED = {"narrow bound", "idempotence"}  # the page says why
NORMAL = np.random.default_rng(1).standard_normal((16, 1024)).astype(np.float32)
PARAMS = [{"bits": bits, "block": block} for bits in (2, 3, 4) for block in (32, 256)]


@pytest.mark.parametrize("trial", trials(TCQ), ids=str)
def test_conformance(trial: Trial) -> None:
    outcome = trial()
    if trial.check.name not in NOTED:
        assert not outcome.findings, "\n\n".join(map(str, outcome.findings))


def by_bits(q: QMatrix) -> Array:
    """The page's decoder: a ring of bits for each block, 12 of them for each weight."""
    bits, block = int(str(q.params["bits"])), int(str(q.params["block"]))
    out = np.zeros(q.shape, np.float32)
    words = block * bits // 32
    for row, at in np.ndindex(q.shape[0], q.shape[1] // block):
        ring = [
            int(word) >> bit & 1 for word in q.parts["streams"][row, words * at : words * (at + 1)] for bit in range(32)
        ]
        for t in range(block):
            window = sum(ring[(bits * t + bit) % len(ring)] << bit for bit in range(12))
            out[row, block * at + t] = np.float32(q.parts["scales"][row, at]) * TABLE[window]
    return out


@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_decodes_as_the_page_says(params: dict[str, object]) -> None:
    with registry.trying(TCQ):
        q = encode(NORMAL[:3, :512], "Tcq", params=params)
        assert q.decode().tobytes() == by_bits(q).tobytes()
        assert q.packed.kernel.level == "fused"
        unit = np.eye(512, dtype=np.float32)[[0, 1, 31, 255, 256, 511]]
        np.testing.assert_array_equal(q.matmul(unit), q.decode()[:, [0, 1, 31, 255, 256, 511]].T)


def test_the_table_is_all_quantiles_once() -> None:
    """Symmetric, of spread one, no value twice."""
    assert len(set(TABLE.tolist())) == STATES
    np.testing.assert_array_equal(np.sort(TABLE), -np.sort(TABLE)[::-1])
    assert abs(float(np.mean(np.float64(TABLE) ** 2)) - 1) < 0.002


def cost(units: Array, codes: tuple[int, ...], bits: int) -> float:
    """Squared error of a ring of codes, in float64."""
    per = 12 // bits
    windows = [sum(codes[(t + i) % len(codes)] << (bits * i) for i in range(per)) for t in range(len(codes))]
    return float(((units.astype(np.float64) - TABLE[windows]) ** 2).sum())


def test_from_its_seam_the_search_finds_the_best_ring() -> None:
    """With 9 weights of 2 bits, six codes determine the seam, so 64 rings have it."""
    units = np.random.default_rng(3).standard_normal((20, 9)).astype(np.float32)
    for row, codes in zip(units, best_codes(units, TABLE, 2), strict=True):
        ring = [int(code) for code in codes]
        others = [tuple(ring[:5] + list(middle) + ring[8:]) for middle in product(range(4), repeat=3)]
        assert cost(row, tuple(ring), 2) <= min(cost(row, other, 2) for other in others) + 1e-5


def least_cost(units: Array, bits: int) -> float:
    """The cheapest path of any states, by the plain recurrence over all of them, in float64."""
    costs, states = np.zeros(STATES), np.arange(STATES)
    for x in units.astype(np.float64):
        before = costs.reshape(-1, 1 << bits).min(axis=1)  # of the states that have the same followers
        costs = before[states & ((STATES >> bits) - 1)] + (x - TABLE[states]) ** 2
    return float(costs.min())


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_closing_the_ring_costs_little(bits: int) -> None:
    """The ring costs at most a twentieth more than the best open path, over blocks of 256."""
    units = np.random.default_rng(bits).standard_normal((8, 256)).astype(np.float32)
    costs = [
        cost(row, tuple(map(int, codes)), bits)
        for row, codes in zip(units, best_codes(units, TABLE, bits), strict=True)
    ]
    least = [least_cost(row, bits) for row in units]
    assert all(mine >= bound - 1e-3 for mine, bound in zip(costs, least, strict=True))
    assert sum(costs) <= 1.05 * sum(least)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_the_search_is_the_same_uncompiled(bits: int) -> None:
    units = np.random.default_rng(bits).standard_normal((1, 32)).astype(np.float32)
    codes = np.empty(units.shape, np.uint8)
    searcher(bits, lambda function: function)(units, placed(TABLE, bits), codes)
    assert codes.tobytes() == best_codes(units, TABLE, bits).tobytes()


@pytest.mark.parametrize(("bits", "least"), [(2, 11.3), (3, 17.3), (4, 23.0)])
def test_what_normal_weights_keep(bits: int, least: float) -> None:
    """Within 0.9 dB of the limit for codes of so many bits."""
    with registry.trying(TCQ):
        q = encode(NORMAL, "Tcq", params={"bits": bits, "block": 1024})
        sqnr = ErrorSums.of(NORMAL, q.decode()).sqnr_db
    assert float(q.bits_per_weight) == bits + 16 / 1024
    assert least < sqnr < 6.0206 * bits


def test_the_codes_are_the_stream() -> None:
    """One after the other they are its bits."""
    with registry.trying(TCQ):
        q = encode(NORMAL[:1, :256], "Tcq", params={"bits": 3})
        assert TCQ.codes is not None
        codes = TCQ.codes(q.parts, q.format.geometry(q.shape, q.params))
    assert sum(int(code) << (3 * t) for t, code in enumerate(codes[0])) == int.from_bytes(
        q.parts["streams"].tobytes(), "little"
    )


def test_a_kernel_for_each_width() -> None:
    kernels = {compute.kernel_of(TCQ, params).tile for params in PARAMS}
    assert len(kernels) == len(PARAMS)
    assert all(compute.why_decoded(TCQ, params) is None for params in PARAMS)
