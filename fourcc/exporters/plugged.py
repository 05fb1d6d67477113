"""Kinds of files that plugins write; they are looked for where this package has none of the name or suffix."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import pairwise
from math import prod

import attrs

from fourcc.conversion.pipeline import Step
from fourcc.dtypes import itemsize
from fourcc.exporters.layout import ExportKind, FileCut, Layout
from fourcc.plugins.entries import EXPORTERS, Entry
from fourcc.plugins.firewall import behind_firewall, breach
from fourcc.plugins.kinds import KindRegistry, expected
from fourcc.plugins.registry import registry
from fourcc.policy import Policy
from fourcc.sources.source import Source


def plugged_exporters(own: Collection[str]) -> KindRegistry[ExportKind]:
    """The kinds of the installed plugins; `own` are the names of this package's."""
    return KindRegistry("exporter", EXPORTERS, _checked, own)


def _checked(loaded: object, entry: Entry) -> ExportKind:
    """The loaded kind, its functions behind a firewall."""
    kind = expected(loaded, entry, ExportKind)

    def whose(function: str) -> str:
        return f"{function} of the exporter {entry.name} ({entry.owner})"

    replacement, cut = kind.replacement, kind.lay_out_cut
    if replacement is not None:
        replacement = partial(_replaced, behind_firewall(replacement, whose("replacement")), whose("replacement"))
    return attrs.evolve(
        kind,
        holds=behind_firewall(kind.holds, whose("holds")),
        check=behind_firewall(kind.check, whose("check")),
        lay_out=partial(_laid_out, behind_firewall(kind.lay_out, whose("lay_out")), whose),
        lay_out_cut=None if cut is None else partial(_laid_out, behind_firewall(cut, whose("lay_out_cut")), whose),
        replacement=replacement,
    )


def _replaced(
    function: Callable[[Source, tuple[Step, ...], int | None], object],
    whose: str,
    source: Source,
    steps: tuple[Step, ...],
    group: int | None,
) -> Policy:
    policy = function(source, steps, group)
    if not isinstance(policy, Policy):
        raise breach(whose, f"a {type(policy).__name__}", "a fourcc.Policy")
    return policy


def _laid_out(
    function: Callable[..., object],
    whose: Callable[[str], str],
    source: Source,
    steps: tuple[Step, ...],
    *cut: FileCut,
) -> Layout:
    """The layout that a plugin's `lay_out` returns, checked, its readers behind a firewall."""
    layout = function(source, steps, *cut)
    if not isinstance(layout, Layout):
        raise breach(whose("lay_out"), f"a {type(layout).__name__}", "a fourcc.Layout")
    problem = next(_problems(layout), None)
    if problem is not None:
        raise breach(whose("lay_out"), problem)
    given = {id(step.source) for step in steps}
    return attrs.evolve(layout, steps=tuple(_read_behind_firewall(step, given, whose("read")) for step in layout.steps))


def _read_behind_firewall(step: Step, given: Collection[int], whose: str) -> Step:
    if id(step.source) in given:  # it is read as the source reads it
        return step
    read = behind_firewall(step.source.read, whose, alone=False)
    return attrs.evolve(step, source=attrs.evolve(step.source, read=read))


def _problems(layout: Layout) -> Iterator[str]:
    """Reasons why a layout cannot be written."""
    yield from (f"{name!r} is no name of a file beside it" for name in layout.beside if not _plain(name))
    blobs = {"a piece": layout.pieces.values(), "a file beside it": layout.beside.values()}
    yield from (f"{what} is no bytes" for what, values in blobs.items() if {type(each) for each in values} - {bytes})
    runs = [(offset, offset + len(piece), "a piece") for offset, piece in layout.pieces.items()]
    for step in layout.steps:
        name, fmt = step.source.name, registry[step.decision.tag]
        for part, shape in fmt.part_shapes(step.source.shape, step.decision.params).items():
            at = layout.places.get(name, {}).get(part)
            if at is None:
                yield f"no place for {part!r} of {name!r}"
                return
            nbytes = prod(shape) * next(itemsize(each.dtype) for each in fmt.parts if each.name == part)
            runs.append((at, at + nbytes, f"{part!r} of {name!r}"))
    runs.sort()
    for (_, end, what), (start, _, other) in pairwise(runs):
        if start < end:
            yield f"{other} begins at {start}, before the end {end} of {what}"
    if runs and (runs[0][0] < 0 or max(end for _, end, _ in runs) > layout.nbytes):
        yield f"bytes beyond the file's {layout.nbytes}"


def _plain(name: str) -> bool:
    return name not in {"", ".", ".."} and "/" not in name and "\0" not in name
