"""Runs a block decoder on numpy arrays of many blocks: the `decode` of a format that has no other.

It is the function that `fourcc.kernels.fusing.tracer` traces, with the same meaning bit for bit: integers are exact,
floats are float32 and rounded after every operation, an integer or a longer float that meets a float is
rounded to float32 first. What a trace does not know works here as it does in numpy. This module needs numpy alone.

A value of a block is an array (blocks,), a vector an array (entries, blocks), so whole arrays are computed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from fourcc.kernels.descriptors import Array
from fourcc.kernels.fusing.block_operations import BlockDecoderError
from fourcc.kernels.fusing.block_values import BlockArray, BlockWeights, NamedArray, StoredBook
from fourcc.kernels.fusing.stand_ins import StandIn

AT_ONCE = 1 << 17  # weights that are decoded at a time, so that what is computed for them stays in the cache
FEWEST = 1 << 12  # blocks at a time, so that numpy works longer than Python


class MatrixPart:
    """Marks an argument as a part of the whole matrix: a value may index it.

    Args:
        values: the entries, (count,); no dimensions where the decoder takes the only entry itself.
    """

    def __init__(self, values: Array) -> None:
        self.values = np.asarray(values)


BlockArgument = Array | MatrixPart | Mapping[str, Array] | Mapping[str, MatrixPart]


@np.errstate(all="ignore")  # scales may be anything; some machines report a signalling NaN where it is widened
def decode_blocks(
    function: Callable[..., None],
    parts: Sequence[BlockArgument],
    width: int,
    params: Mapping[str, object] | None = None,
    blocks: int | None = None,
    out: Array | None = None,
) -> Array:
    """The weights of many blocks.

    Args:
        function: (part, …, weights) writes the weights of one block.
        parts: in the order of the arguments: (count, blocks), with codes unpacked; (blocks,) for a scalar part; a
            `MatrixPart`; or a mapping of a record's fields. One block stands for all.
        width: weights of a block.
        params: the layout's parameters, which the function takes by name.
        blocks: their number; None: the longest last axis of the parts, or that of `out`.
        out: float32 (width, blocks), which is filled, and is then the result.

    Returns:
        float32 (width, blocks).

    Raises:
        BlockDecoderError: the function raises, leaves a weight unwritten, or is no Python function.
        TypeError: it does not take these arguments.
    """
    if out is None:
        out = np.zeros((width, _counted(parts) if blocks is None else blocks), np.float32)
    count = out.shape[1]
    copy = _copied(function)
    step = max(FEWEST, AT_ONCE // max(width, 1))
    for first in range(0, count, step):
        some = slice(first, min(first + step, count))
        arguments = [_argument(part, some) for part in parts]
        weights = BlockWeights(out[:, some])
        copy.bind([*arguments, weights], params or {})
        _run(copy, [*arguments, weights], params or {})
        missing = weights.first_unwritten()
        if missing is not None:
            raise BlockDecoderError(f"{copy.place()}: it leaves weight {missing} of {width} unwritten")
    return out


@lru_cache(256)
def _copied(function: Callable[..., None]) -> StandIn:
    """The copy of a block decoder that takes arrays; it takes longer to make than some blocks to decode."""
    try:
        return StandIn(function, (BlockArray,), NamedArray.of, BlockArray.of_list)
    except TypeError as error:
        raise BlockDecoderError(str(error)) from None


def _run(copy: StandIn, arguments: Sequence[object], params: Mapping[str, object]) -> None:
    try:
        copy.function(*arguments, **params)
    except MemoryError:
        raise
    except Exception as error:
        raise BlockDecoderError(copy.told(error)) from error


def _counted(parts: Sequence[BlockArgument]) -> int:
    """The number of blocks: the longest last axis."""
    arrays = [each for part in parts for each in (part.values() if isinstance(part, Mapping) else [part])]
    return max((each.shape[-1] for each in arrays if not isinstance(each, MatrixPart)), default=1)


def _argument(part: Any, some: slice) -> Any:
    """A part of some blocks, as the function takes it."""
    if isinstance(part, Mapping):
        return {name: _argument(each, some) for name, each in part.items()}
    if isinstance(part, MatrixPart):
        if not part.values.ndim:
            return BlockArray.of(part.values.reshape(1))
        return BlockArray.of(part.values.reshape(-1, 1)).view(StoredBook)
    numbers = part[..., some] if part.shape[-1] != 1 else part
    return BlockArray.of(numbers if numbers.dtype.kind != "f" else numbers.astype(np.float32, copy=False))
