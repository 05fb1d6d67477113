"""The output of `fourcc shootout`: a line for each format, those without figures with reasons, and what was done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.cli.render import json_documents, tables, terminal, units
from fourcc.cli.render.cell_styles import by_bits, by_decibels
from fourcc.cli.render.tables import Column

if TYPE_CHECKING:
    from fourcc.bench.shootout.results import Entrant, ProductSpeed, ShootoutResult
    from fourcc.bench.timing import Timing

BEST, FAST = "*", "+"
COLUMNS = (
    Column("tag"),
    Column("bits/weight", right=True, style=by_bits),
    Column("SQNR dB", right=True, style=by_decibels),
    Column("rel. RMSE", right=True, leave=2),
    Column("output error", right=True),
    Column("us", right=True),
    Column("GB/s", right=True),
    Column("GOPS", right=True),
    Column("best"),
    Column("fits", right=True, leave=1),
)


def show(file: Path, result: ShootoutResult, *, as_json: bool) -> None:
    """Writes a shootout to stdout."""
    if as_json:
        json_documents.show("shootout", {"file": str(file), **_document(result)})
        return
    shown = [each for each in result.entrants if each.fits]
    tables.show(COLUMNS, [_row(each) for each in shown])
    terminal.out("")
    for line in _notes(result):
        tables.paragraph(line)


def _row(each: Entrant) -> list[str]:
    speed = each.speed
    output = "-" if each.output_error is None else f"{each.output_error:.3g}"
    times = ["-"] * 3
    if speed is not None:
        times = [f"{1e6 * speed.single.median:.3g}", f"{speed.gb_s:.3g}", f"{speed.gops:.3g}"]
    errors = [f"{each.sqnr_db:.1f}", f"{each.relative_rmse:.3g}", output]
    return [each.tag, units.bits(each.bits), *errors, *times, _marks(each), str(each.fits)]


def _marks(each: Entrant) -> str:
    return "".join(mark for mark, on in ((BEST, each.on_front), (FAST, each.on_speed_front)) if on)


def _notes(result: ShootoutResult) -> list[str]:
    compared = [each for each in result.entrants if each.compared]
    lines = [f"tried on {result.sampled} of {result.weights} weights of {result.tensors} matrices, default settings"]
    if result.weighed:
        weighed = f"{result.weighed} of {result.tensors} matrices, whose importance is known"
        lines.append(f"output error: sum h e^2 / sum h w^2, the mean of {weighed}, by number of weights")
    else:
        lines.append("no output error: without calibration, no importance of the columns is known")
    if result.matrix is not None:
        name, shape = result.matrix
        lines.append(f"speed: {name}, {units.shape(shape)}, {_count(result.threads, 'thread')}; us and GB/s with one")
        lines[-1] += f" activation, {_count(result.rotation, 'copy', 'copies')} in turn; GOPS with 512"
    fitting = _count(compared[0].fits, "matrix", "matrices")
    lines.append(f"{BEST} no other format that fits {fitting} has fewer bits and less error")
    if any(each.on_speed_front for each in compared):
        lines.append(f"{FAST} none has fewer bits, less error and a faster product with one activation")
    lines += [f"{each.tag}: {each.reason}" for each in result.entrants if each.reason is not None]
    return lines


def _count(number: int, one: str, several: str | None = None) -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"


def _document(result: ShootoutResult) -> dict[str, object]:
    matrix = None if result.matrix is None else {"name": result.matrix[0], "shape": list(result.matrix[1])}
    return {
        "tensors": result.tensors,
        "weights": result.weights,
        "sampled": result.sampled,
        "weighed_tensors": result.weighed,
        "matrix": matrix,
        "copies": result.rotation,
        "threads": result.threads,
        "formats": [_entrant(each) for each in result.entrants],
    }


def _entrant(each: Entrant) -> dict[str, object]:
    has = bool(each.fits)
    return {
        "tag": each.tag,
        "provider": each.provider,
        "tensors": each.fits,
        "bits_per_weight": json_documents.bits(each.bits) if has else None,
        "sqnr_db": json_documents.number(each.sqnr_db) if has else None,
        "relative_rmse": json_documents.number(each.relative_rmse) if has else None,
        "output_error": None if each.output_error is None else json_documents.number(each.output_error),
        "speed": None if each.speed is None else _speed(each.speed),
        "compared": each.compared,
        "on_front": each.on_front,
        "on_speed_front": each.on_speed_front,
        "reason": each.reason,
    }


def _speed(speed: ProductSpeed) -> dict[str, object]:
    return {
        "level": speed.level,
        "bytes": speed.nbytes,
        "single_us": _micros(speed.single),
        "gb_s": round(speed.gb_s, 4),
        "activations": speed.activations,
        "many_us": _micros(speed.many),
        "gops": round(speed.gops, 4),
    }


def _micros(timing: Timing) -> dict[str, float]:
    return {"best": round(1e6 * timing.best, 3), "median": round(1e6 * timing.median, 3)}
