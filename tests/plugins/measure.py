"""The size and quality of the plugins beside built-in formats: ``python -m tests.plugins.measure [--write]``.

The figures are those of the kit's report (`fourcc plugin test`): first the plugin with all its settings, then the
built-in formats of about as many bits. The gap is the lead of a code at the rate-distortion bound of normal weights,
6.02 dB a bit. ``--write`` puts the tables into the plugins' pages.
"""

import argparse
import importlib
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import attrs

from fourcc.format import Format
from fourcc.plugins.registry import registry
from fourcc.testing import Measure, Subject, measured
from tests.markdown import filled

HERE = Path(__file__).resolve().parent
DB_A_BIT = 20 * math.log10(2)
HEAD = ("format", "bits", "SQNR, normal", "Student's t", "gap, normal", "products")


@attrs.frozen
class Plugin:
    """A package beside this file, which need not be installed.

    Attributes:
        folder: its name here.
        place: ``module:attribute`` of the format.
        page: has its table.
        settings: the parameters with which it is measured.
    """

    folder: str
    place: str
    page: str
    settings: tuple[Mapping[str, object], ...] = ({},)

    def load(self) -> Format:
        """The format."""
        sys.path.insert(0, str(HERE / self.folder))
        module, _, name = self.place.partition(":")
        fmt: Format = getattr(importlib.import_module(module), name)
        return fmt


TRELLISES = tuple({"bits": bits, "block": block} for bits in (4, 3, 2) for block in (256, 1024))
PLUGINS = (
    Plugin("fourcc-lc", "fourcc_lc:LC16", "lc16.md"),
    Plugin("fourcc-tcq", "fourcc_tcq:TCQ", "tcq.md", TRELLISES),
)


def table(plugin: Plugin, tick: Callable[[str], object]) -> str:
    """The Markdown table of a plugin: its own lines, then one line for each built-in format."""
    fmt = plugin.load()
    own, others = [], dict[str, Measure]()
    with registry.trying(fmt):
        for settings in plugin.settings:
            first, *nearest = measured(Subject.of(fmt, params=settings), tick)
            own.append(line(first, settings))
            others.update({each.tag: each for each in nearest})
    by_bits = sorted(others.values(), key=lambda each: (-each.bits_per_weight, each.tag))
    head = [f"| {' | '.join(HEAD)} |", f"|---|{'--:|' * (len(HEAD) - 2)}---|"]
    return "\n".join([*head, *own, *(line(each, {}) for each in by_bits)])


def line(each: Measure, settings: Mapping[str, object]) -> str:
    """The row of a format with some settings."""
    name = " ".join([f"`{each.tag}`", *(f"{key} {value}" for key, value in settings.items())])
    gap = DB_A_BIT * each.bits_per_weight - each.sqnr_gauss
    numbers = (f"{number:.2f}" for number in (each.sqnr_gauss, each.sqnr_heavy, gap))
    return f"| {' | '.join([name, f'{each.bits_per_weight:.4g}', *numbers, each.level])} |"


def main(arguments: Iterable[str] | None = None) -> None:
    """Writes the tables to stdout, or into the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into the pages")
    chosen = parser.parse_args(None if arguments is None else list(arguments))
    for plugin in PLUGINS:
        text = table(plugin, lambda tag: sys.stderr.write(f"{tag}\n"))
        page = HERE / plugin.folder / plugin.page
        if chosen.write:
            page.write_text(filled(page.read_text(encoding="utf-8"), "measures", text), encoding="utf-8")
        else:
            sys.stdout.write(f"{plugin.page}\n\n{text}\n\n")


if __name__ == "__main__":
    main()
