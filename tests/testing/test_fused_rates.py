"""How long fused products take against those of decoded weights: with a clock that the test moves."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from fourcc import compute
from fourcc.arrays import Array, Floats
from fourcc.encoding import encode
from fourcc.format import Format
from fourcc.testing import fused_rates as rates
from fourcc.testing.fused_rates import FusedRate, fused_rates, in_words, line_of
from tests.compute.beside_blocks import PLAIN, SPARSE, TURNED, all_installed


class Clock:
    """Time passes only in products: of the fused side, and of decoded weights."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fused: Callable[[int, int], float], decoded: float) -> None:
        self.now, self.calls = 0.0, list[tuple[str, int]]()

        def matmul(packed: compute.Packed, x: Floats, threads: int | None = None) -> Floats:
            self.calls.append((packed.kernel.level, len(x)))
            turn = self.calls.count(self.calls[-1])
            self.now += fused(len(x), turn) if packed.kernel.level == "fused" else decoded * len(x)
            return np.zeros((len(x), packed.rows), np.float32)  # nobody looks, and no kernel is compiled

        monkeypatch.setattr(compute, "matmul", matmul)

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture(autouse=True)
def formats() -> Iterator[None]:
    """The formats are installed."""
    with all_installed():
        yield


def plain(rows: int = 8) -> Array:
    """Normal weights."""
    return np.random.default_rng(0).standard_normal((rows, 64)).astype(np.float32)


def test_the_ratio_is_that_of_the_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first product, which compiles, and a turn that another program disturbs do not count."""
    clock = Clock(monkeypatch, lambda n, turn: 100.0 if turn in {1, 5} else 0.25 * n, decoded=0.5)
    found = fused_rates(encode(plain(), PLAIN.tag), (1, 4), threads=2, turns=5, clock=clock)
    assert [(each.count, each.threads, each.ratio, each.loses) for each in found] == [
        (1, 2, pytest.approx(0.5), False),
        (4, 2, pytest.approx(0.5), False),
    ]


def test_both_sides_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load that slows the machine down slows both."""
    clock = Clock(monkeypatch, lambda n, turn: 1.0, decoded=1.0)
    fused_rates(encode(plain(), PLAIN.tag), (2,), turns=3, clock=clock)
    assert [level for level, _ in clock.calls] == ["fused", "decode"] * 5  # once to compile, once to tell how long


def test_short_products_are_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, lambda n, turn: rates.LEAST / 2, decoded=rates.LEAST)
    (found,) = fused_rates(encode(plain(), PLAIN.tag), (1,), turns=2, clock=clock)
    assert found.fused == pytest.approx(rates.LEAST / 2)
    assert [level for level, _ in clock.calls].count("fused") == 2 + 2 * 3


def test_products_that_are_not_fused_have_no_rates() -> None:
    assert fused_rates(encode(plain(), "Q8_0")) == []
    assert fused_rates(encode(plain(), "F32")) == []


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([], ""),
        ([FusedRate(1, 1, 0.4, 1.0)], "0.4 times decode-first's time at n = 1"),
        (
            [FusedRate(1, 1, 0.4, 1.0), FusedRate(32, 1, 1.8, 2.0)],
            "0.4 times decode-first's time at n = 1, 0.9 at 32",
        ),
        (
            [FusedRate(1, 1, 1.02, 1.0), FusedRate(32, 1, 3.0, 2.0), FusedRate(64, 1, 5, 1)],
            "1 times decode-first's time at n = 1, 1.5 at 32, 5 at 64; slower than decoding first at n = 32, 64",
        ),
    ],
)
def test_the_line(found: list[FusedRate], wanted: str) -> None:
    assert in_words(found) == wanted


@pytest.mark.parametrize("fmt", [PLAIN, TURNED, SPARSE], ids=["plain", "turned", "sparse"])
def test_a_format_is_measured_on_a_matrix_of_its_own(fmt: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows are encoded; a part of the columns is as long as it must be."""
    Clock(monkeypatch, lambda n, turn: 1.0, decoded=1.0)
    monkeypatch.setattr(rates, "LEAST", 0.0)
    monkeypatch.setattr(rates, "ROWS", 70)
    monkeypatch.setattr(rates, "COLS", 100)
    assert "times decode-first's time at n = 1, " in line_of(fmt)
    assert not line_of(Format(tag="Nenx", summary="", block=16, parts=PLAIN.parts, decode_block=PLAIN.decode_block))
