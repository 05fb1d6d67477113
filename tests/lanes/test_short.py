"""The short forms of the slow lanes."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.thorough


def lane(name: str) -> ModuleType:
    """The script of a lane, as a module."""
    spec = importlib.util.spec_from_file_location(f"lane_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_decoders_mean_the_same() -> None:
    """A hundred made up at random, and a kernel of 25."""
    assert not any(lane("decoders").differences(70_000, 100))
    assert not any(lane("decoders").compiled_differences(70_000, 25))


def test_killed_conversions_leave_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """Twenty kills at random moments; at least one strikes before the end."""
    ends = lane("kill").lane(tmp_path, 20, seed=1)
    assert sum(ends.values()) == 20
    assert ends["killed, old file"] > 0


def test_memory_stays_bounded(tmp_path: Path) -> None:
    """Half a GiB in less memory than the source has bytes, and than the bound of the large lane."""
    large = lane("large")
    nbytes = large.write_model(tmp_path / "model.safetensors", 0.75)
    peak, _ = large.measure(tmp_path, large.Asked("Q8_0", 2))
    assert peak < large.BOUND_MB
    assert peak * 1e6 < nbytes
    capped, _ = large.measure(tmp_path, large.Asked("Q8_0", 8, "250MB"))
    assert capped < 250


@pytest.mark.parametrize("kind", ["", "gguf", "awq"])
def test_conversions_take_no_more_than_is_predicted(tmp_path: Path, kind: str) -> None:
    """Nor more than the smallest cap that they accept: a format in numpy, one with kernels, two kinds of exports."""
    memory = lane("memory")
    source = str(memory.write_source(tmp_path / "model.safetensors", (1024, 1024)))
    tags = [memory.EXPORTS[kind]] if kind else ["NF4", "Q8_0"]
    for tag in tags:
        for least in (False, True):
            outcome = memory.measure(memory.Case(source, str(tmp_path / f"out{kind}"), tag, 4, kind=kind, least=least))
            assert outcome.before < outcome.peak <= outcome.predicted


def test_a_long_context_costs_its_keys_and_values() -> None:
    """It costs no more than the bound of the lane, at a small size."""
    context = lane("context")
    tiny = context.SHAPES["tiny"]
    short, long = context.measure(tiny, "Q8_0", (64, 2048), threads=2)
    assert long - short < tiny.cache_bytes(2048) + context.BOUND_MB * context.MB
