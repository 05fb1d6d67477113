"""One format of each kind of kernel and block: for checks that are too dear to be made of every format at every run."""

from collections.abc import Iterable

import pytest

from fourcc import compute
from fourcc.plugins.registry import registry
from tests.kernels.short_products import TAGS

# Checks that compile all of a format's kernels, some of them anew, or that take long: a run without further words makes
# them of one format of each kind. `tests/kernels` asks the same of every kernel.
DEAR = {
    *("bounds checked", "uncompiled", "processes", "threads of a product"),
    *("damaged parts", "decode, then multiply", "each column", "threads"),
}
# Of these a run without further words makes only the checks of one format: the first compiles every kernel of a format
# anew, which no cache shares; the others repeat products in processes that may crash. Thorough runs make them of all.
DEAREST, FEW = {"bounds checked", "damaged parts", "decode, then multiply", "each column"}, {"IQ4N"}


# Thorough runs have them: the code of TC3 with another number of bits; of IQ2Y with other sets of points and places of
# their bits; of Q2_0 in wider blocks, of digits of base 3; of NVF4 with its scales in a part of their own; of Q4_X and
# Q8_X in rows whose scales lie elsewhere; of Q8_G with more operations a weight.
TWINS = {"TC2", "TC4", "IQ1M", "IQ1S", "IQ2S", "IQ2X", "IQ3S", "IQ3Y", "TQ1", "TQ2", "NV4T"}
TWINS |= {"Q4_L", "Q8_L", "Q8_R", "F8_G"}


def marked(tags: Iterable[object]) -> list[object]:
    """The tags as parameters of tests, those of twins marked."""
    return [pytest.param(tag, marks=pytest.mark.thorough) if str(tag) in TWINS else tag for tag in tags]


def is_thorough(check: str, tag: str, sample: Iterable[str]) -> bool:
    """Whether a check of a format is left to thorough runs."""
    return tag in TWINS or (check in DEAR and tag not in (FEW if check in DEAREST else sample))


def kind(tag: str) -> tuple[object, ...]:
    """The properties that decide which code a format's products and parts go through."""
    found = registry[tag]
    kernel = compute.kernel_of(found)
    cols = found.block[1]
    width = "one" if cols == 1 else "row" if cols is None else "group" if isinstance(cols, str) else "block"
    return kernel.level, kernel.pack is not None, width


def of_each_kind(tags: Iterable[str]) -> list[str]:
    """The first format of each kind that is no twin of another."""
    first: dict[tuple[object, ...], str] = {}
    for tag in tags:
        if tag not in TWINS:
            first.setdefault(kind(tag), tag)
    return list(first.values())


SOME = [*of_each_kind(TAGS[:-1]), TAGS[-1]]  # of the formats of `compact`, the plugin's among them
