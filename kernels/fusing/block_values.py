"""Arrays that stand for the values of many blocks while a block decoder runs on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import numpy as np

from fourcc.kernels.descriptors import Array
from fourcc.kernels.fusing.block_operations import (
    BlockDecoderError,
    OfBlocks,
    applied,
    as_float,
    looked_up,
    operand,
    stacked,
    where,
)

KEPT = {"astype", "copy", "max", "mean", "min", "prod", "sum", "view"}  # methods that mean the same for a vector
INSTEAD = "write np.where(condition, a, b), which chooses a value"


class BlockArray(OfBlocks):
    """Values (blocks,) or vectors (entries, blocks) of integers, float32 or bool, with the meaning of traces.

    An operation on integers gives the integers of a dtype in which it is exact; from int64 on, it wraps around.

    The last axis may have one entry, which stands for all blocks.
    """

    @classmethod
    def of(cls, given: Any) -> BlockArray:
        """Numbers of any dtype as integers, float32 or bool; a copy where the dtype changes."""
        array = np.asarray(given)
        kind = {"f": np.float32, "u": np.int64 if array.dtype.itemsize == 8 else None}.get(array.dtype.kind)
        return (array if kind is None else array.astype(kind, copy=False)).view(BlockArray)

    @classmethod
    def of_list(cls, values: list[Any]) -> BlockArray:
        """A list of values as a vector."""
        return cls.of(operand(values))

    # -- numpy's functions, and through them Python's operators

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        options.pop("out", None)  # nothing is changed in place, as in a trace
        if method == "reduce":
            return self._reduced(ufunc, inputs[0], options)
        if method != "__call__":
            raise BlockDecoderError(f"np.{ufunc.__name__}.{method} of values of blocks")
        made = applied(ufunc, [operand(each) for each in inputs], options)
        return tuple(map(BlockArray.of, made)) if isinstance(made, tuple) else BlockArray.of(made)

    def _reduced(self, ufunc: np.ufunc, array: Any, options: dict[str, Any]) -> BlockArray:
        """A vector's entries joined one by one, from the first; numpy's order would depend on the number of blocks."""
        if options.get("axis") not in {None, 0} or not isinstance(array, BlockArray) or array.ndim != 2:
            raise BlockDecoderError(f"np.{ufunc.__name__}.reduce of values of blocks, but for the entries of a vector")
        return reduce(ufunc, array)  # type: ignore[no-any-return]  # an array of blocks

    def __array_function__(self, function: Any, _: Any, given: Any, options: Any) -> Any:
        if function in FUNCTIONS:
            return FUNCTIONS[function](*given, **options)
        raise BlockDecoderError(f"np.{function.__name__} of values of blocks")

    def sum(self, *_: Any, **__: Any) -> Any:
        """The sum of a vector's entries, from the first to the last."""
        return np.add.reduce(self)

    def min(self, *_: Any, **__: Any) -> Any:
        """The least entry of a vector."""
        return np.minimum.reduce(self)

    def max(self, *_: Any, **__: Any) -> Any:
        """The largest entry of a vector."""
        return np.maximum.reduce(self)

    def mean(self, *_: Any, **__: Any) -> Any:
        """The sum of a vector's entries, divided by their number."""
        return self.sum() / len(self)

    def __pow__(self, other: Any, modulo: Any = None) -> Any:
        return np.power(self, other)  # without numpy's shortcuts

    def __rpow__(self, other: Any, modulo: Any = None) -> Any:
        return np.power(other, self)

    __ipow__ = __pow__

    @property
    def size(self) -> int:
        """The number of a vector's entries."""
        return len(self)

    def astype(self, dtype: Any, *_: Any, **__: Any) -> BlockArray:
        """To float32, or to an integer of which the dtype's number of bits remains."""
        given = np.dtype(dtype)
        if given.kind == "f" and given != np.float32:
            raise BlockDecoderError(f"a value becomes {given}, of floats there is float32 alone")
        plain = operand(self)
        return BlockArray.of(plain != 0 if given.kind == "b" else plain.astype(given))

    # -- entries

    def __len__(self) -> int:
        if self.ndim != 2:
            raise BlockDecoderError("a value is taken for a vector: it is a single number")
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[at] for at in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        """Entries of a vector."""
        count = len(self)
        if isinstance(index, BlockArray):
            rows = operand(index)
            found = np.take_along_axis(operand(self), rows if rows.ndim == 2 else rows[None], axis=0)
            return BlockArray.of(found if rows.ndim == 2 else found[0])
        if isinstance(index, (int, np.integer)) and not -count <= index < count:
            raise IndexError(f"entry {index} of {count}")
        if not isinstance(index, (int, np.integer, slice, list, np.ndarray, type(Ellipsis))):
            raise BlockDecoderError(f"an entry is chosen by a {type(index).__name__}")
        return np.asarray(self)[index].view(BlockArray)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise BlockDecoderError("an entry of a vector is written: only weights are")

    def _refuse(self, *_: Any) -> Any:
        raise BlockDecoderError(
            f"what it does depends on values of blocks (if, and, or, not, while, int, float, math.exp): {INSTEAD}"
        )

    __bool__ = __int__ = __float__ = __index__ = _refuse


