"""The plan of a run, read from texts and checked before anything is compiled."""

from __future__ import annotations

import re

import attrs

from fourcc import compute
from fourcc.bench import machine
from fourcc.errors import UsageError
from fourcc.format import Format
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from fourcc.threads import thread_count

MOST_ACTIVATIONS = 512  # of one product
MOST_SIZE = 1 << 20  # rows, or columns
SHAPES = ((4096, 4096), (4096, 11008))
COUNTS = (1, 4, 512)
ROTATION = 250_000_000  # least bytes that products go through before a matrix comes again: more than a cache holds
QUICK_SHAPES = ((256, 512),)
QUICK_ROTATION = 1_000_000

Shape = tuple[int, int]


@attrs.frozen
class BenchPlan:
    """Formats, shapes and numbers to measure.

    Attributes:
        formats: with a kernel or not.
        shapes: rows and columns of the matrices.
        threads: numbers of threads.
        counts: numbers of activations.
        rotation: bytes of the different matrices of each format.
        rounds: turns of each series.
        peers: whether other projects' kernels are measured too.
    """

    formats: tuple[Format, ...]
    shapes: tuple[Shape, ...] = SHAPES
    threads: tuple[int, ...] = (1,)
    counts: tuple[int, ...] = COUNTS
    rotation: int = ROTATION
    rounds: int = 7
    peers: bool = False


def make(
    *,
    formats: str | None = None,
    shapes: str | None = None,
    threads: str | None = None,
    counts: str | None = None,
    quick: bool = False,
    peers: bool = False,
) -> BenchPlan:
    """A plan from comma lists.

    Args:
        formats: tags; None: all that have a kernel.
        shapes: as ``4096x11008``, rows and columns.
        threads: numbers; None: from 1 to the cores that this process may use.
        counts: numbers of activations.
        quick: small matrices and few repeats, to see that everything works.
        peers: whether other projects' kernels are measured too.

    Raises:
        UsageError: something cannot be measured.
        PluginError: a format is missing or broken.
    """
    return BenchPlan(
        formats=formats_of(formats),
        shapes=_shapes(shapes) if shapes is not None else QUICK_SHAPES if quick else SHAPES,
        threads=threads_of(threads),
        counts=_numbers(counts, "activations", MOST_ACTIVATIONS) if counts is not None else COUNTS,
        rotation=QUICK_ROTATION if quick else beyond_caches(machine.last_level_cache()),
        rounds=2 if quick else 7,
        peers=peers,
    )


def beyond_caches(cache: int) -> int:
    """Bytes of a rotation, from those of the largest cache: a quarter more, so that little of it stays there."""
    return max(ROTATION, cache + cache // 4)


def items(text: str) -> tuple[str, ...]:
    """The items of a comma list, without repetitions.

    Raises:
        UsageError: the list is empty.
    """
    names = tuple(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))
    if not names:
        raise UsageError("the list is empty", found=repr(text))
    return names


def threads_of(text: str | None) -> tuple[int, ...]:
    """Numbers of threads from a comma list; None: 1 to the usable cores. Raises UsageError for any other text."""
    return tuple(range(1, thread_count() + 1)) if text is None else _numbers(text, "threads", 1024)


def formats_of(text: str | None) -> tuple[Format, ...]:
    """Formats from a comma list of tags; None: all with a kernel. Raises UsageError or PluginError."""
    if text is None:
        able = (fmt for fmt, _ in registry.working() if fmt.encode is not None and not fmt.needs)
        return tuple(fmt for fmt in able if compute.why_decoded(fmt) is None)
    try:
        formats = tuple(registry[as_tag(each)] for each in items(text))
    except ValueError as error:
        raise UsageError(str(error), hint="`fourcc formats` lists them.") from error
    for fmt in formats:
        if fmt.encode is None or fmt.needs:
            raise UsageError(f"the format {fmt.tag} cannot encode random weights", hint="Leave it out.")
    return formats


def _shapes(text: str) -> tuple[Shape, ...]:
    return tuple(map(_shape, items(text)))


def _shape(text: str) -> Shape:
    match = re.fullmatch(r"(\d{1,7})\s*[xX×]\s*(\d{1,7})", text, re.ASCII)  # noqa: RUF001 - the sign itself
    rows, cols = map(int, match.groups()) if match else (0, 0)
    if not (1 <= rows <= MOST_SIZE and 1 <= cols <= MOST_SIZE):
        raise UsageError("bad shape", found=repr(text), expected="rows x columns, as 4096x11008")
    return rows, cols


def _numbers(text: str, what: str, most: int) -> tuple[int, ...]:
    for each in items(text):
        if not each.isascii() or not each.isdigit() or not 1 <= int(each) <= most:
            raise UsageError(f"bad number of {what}", found=each, expected=f"1 to {most}")
    return tuple(map(int, items(text)))
