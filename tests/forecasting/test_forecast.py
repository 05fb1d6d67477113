"""Forecasts of conversions and of running, against numbers that follow from the page."""

from pathlib import Path

import pytest

import fourcc
from fourcc.conversion.plan import plan
from fourcc.errors import PolicyError
from fourcc.execution import Execution
from fourcc.forecasting import conversion_time, file_reading, known_rates, token_speed
from fourcc.forecasting.disk_room import disk_room
from fourcc.forecasting.figure import Figure
from fourcc.forecasting.forecast import Forecast, forecast_of
from fourcc.forecasting.known_rates import KnownRates
from fourcc.forecasting.network_memory import cache_bytes, memory_by_context
from fourcc.forecasting.network_sizes import network_sizes
from fourcc.policy import Policy
from fourcc.rates.remembered import remember
from fourcc.rates.sample import Sample
from fourcc.sources import open_source
from tests.lanes import sparse


@pytest.fixture(autouse=True)
def _quiet_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine as fast as that of the table, which reads 10 GB/s, has 4 cores and nothing else to do."""
    monkeypatch.setenv("FOURCC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(known_rates, "processor_seconds", lambda: known_rates.shipped_rates().yardstick)
    monkeypatch.setattr(known_rates, "reading_rates", lambda threads: (10e9, 10e9, 11e9))
    monkeypatch.setattr(known_rates, "thread_count", lambda: 4)
    monkeypatch.setattr(known_rates, "load", lambda: 0.0)
    monkeypatch.setattr(conversion_time, "file_reading", lambda files: None)


@pytest.fixture
def tiny() -> Path:
    """The shipped model."""
    return Path(fourcc.__file__).with_name("example") / "tiny.bin"


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of 5 billion weights, of holes."""
    folder = tmp_path_factory.mktemp("sparse") / "llama"
    sizes = (20, 4096, 1024, 14336, 32000)
    sparse.write_model(folder, sparse.llama_config(*sizes), sparse.llama_shapes(*sizes), 3)
    return folder


def forecast_with(source: Path, threads: int = 2, **rules: str) -> Forecast:
    """The forecast of a conversion."""
    with open_source(source) as opened:
        return forecast_of(plan(opened, Policy.chosen(**rules)), Execution(threads=threads))


def test_time_is_that_of_the_weights_at_the_rates_on_the_threads(llama: Path) -> None:
    """Decoding and encoding of each weight, shared by the threads, with what is not shared."""
    weights = 20 * (2 * 4096**2 + 2 * 1024 * 4096 + 3 * 14336 * 4096) + 2 * 32000 * 4096
    rates = known_rates.shipped_rates().nanoseconds
    busy = 1.2e-9 * weights * (rates["decode BF16"] + rates["encode Q4_K"])
    one, two = (forecast_with(llama, threads, format="Q4_K").time.seconds for threads in (1, 2))
    assert one.middle - two.middle == pytest.approx(busy / 2, rel=0.01)
    assert two.low < two.middle < two.high
    assert two.basis == "table"


def test_remembered_rates_come_first(llama: Path) -> None:
    """Rates of as many threads, if there are some; their slowest and fastest are the range."""
    before = forecast_with(llama, format="Q4_K").time.seconds
    remember({"encode Q4_K": Sample(40e-9, 50e-9, 1)})
    remember({"encode Q4_K": Sample(90e-9, 100e-9, 2)})
    remember({"decode BF16": Sample(1e-12, 1e-12, 2)})
    after = forecast_with(llama, format="Q4_K").time.seconds
    encoding = 20 * (2 * 4096**2 + 2 * 1024 * 4096 + 3 * 14336 * 4096) + 2 * 32000 * 4096
    assert after.middle == pytest.approx(100e-9 * encoding / 2, rel=0.1)
    assert after.middle > 3 * before.middle
    assert KnownRates(2).cost("encode Q4_K") == Figure(90e-9, 100e-9, pytest.approx(115e-9), "remembered")
    assert KnownRates(1).cost("encode Q4_K") == Figure(40e-9, 50e-9, pytest.approx(57.5e-9), "remembered")


