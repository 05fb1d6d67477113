"""The end of `fourcc formats`: which format to take, by what the formats declare and by stored measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fourcc.cli.render import tables, terminal, units
from fourcc.cli.render.tables import Column

if TYPE_CHECKING:
    from fourcc.bench.format_figures import FormatFigures
    from fourcc.format import Format

GGML = "ggml"  # the system of ids that llama.cpp's files have
NONE = "-"
SIZES = (8, 6, 5, 4, 3, 2)  # bits a weight, rounded down
COLUMNS = (
    Column("about", note="bits a weight, rounded down; those beside a tag are exact"),
    Column("least loss", note="the smallest KL divergence {divergences}"),
    Column("in llama.cpp", note="the least loss among the formats that llama.cpp runs"),
    Column("fastest", note="the most weights a second in a product with one activation, of formats timed on {machine}"),
)
MIXES = (
    "A mix of formats loses less than any of them: `fourcc quantize SRC -o OUT --size 500MB --calibration-text TEXT` "
    "finds the best one for a size, `fourcc policy recipes` lists those of llama.cpp. `fourcc shootout SRC` compares "
    "all formats on your own model."
)
Rated = tuple["Format", "FormatFigures"]


def show(working: Sequence[Format]) -> None:
    """Writes the advice to stdout, below what came before. Formats without figures are not among the advised ones."""
    from fourcc.bench.format_figures import stored_figures

    stored = stored_figures()
    rated = [(fmt, stored.formats[str(fmt.tag)]) for fmt in working if str(fmt.tag) in stored.formats]
    rows = [row for size in SIZES if (row := _row(size, rated))]
    if not rows:
        return
    terminal.out("")
    tables.paragraph("Which one do I take?", style=("bold",))
    shown = tables.show(COLUMNS, rows)
    terminal.out("")
    said = {"divergences": stored.divergences, "machine": stored.speeds.partition(";")[0]}
    tables.explain([column._replace(note=column.note.format(**said)) for column in shown])
    terminal.out("")
    tables.paragraph(MIXES)


def _row(size: int, rated: Sequence[Rated]) -> list[str]:
    """The advice for formats of `size` bits and a fraction; nothing where there are none."""
    near = [each for each in rated if size <= each[0].bits_per_weight() < size + 1]
    if not near:
        return []
    everywhere = [each for each in near if GGML in each[0].foreign]
    timed = [each for each in near if each[1].gb_s is not None]
    return [f"{size} bits", _best(near, _loss), _best(everywhere, _loss), _best(timed, _seconds)]


def _best(some: Sequence[Rated], measure: Callable[[Rated], float]) -> str:
    """The format of the smallest measure, with its bits a weight and its divergence."""
    if not some:
        return NONE
    fmt, figures = min(some, key=measure)
    return f"{fmt.tag!s:4} {units.bits(fmt.bits_per_weight()):>5}  {figures.divergence:.2g}"


def _loss(rated: Rated) -> float:
    return rated[1].divergence


def _seconds(rated: Rated) -> float:
    """Time for a weight, up to a factor."""
    fmt, figures = rated
    return float(fmt.bits_per_weight()) / (figures.gb_s or 1e-9)
