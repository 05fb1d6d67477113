"""The causes of a breach by an encoder, told from its own return value: the part, the place, and the author's line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.block_encoding import encode_rows
from fourcc.block_layout import BreachError
from fourcc.dtypes import numpy_dtype
from fourcc.format import Blocks, Format
from fourcc.part import Part
from fourcc.testing.finding import Finding, FoundError, attempt, defined, shown_kind
from fourcc.testing.subject import Subject
from fourcc.testing.weights import described


def parts_of(subject: Subject, w: Array, what: str = "") -> Parts:
    """The parts of one matrix as the format's encoder gives them; nothing is decoded.

    Raises:
        FoundError: the encoder raises, or returns something else than the format declares.
    """
    encoder, fmt = subject.encoder((w.shape[0], w.shape[1])), subject.format
    tried = f"encode{subject.settled()} {described(w, what)}"
    shared = attempt(lambda: encoder.prepare(lambda a, b: w[a:b]), tried=f"prepare, to {tried}")
    told: list[tuple[Blocks, object]] = []

    def spied(blocks: Blocks) -> Parts:
        assert fmt.encode is not None
        told.append((blocks, fmt.encode(blocks)))
        return told[-1][1]  # type: ignore[return-value]  # the core checks it

    rows = w.view()
    rows.flags.writeable = False
    seen = attrs.evolve(fmt, encode=spied)
    call = partial(encode_rows, seen, rows, shared, encoder.geom, subject.options, encoder.aids)
    try:
        parts = attempt(call, tried=tried, cause=subject.trouble(w.shape))
    except FoundError as error:
        if not isinstance(error.__cause__, BreachError):
            raise
        finding = next(_breaches(fmt, *told[-1]), error.finding)
        raise FoundError(attrs.evolve(finding, tried=tried, found=f"{finding.found}{_by(fmt)}")) from error
    for part in fmt.parts:
        array, dtype = np.asarray(parts[part.name]), numpy_dtype(part.dtype)
        shape = array.shape if part.variable else part.shape(encoder.geom)
        if (array.shape, array.dtype) != (shape, dtype):
            raise FoundError(
                Finding(
                    what=f"part {part.name!r} is not what is declared",
                    tried=tried,
                    found=f"{shown_kind(array)} for part {part.name!r}{_by(fmt)}",
                    expected=f"{shape} {dtype}",
                    cause=subject.trouble(w.shape),
                )
            )
    return parts


def _by(fmt: Format) -> str:
    place = defined(fmt.encode)
    return f", by `encode`, {place}" if place else ""


def _breaches(fmt: Format, blocks: Blocks, returned: object) -> Iterator[Finding]:
    """Findings for what an encoder returned, the gravest first."""
    if not isinstance(returned, Mapping):
        advice = "Return a dictionary: the name of each part, and its array."
        yield Finding(what="`encode` returns no parts", found=shown_kind(returned), expected="parts", advice=advice)
        return
    declared = [each for part in fmt.parts for each in part.fields or (part,)]
    names = {part.name for part in declared}
    for name in sorted(names - set(returned)):
        advice = f"Return it with every call, or take it out of `parts`: {_listed(names)}."
        yield Finding(
            what=f"`encode` gives no part {name!r}", found=_parts(returned), expected=_parts(names), advice=advice
        )
    for name in sorted(map(str, set(returned) - names)):
        advice = f"Declare it in `parts`, or leave it out: {_listed(names)}."
        yield Finding(
            what=f"`encode` gives a part {name!r} that is not declared",
            found=_parts(returned),
            expected=_parts(names),
            advice=advice,
        )
    for part in declared:
        if part.name in returned:
            yield from _wrong_part(part, blocks, np.asarray(returned[part.name]))


def _parts(names: Mapping[str, object] | set[str]) -> str:
    return f"parts {sorted(map(str, names))}"


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _wrong_part(part: Part, blocks: Blocks, array: Array) -> Iterator[Finding]:
    """Findings for one returned array: its shape, its dtype, and its largest and smallest entry."""
    dtype, shape = numpy_dtype(part.dtype), _shape(part, blocks)
    if shape is not None and array.shape != shape:
        yield Finding(
            what=f"part {part.name!r} has another shape than declared",
            found=f"{array.shape} {array.dtype} for part {part.name!r}",
            expected=f"{shape} {dtype}{_meaning(part)}",
            cause=_why_shape(part, blocks, array, shape),
            advice="For each block an entry; for each weight a code. `blocks.w` is (blocks, weights of a block).",
        )
    elif dtype.kind in "iub" and array.dtype.kind not in "iub":
        yield Finding(
            what=f"part {part.name!r} holds {array.dtype}, not integers",
            found=f"{array.dtype} for part {part.name!r}",
            expected=str(dtype),
            cause="np.rint, np.round and a division give floats",
            advice=f"End with `.astype(np.{dtype.name})`.",
        )
    elif dtype.kind in "iu" and array.size:
        yield from _out_of_range(part, array)


def _out_of_range(part: Part, array: Array) -> Iterator[Finding]:
    """The finding for an integer that its part cannot hold."""
    limits = np.iinfo(numpy_dtype(part.dtype))
    low, high = (0, part.packing.top) if part.packing is not None else (int(limits.min), int(limits.max))
    wrong = (array < low) | (array > high)
    if wrong.any():
        at = tuple(int(each) for each in np.argwhere(wrong)[0])
        place = f"block {at[0]}" + (f", weight {at[1]}" if len(at) > 1 else "")
        yield Finding(
            what=f"part {part.name!r} cannot hold {int(array[at])}",
            found=f"{int(array.min())} .. {int(array.max())} in part {part.name!r}, first in {place}",
            expected=f"{low} .. {high}",
            cause=_cause_of_range(int(array[at]), high) if part.packing else "",
            advice=f"Clip: `codes.clip({low}, {high})`; or give the part more bits.",
        )


def _cause_of_range(code: int, top: int) -> str:
    """Why a packed part is given a code that it cannot hold."""
    if code < 0:
        return "codes are unsigned: add what makes the least one 0, and subtract it in the decoder"
    return "the code of the largest weight, or of one that rounds up, is one too many" if code == top + 1 else ""


def _shape(part: Part, blocks: Blocks) -> tuple[int, ...] | None:
    """The shape in which an encoder returns a part for these blocks; None where anything may come."""
    if part.reach == "block":
        return (len(blocks.w), *part.dims)
    if part.reach == "weight":
        return blocks.w.shape
    return None if part.reach in {"free", "ragged"} else part.shape(blocks.geom)


def _meaning(part: Part) -> str:
    words = {"block": "blocks", "weight": "blocks, weights", "row": "rows", "column": "cols"}
    dims = ", ".join(map(str, part.dims))
    return f" ({', '.join(filter(None, (words[part.reach], dims)))})" if part.reach in words else ""


def _why_shape(part: Part, blocks: Blocks, array: Array, shape: tuple[int, ...]) -> str:
    """The most likely reason for a wrong shape."""
    if array.shape == shape[::-1] and len(shape) > 1:
        return "it is transposed"
    if array.shape == (*shape, 1) or (array.ndim == len(shape) + 1 and array.size == np.prod(shape)):
        return "an axis of 1 was kept (keepdims=True, or [:, None])"
    if part.reach == "weight" and array.shape == blocks.rows.shape:
        return "it has the shape of the rows; the core cuts them into blocks, and puts the blocks together again"
    if part.packing is not None and array.size < np.prod(shape):
        return "the codes are packed already: the core packs them"
    if array.shape[:1] == shape[:1] and blocks.w.shape[1] != part.block[1]:
        wide = blocks.w.shape[1]
        return f"the last block of a row is short, and comes as it is: {wide} weights, `blocks.w.shape[1]`"
    return ""