def test_a_busy_machine_takes_longer_at_most(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The high end grows with the threads that wait for each core."""
    calm = forecast_with(llama, format="Q4_K").time.seconds
    monkeypatch.setattr(known_rates, "load", lambda: 6.0)
    busy = forecast_with(llama, format="Q4_K").time.seconds
    assert busy.high > 1.5 * calm.high
    assert busy.middle == calm.middle


def test_more_threads_than_cores_gain_nothing(llama: Path) -> None:
    assert forecast_with(llama, 64, format="Q4_K").time.threads == 4


def test_work_that_was_never_measured_is_named(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options that were never measured count as the usual ones, with a wider range."""
    assert not forecast_with(llama, format="Q4_A:method=kmeans").time.unknown
    shipped = known_rates.shipped_rates()
    monkeypatch.setitem(shipped.nanoseconds, "encode Q4_0", 1.0)  # type: ignore[arg-type]  # a dict
    monkeypatch.delitem(shipped.nanoseconds, "encode Q4_0")  # type: ignore[arg-type]  # likewise
    assert forecast_with(llama, format="Q4_0").time.unknown == ("encode Q4_0",)


def test_memory_to_run_is_weights_and_positions(llama: Path) -> None:
    """Keys and values of 4 bytes for each layer, head and column; the rotation once."""
    with open_source(llama) as source:
        network = network_sizes(plan(source, Policy.chosen(format="Q8_0")))
    assert network.resident == pytest.approx(34 / 32 * 4.9e9, rel=0.1)
    assert cache_bytes(network.architecture, 2048) == 20 * 2 * 8 * 2048 * 128 * 4 + 2048 * 128 * 4
    memory = memory_by_context(network)
    assert [each.positions for each in memory] == [2048, 8192, 32768, 131072]
    grown = memory[1].resident.middle - memory[0].resident.middle
    assert grown == memory[1].cache - memory[0].cache


def test_a_token_reads_the_weights_once(llama: Path) -> None:
    """All but the embedding, of which it reads a row; at the rate of memory, where that is what limits."""
    with open_source(llama) as source:
        network = network_sizes(plan(source, Policy.chosen(format="Q8_0")))
    assert network.resident - network.read == 32000 * 4096 * 34 / 32
    speed = token_speed.token_speed(network, KnownRates(4)).generated
    assert speed.middle == pytest.approx(0.92 * 10e9 / network.read, rel=0.05)
    assert speed.low < speed.middle < speed.high


def test_a_run_corrects_the_speed(llama: Path) -> None:
    """Tokens took twice as long as was forecast, with as many threads."""
    with open_source(llama) as source:
        network = network_sizes(plan(source, Policy.chosen(format="Q8_0")))
    before = token_speed.token_speed(network, KnownRates(4)).generated
    remember({token_speed.RUN: Sample(2.0, 2.0, 4)})
    after = token_speed.token_speed(network, KnownRates(4)).generated
    assert after.middle == pytest.approx(before.middle / 2)
    assert after.basis == "remembered"
    assert token_speed.token_speed(network, KnownRates(2)).generated.basis != "remembered"


def test_of_experts_a_token_reads_the_active_ones(tmp_path: Path) -> None:
    sizes = (2, 512, 128, 1024, 1000)
    sparse.write_model(tmp_path / "moe", sparse.mixtral_config(*sizes, 8), sparse.mixtral_shapes(*sizes, 8), 2)
    with open_source(tmp_path / "moe") as source:
        network = network_sizes(plan(source, Policy.chosen(format="Q8_0")))
    experts = 2 * 8 * 3 * 512 * 1024 * 34 / 32
    rest = network.resident - experts - 1000 * 512 * 34 / 32
    assert network.read == pytest.approx(experts / 4 + rest)


def test_what_cannot_be_run_is_said(tiny: Path) -> None:
    """A part of a model, for example."""
    with open_source(tiny) as source:
        found = forecast_of(plan(source, Policy.keep(), include=["norm"]))
    assert found.run is None
    assert found.not_run == "a part of a model is not run"


def test_the_disk(tmp_path: Path) -> None:
    """The folder need not exist; a disk that is too small is said."""
    assert disk_room(10, None).fits is None
    there = disk_room(10, tmp_path / "no" / "folder" / "x.bin")
    assert (there.folder, there.fits) == (tmp_path, True)
    assert disk_room(1 << 60, tmp_path / "x.bin").fits is False


def test_reading_is_measured_on_large_files(llama: Path, tmp_path: Path) -> None:
    """Small ones, those of holes, and those that are gone tell nothing."""
    (tmp_path / "large").write_bytes(bytes(file_reading.LEAST))
    found = file_reading.file_reading([tmp_path / "large"])
    assert found is not None
    assert file_reading.file_reading(sorted(llama.glob("*.safetensors"))) is None
    assert 0 < found.low <= found.middle <= found.high
    (tmp_path / "small").write_bytes(b"x")
    assert file_reading.file_reading([tmp_path / "small"]) is None
    assert file_reading.file_reading([tmp_path / "gone"]) is None
    assert file_reading.file_reading([]) is None


def test_from_python(tiny: Path, tmp_path: Path) -> None:
    """`fourcc.forecast` gives a table; an export is forecast by its output's name."""
    found = fourcc.forecast(tiny, tmp_path / "x.bin", format="Q8_0,F16", threads=2, memory="100GB")
    rows = {row["figure"]: row for row in found.records()}
    assert list(rows) == ["time", "peak memory", "output", "memory of run", "speed", "speed of a prompt"]
    assert rows["output"]["middle"] == found.disk.output
    assert (found.memory.cap, found.memory.refused) == (10**11, "")  # this process may be large
    assert not list(tmp_path.glob("x.bin"))
    exported = fourcc.forecast(tiny, tmp_path / "x.gguf", format="Q8_0,F16", threads=2)
    assert 0 < exported.disk.output != found.disk.output
    with pytest.raises(PolicyError):
        fourcc.forecast(tiny, format="Q4_K")
