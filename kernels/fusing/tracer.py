"""Traces a block decoder, a function written for plain numbers, into a list of instructions.

The tracer runs the function with stand-ins for its arguments, once for each of several neighbouring blocks. The
stand-ins record every operation; loops unroll. The result is straight-line code in which a value may as well be a
vector of sixteen rows, and `fourcc.kernels.fusing.fused` builds products from it. A function whose control flow depends
on data cannot be traced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from fourcc.kernels.fusing.ir import BeyondError, Trace, UntraceableError
from fourcc.kernels.fusing.sources import Table, TracedPart, WeightWriter
from fourcc.kernels.fusing.stand_ins import StandIn
from fourcc.kernels.fusing.values import Value
from fourcc.kernels.fusing.vectors import Vector, uniform

BlockDecoder = Callable[..., None]  # (part, …, weights): the number of parts, and so of arguments, is the format's
TracedArgument = TracedPart | Sequence[tuple[str, TracedPart]]  # a part, or the fields of a record by name


def trace(
    function: BlockDecoder,
    parts: Sequence[TracedArgument],
    width: int,
    params: Mapping[str, object] | None = None,
    blocks: int = 1,
) -> Trace:
    """The instructions of a block decoder.

    Args:
        function: (part, …, weights) writes the weights of one block; a part of records is a mapping of its fields.
        parts: the parts of one block, or the fields of a record, by name.
        width: weights of one block.
        params: the layout's parameters, which the function takes by name.
        blocks: neighbouring blocks that are decoded together, so that the trace has `blocks` times `width` weights.

    Raises:
        UntraceableError: the function cannot be traced, or leaves a weight unwritten; the message has file and line.
        IndexError: it reads an entry, or writes a weight, that the block does not have; the message likewise.
        TypeError: it does not take these arguments.
    """
    recorded = Trace()
    try:
        copy = stand_in(function, recorded)
    except TypeError as error:
        raise UntraceableError(str(error)) from None
    for block in range(blocks):
        with _refusing(copy):
            arguments = [_argument(recorded, part, block) for part in parts]
            arguments.append(WeightWriter(recorded, width, block))
        copy.bind(arguments, params or {})
        with _refusing(copy):
            copy.function(*arguments, **params or {})
    missing = sorted(set(range(blocks * width)) - set(recorded.results))
    if missing:
        raise UntraceableError(f"{copy.place()}: it leaves weight {missing[0] % width} of {width} unwritten")
    return recorded


def stand_in(function: BlockDecoder, recorded: Trace) -> StandIn:
    """The copy of a function that is traced.

    Raises:
        TypeError: it is no Python function.
    """

    def vector(entries: list[Any]) -> Vector:
        return Vector(recorded, uniform([Value.of(recorded, each) for each in entries]))

    return StandIn(function, (Value, Vector), Table.of, vector)


def _argument(recorded: Trace, part: TracedArgument, block: int) -> object:
    if isinstance(part, TracedPart):
        return part.argument(recorded, block)
    return {name: field.argument(recorded, block) for name, field in part}


@contextmanager
def _refusing(copy: StandIn) -> Iterator[None]:
    """Turns the exceptions of a traced function into UntraceableError, and BeyondError into a plain IndexError."""
    try:
        with np.errstate(all="ignore"):
            yield
    except BeyondError as error:
        raise IndexError(copy.told(error)) from None
    except MemoryError:
        raise
    except Exception as error:
        raise UntraceableError(copy.told(error)) from error
