"""The time that tiles take, counted while a conversion works."""

from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.compute.coding import WORTH_COMPILING
from fourcc.rates import tally
from fourcc.rates.remembered import remembered
from fourcc.rates.shipped import shipped_rates
from fourcc.rates.yardstick import READ_BYTES, processor_seconds, reading_rates
from tests.cli.making import write_safetensors


@pytest.fixture(autouse=True)
def _empty() -> None:
    tally.tallied(1)


def test_tiles_of_large_work_count() -> None:
    """Their median; kinds of few tiles, small tiles and small work tell nothing."""
    for _ in range(tally.LEAST_TILES):
        with tally.timed("encode X", 1 << 18, WORTH_COMPILING):
            sum(range(1000))
        with tally.timed("encode Small", 1 << 18, WORTH_COMPILING - 1):
            pass
        with tally.timed("encode Tile", 100, WORTH_COMPILING):
            pass
    with tally.timed("encode Few", 1 << 18, WORTH_COMPILING):
        pass
    found = tally.tallied(3)
    assert list(found) == ["encode X"]
    assert found["encode X"].threads == 3
    assert 0 < found["encode X"].processor <= 1.1 * found["encode X"].wall
    assert tally.tallied(3) == {}


def test_a_conversion_remembers_its_rates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By format, options and what steered the encoder."""
    monkeypatch.setattr("fourcc.rates.tally.WORTH_COMPILING", 1 << 19)
    weights = np.random.default_rng(0).standard_normal((1024, 2048)).astype("f4")
    source = write_safetensors(tmp_path / "model.safetensors", {"layers.0.attention.wq": weights})
    fourcc.convert(source, tmp_path / "model.bin", format="Q8_0", threads=2)
    assert set(remembered()) == {"decode F32", "encode Q8_0"}
    assert {each.threads for samples in remembered().values() for each in samples} == {2}


def test_the_yardsticks_are_quick() -> None:
    """They measure something, in little memory."""
    assert 1e-5 < processor_seconds() < 1
    slow, usual, fast = reading_rates(2)
    assert 1e8 < slow <= usual <= fast < 1e13
    assert READ_BYTES < 100e6


def test_shipped_rates_name_formats_that_are_there() -> None:
    """Encoding and decoding of each, with the machine that they were measured on."""
    shipped = shipped_rates()
    assert "kernels" in shipped.machine
    assert shipped.yardstick > 0
    for kind, nanoseconds in shipped.nanoseconds.items():
        verb, tag, *steered = kind.split()
        assert verb in {"encode", "decode"}
        assert steered in ([], ["importance"])
        assert tag in map(str, fourcc.registry)
        assert 0 < nanoseconds < 1e5
    assert set(shipped.gemm) == set(shipped.gemv)
