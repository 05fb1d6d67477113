"""The forecast of a conversion or an export: what it will take here, and how its result will run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from fourcc.errors import FourccError
from fourcc.execution import Execution
from fourcc.forecasting.conversion_memory import MemoryForecast, conversion_memory
from fourcc.forecasting.conversion_time import TimeForecast, conversion_time
from fourcc.forecasting.disk_room import DiskForecast, disk_room
from fourcc.forecasting.figure import Figure
from fourcc.forecasting.known_rates import KnownRates, load
from fourcc.forecasting.network_memory import ContextMemory, machine_memory, memory_by_context
from fourcc.forecasting.network_sizes import network_sizes
from fourcc.forecasting.token_speed import SpeedForecast, token_speed
from fourcc.records import Records
from fourcc.threads import thread_count

if TYPE_CHECKING:
    from fourcc.conversion.plan import Plan
    from fourcc.exporters.export import ExportPlan


BUSY = 0.5  # of the cores


@attrs.frozen
class RunForecast:
    """How a model will run on this machine.

    Attributes:
        weights: bytes of the weights in memory.
        contexts: memory by positions in use.
        speed: tokens a second.
        machine: bytes of this machine's memory; None where the system does not say.
    """

    weights: int
    contexts: tuple[ContextMemory, ...]
    speed: SpeedForecast
    machine: int | None

    def fits(self, context: ContextMemory) -> bool | None:
        """Whether this machine has the memory; None where that is not known."""
        return None if self.machine is None else context.resident.middle <= self.machine


@attrs.frozen(repr=False)
class Forecast(Records):
    """A conversion's time, memory and disk, and how its result will run.

    Attributes:
        time: of the conversion.
        memory: of the conversion.
        disk: of the conversion.
        run: of the result, with `fourcc run`; None where it cannot be run.
        not_run: why it cannot; empty where it can.
        load: threads of all programs that work on this machine now, on average.
    """

    time: TimeForecast
    memory: MemoryForecast
    disk: DiskForecast
    run: RunForecast | None
    not_run: str
    load: float

    def __repr__(self) -> str:
        speed = "" if self.run is None else f", {float(f'{self.run.speed.generated.middle:.2g}'):g} tokens/s"
        taken = f"{self.time.seconds.middle:.2g} s, {self.memory.peak.middle / 1e6:.0f} MB of memory"
        return f"<Forecast: {taken}, {self.disk.output / 1e6:.3g} MB of output{speed}>"

    @property
    def busy(self) -> bool:
        """Whether other programs keep much of this machine busy, so that all takes longer."""
        return self.load > BUSY * thread_count()

    def records(self) -> list[dict[str, Any]]:
        """The figures.

        Returns:
            For each: ``figure`` (its name), ``unit``, ``positions`` (of memory by context, else None), ``low``,
            ``middle``, ``high`` and ``basis``, as `fourcc.forecasting.figure.Figure` has them.
        """
        rows = [
            _record("time", "s", self.time.seconds),
            _record("peak memory", "bytes", self.memory.peak),
            _record("output", "bytes", Figure.exact(self.disk.output)),
        ]
        if self.run is not None:
            rows += [_record("memory of run", "bytes", each.resident, each.positions) for each in self.run.contexts]
            rows.append(_record("speed", "tokens/s", self.run.speed.generated))
            if self.run.speed.prompt is not None:
                rows.append(_record("speed of a prompt", "tokens/s", self.run.speed.prompt))
        return rows


def _record(name: str, unit: str, figure: Figure, positions: int | None = None) -> dict[str, Any]:
    return {"figure": name, "unit": unit, "positions": positions, **attrs.asdict(figure)}


def forecast_of(
    planned: Plan | ExportPlan, how: Execution | None = None, output: Path | None = None, *, stream: bool = False
) -> Forecast:
    """The forecast of a plan on this machine.

    Args:
        planned: a conversion, or an export.
        how: threads and cap of memory; None: as many threads as the process may use, and no cap.
        output: the file or folder to write; None: whether it fits is then not known.
        stream: whether files of a source that lies elsewhere are used one after the other.

    Raises:
        UsageError: a bad number of threads.
    """
    how = how or Execution()
    threads = thread_count(how.threads)
    memory = conversion_memory(planned, threads, how.memory)
    time = conversion_time(planned, KnownRates(memory.threads))
    run, not_run = None, ""
    try:
        run = _run(planned, KnownRates(threads))
    except FourccError as error:
        not_run = error.what
    disk = disk_room(planned.file_bytes, output, planned.source.files, stream=stream)
    return Forecast(time, memory, disk, run, not_run, load())


def _run(planned: Plan | ExportPlan, rates: KnownRates) -> RunForecast:
    network = network_sizes(planned)
    return RunForecast(network.resident, memory_by_context(network), token_speed(network, rates), machine_memory())
