"""The trellis codes, from their page: the kit, loops over bits, the search against all paths, what the codes keep."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from fourcc_tcq import TABLE, TCQ2, TCQ3, TCQ4
from fourcc_tcq.trellis import STATES, best_codes, placed, searcher

from fourcc import Format, compute, encode
from fourcc.arrays import Array
from fourcc.metrics import ErrorSums
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.testing import Trial, trials

NOTED = {"narrow bound", "idempotence"}  # the page says why
NORMAL = np.random.default_rng(1).standard_normal((16, 1024)).astype(np.float32)
FORMATS = {2: TCQ2, 3: TCQ3, 4: TCQ4}


@pytest.fixture(autouse=True, scope="module")
def tried() -> Iterator[None]:
    """The package need not be installed."""
    with registry.trying(TCQ2), registry.trying(TCQ3), registry.trying(TCQ4):
        yield


@pytest.mark.parametrize("trial", trials(TCQ3), ids=str)
def test_conformance(trial: Trial) -> None:
    outcome = trial()
    if trial.check.name not in NOTED:
        assert not outcome.findings, "\n\n".join(map(str, outcome.findings))


@pytest.mark.parametrize("trial", [*trials(TCQ2), *trials(TCQ4)], ids=str)
def test_conformance_of_the_others(trial: Trial) -> None:
    if trial.check.theme in {"stored", "vectors"}:
        trial()


def by_bits(q: QMatrix) -> Array:
    """The page's decoder: a ring of bits for each block, 12 of them for each weight."""
    bits, block = int(str(q.format.tag)[3]), q.params["block"]
    out = np.zeros(q.shape, np.float32)
    nbytes = block * bits // 8
    for row, at in np.ndindex(q.shape[0], q.shape[1] // block):
        stored = q.parts["codes"][row, nbytes * at : nbytes * (at + 1)]
        ring = [int(byte) >> bit & 1 for byte in stored for bit in range(8)]
        for t in range(block):
            window = sum(ring[(bits * t + bit) % len(ring)] << bit for bit in range(12))
            out[row, block * at + t] = np.float32(q.parts["scale"][row, at]) * TABLE[window]
    return out


@pytest.mark.parametrize("block", [32, 64])
@pytest.mark.parametrize("fmt", FORMATS.values(), ids=str)
def test_decodes_as_the_page_says(fmt: Format, block: int) -> None:
    q = encode(NORMAL[:3, :512], fmt.tag, params={"block": block})
    assert q.decode().tobytes() == by_bits(q).tobytes()
    assert compute.why_decoded(fmt, q.params) is None
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
    q = encode(NORMAL, FORMATS[bits].tag, params={"block": 1024})
    assert float(q.bits_per_weight) == bits + 16 / 1024
    assert least < ErrorSums.of(NORMAL, q.decode()).sqnr_db < 6.0206 * bits
