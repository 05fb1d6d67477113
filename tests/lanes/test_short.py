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


@pytest.mark.parametrize("kind", ["convert", "export to a folder", "calibrate with Hessians", "measure"])
def test_killed_work_goes_on(tmp_path: Path, kind: str) -> None:
    """Six kills at random moments: the bytes are those of one run, and a kill costs a tensor at most."""
    resume = lane("resume")
    made = kind in resume.CONVERTED
    source = resume.model(tmp_path / "source.safetensors", 24, 256) if made else resume.EXAMPLE / "tiny.bin"
    counts = resume.lane(tmp_path, source, kind, 6, seed=1)
    assert counts.kills >= 6


def test_calibrating_and_measuring_keep_to_their_cap(tmp_path: Path) -> None:
    """A model of 500 MB in 400 MB, Hessians included."""
    found = lane("calibration_memory").measure(tmp_path, 10, "400MB", 300)
    assert found["model"] > 500e6
    assert max(found["calibrate"], found["measure"]) <= 400e6


def test_killed_workers_change_no_byte(tmp_path: Path) -> None:
    """Two conversions, of which each loses one to three workers."""
    pytest.importorskip("distributed", reason="needs the extra cluster")
    cluster = lane("cluster")
    nbytes = cluster.write_model(tmp_path / "model.safetensors", 0.25)
    (tmp_path / "out").mkdir()
    kills = cluster.killed_runs(cluster.Lane(tmp_path / "model.safetensors", tmp_path / "out"), 2, seed=1)
    assert nbytes > 1 << 28
    assert sum(kills) >= 1


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
    source = str(memory.write_llama(tmp_path / "llama", 512))
    tags = [f"{memory.EXPORTS[kind]},F32"] if kind else ["NF4,F32", "Q8_0,F32"]
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


def test_a_large_model_is_planned_quickly(tmp_path: Path) -> None:
    """A model of 140 GB in 30 shards, in the memory of the lane's bound; its time is the lane's matter."""
    sparse = lane("sparse")
    assert sparse.write_llama(tmp_path / "llama") > 140e9
    assert len(list((tmp_path / "llama").glob("*.safetensors"))) == 30
    assert sum(path.stat().st_blocks for path in (tmp_path / "llama").iterdir()) * 512 < 1e6
    (tmp_path / "policy.toml").write_text(sparse.POLICY, encoding="utf-8")
    for command in sparse.commands(tmp_path / "llama", tmp_path / "policy.toml"):
        seconds, megabytes = sparse.measured(command)
        assert megabytes < sparse.MEGABYTES
        assert seconds < 10 * sparse.SECONDS


def test_forecasts_are_compared(tmp_path: Path) -> None:
    """Conversions and runs of tiny models; their figures say nothing."""
    forecasts = lane("forecasts")
    (converted,) = forecasts.conversions(tmp_path, [("tiny", "F32", "--format Q8_0", 1)])
    (ran,) = forecasts.runs(tmp_path, [("tiny", "Q8_0", 1)])
    assert converted.measured > 0
    assert 0.5 < ran.peak / ran.measured_peak < 2
    assert "| tiny, `Q8_0`, 1 thread |" in forecasts.table("run", "/s", [ran])