def _unknown(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise BlockDecoderError(f"{name} of values of blocks")

    return refuse


for _name in vars(np.ndarray):  # the others would mix blocks
    if not _name.startswith("_") and callable(getattr(np.ndarray, _name)) and _name not in KEPT:
        setattr(BlockArray, _name, _unknown(_name))


class StoredBook(BlockArray):
    """A part of the whole matrix, (count, 1): values choose its entries."""

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, BlockArray):
            return BlockArray.of(looked_up(operand(self)[:, 0], operand(index)))
        return super().__getitem__(index)


class NamedArray(np.ndarray[Any, Any]):
    """An array that the function names: one of numpy's, whose entries values choose as well."""

    @classmethod
    def of(cls, values: Array) -> NamedArray:
        """The stand-in for an array."""
        return values.view(cls)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, BlockArray) and self.ndim == 1:
            return _from_table(np.asarray(self), index)
        keys = index if isinstance(index, tuple) else (index,)
        if any(isinstance(key, BlockArray) for key in keys):
            return _from_several(np.asarray(self), keys)
        found = super().__getitem__(index)
        return int(found) if isinstance(found, np.integer) else found


class BlockWeights:
    """The weights of many blocks, (width, blocks), while a function writes them."""

    def __init__(self, out: Array) -> None:
        self._out, self._written = out, np.zeros(len(out), bool)

    @property
    def shape(self) -> tuple[int]:
        """The weights have one dimension, as those of one block."""
        return (len(self._out),)

    def __len__(self) -> int:
        return len(self._out)

    def __iter__(self) -> Iterator[Any]:
        return (self[at] for at in range(len(self)))

    def __setitem__(self, index: Any, value: Any) -> None:
        self._check(index)
        given = operand(value)
        if isinstance(given, np.ndarray) and given.ndim > 1 and isinstance(index, (int, np.integer)):
            if len(given) != 1:
                raise BlockDecoderError(f"weight {index} is set to {len(given)} entries: write [0], or another entry")
            given = given[0]
        count = self._written[index].size
        if isinstance(given, np.ndarray) and given.ndim > 1 and len(given) not in {1, count}:
            raise BlockDecoderError(f"{count} weights are set to {len(given)} entries")
        self._out[index] = as_float(given)
        self._written[index] = True

    def __getitem__(self, index: Any) -> Any:
        self._check(index)
        if not self._written[index].all():
            raise BlockDecoderError("it reads a weight before it writes it")
        return self._out[index].copy().view(BlockArray)

    def _check(self, index: Any) -> None:
        if isinstance(index, BlockArray):
            raise BlockDecoderError("a weight is chosen by a value")
        if isinstance(index, (int, np.integer)) and not -len(self) <= index < len(self):
            raise IndexError(f"weight {index} of {len(self)}")

    def first_unwritten(self) -> int | None:
        """The first weight that was not written, if there is one."""
        missing = np.flatnonzero(~self._written)
        return int(missing[0]) if len(missing) else None


# -- functions of numpy that are not its element-by-element ones


def _where(condition: Any, *choices: Any) -> BlockArray:
    if len(choices) != 2:
        raise BlockDecoderError("np.where takes a condition and two values")
    return BlockArray.of(where(*(operand(each) for each in (condition, *choices))))


def _clip(value: Any, a_min: Any = None, a_max: Any = None, **options: Any) -> Any:
    least, most = options.pop("min", a_min), options.pop("max", a_max)
    low = value if least is None else np.maximum(value, least)
    return low if most is None else np.minimum(low, most)


def _concatenated(vectors: Any, axis: int = 0) -> BlockArray:
    if axis not in {0, -1}:
        raise BlockDecoderError("np.concatenate along another axis")
    return BlockArray.of(stacked([operand(each) for vector in vectors for each in vector]))


def _repeated(vector: Any, repeats: int) -> BlockArray:
    return BlockArray.of(np.repeat(operand(vector), repeats, axis=0))


def _tiled(vector: Any, reps: int) -> BlockArray:
    return BlockArray.of(np.tile(operand(vector), (reps, 1)))


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where,
    np.clip: _clip,
    np.concatenate: _concatenated,
    np.repeat: _repeated,
    np.tile: _tiled,
    np.sum: BlockArray.sum,
    np.min: BlockArray.min,
    np.max: BlockArray.max,
    np.mean: BlockArray.mean,
}


def _from_table(table: Array, index: BlockArray) -> BlockArray:
    return BlockArray.of(looked_up(operand(BlockArray.of(table)), operand(index)))


def _from_several(table: Array, keys: tuple[Any, ...]) -> BlockArray:
    """Entries of an array of several dimensions; the axis of the blocks becomes the last one."""
    index = tuple(np.asarray(key) if isinstance(key, BlockArray) else key for key in keys)
    axis = max(key.ndim for key in keys if isinstance(key, BlockArray)) - 1
    return BlockArray.of(np.moveaxis(table[index], axis, -1))
