"""The forecast that ``--dry-run`` shows below the plan: what a conversion takes, and how its result runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourcc.cli.render import tables, terminal, units
from fourcc.cli.render.ranges import about, duration, token_rate
from fourcc.cli.render.tables import Column

if TYPE_CHECKING:
    from fourcc.forecasting.conversion_memory import MemoryForecast
    from fourcc.forecasting.conversion_time import TimeForecast
    from fourcc.forecasting.disk_room import DiskForecast
    from fourcc.forecasting.figure import Basis, Figure
    from fourcc.forecasting.forecast import Forecast, RunForecast
    from fourcc.forecasting.network_memory import ContextMemory

_CONTEXTS = (
    Column("context", right=True),
    Column("memory to run", right=True),
    Column("keys and values", right=True, leave=1),
    Column("fits here"),
)
_BASES: dict[Basis, str] = {
    "calculated": "calculated from sizes",
    "measured": "measured on this machine just now",
    "remembered": "remembered from this machine's earlier work",
    "table": "scaled from measurements on another machine",
    "unknown": "partly a guess: see above",
}
DIGITS = 3  # significant digits in JSON


def show(forecast: Forecast) -> None:
    """Writes a forecast to stdout."""
    terminal.out("")
    run = forecast.run
    download = forecast.disk.download
    fetched = f", without a download of {units.short_bytes(download)}" if download else ""
    pairs = [
        ("time", _time(forecast.time) + fetched),
        ("peak memory", _memory(forecast.memory)),
        ("disk", _disk(forecast.disk)),
    ]
    pairs += [("to run", f"not forecast: {forecast.not_run}")] if run is None else [("speed to run", _speed(run))]
    tables.facts(pairs)
    if run is not None:
        tables.show(_CONTEXTS, [_context(run, each) for each in run.contexts])
    for basis, names in _told(forecast).items():
        tables.paragraph(f"{', '.join(names)}: {_BASES[basis]}")
    if forecast.busy:
        tables.paragraph(f"other programs keep this machine busy (load {forecast.load:.1f}), so it may take longer")


def _time(time: TimeForecast) -> str:
    threads = f"on {time.threads} thread{'s' * (time.threads > 1)}"
    if not time.unknown:
        return f"{about(time.seconds, duration)} {threads}"
    unknown = ", ".join(time.unknown)
    return f"more than {duration(time.seconds.low)} {threads}; never measured: {unknown}"


def _memory(memory: MemoryForecast) -> str:
    usual = f"about {units.short_bytes(memory.peak.middle)}, at most {units.short_bytes(memory.peak.high)}"
    if memory.cap is None:
        return usual
    if memory.refused:
        return f"refused: {memory.refused}"
    threads = f"{memory.threads} thread{'s' * (memory.threads > 1)}"
    return f"{usual}: --memory {units.short_bytes(memory.cap)} holds with {threads}"


def _disk(disk: DiskForecast) -> str:
    size = f"{units.short_bytes(disk.output)} to write"
    if disk.beside:
        size += f" and {units.short_bytes(disk.beside)} for a file of the source"
    elif disk.download:
        size += f" and {units.short_bytes(disk.download)} in the hub's cache"
    if disk.free is None:
        return size
    free = f"{units.short_bytes(disk.free)} free in {disk.folder}"
    return f"{size}, {free}: it fits" if disk.fits else f"{size}, but only {free}: it does not fit"


def _speed(run: RunForecast) -> str:
    speed, shortest = run.speed, run.contexts[0]
    text = about(speed.generated, token_rate)
    if run.fits(shortest) is False:
        text += ", were the weights in memory"
    if speed.prompt is not None:
        text += f"; a long prompt {about(speed.prompt, token_rate)}"
    unknown = f"; products never measured: {', '.join(speed.unknown)}" if speed.unknown else ""
    return text + unknown


def _context(run: RunForecast, context: ContextMemory) -> list[str]:
    machine = "" if run.machine is None else f" {units.short_bytes(run.machine)}"
    fits = {None: "-", True: f"yes, in{machine}", False: f"no, in{machine}"}[run.fits(context)]
    resident, cache = units.short_bytes(context.resident.middle), units.short_bytes(context.cache)
    return [str(context.positions), resident, cache, fits]


def _told(forecast: Forecast) -> dict[Basis, list[str]]:
    """The names of figures, by where they come from."""
    figures: list[tuple[str, Figure]] = [("time", forecast.time.seconds), ("peak memory", forecast.memory.peak)]
    if forecast.run is not None:
        figures += [("speed", forecast.run.speed.generated)]
        figures += [("memory to run", forecast.run.contexts[0].resident)]
    told: dict[Basis, list[str]] = {}
    for name, figure in figures:
        told.setdefault(figure.basis, []).append(name)
    return told


def document(forecast: Forecast) -> dict[str, object]:
    """The forecast as a JSON object."""
    memory, disk, run = forecast.memory, forecast.disk, forecast.run
    return {
        "threads": forecast.time.threads,
        "load": round(forecast.load, 2),
        "figures": [_rounded(record) for record in forecast.records()],
        "never_measured": [*forecast.time.unknown, *(() if run is None else run.speed.unknown)],
        "memory_cap": memory.cap,
        "memory_refused": memory.refused or None,
        "free_bytes": disk.free,
        "fits_on_disk": disk.fits,
        "download_bytes": disk.download,
        "beside_bytes": disk.beside,
        "machine_memory": None if run is None else run.machine,
        "not_run": forecast.not_run or None,
    }


def _rounded(record: dict[str, object]) -> dict[str, object]:
    return {name: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value for name, value in record.items()}
