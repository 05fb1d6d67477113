"""Stand-ins for what a block decoder reads and writes: the entries of parts, tables of its module, the weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fourcc.kernels.descriptors import Array
from fourcc.kernels.fusing.integer_ranges import in_words
from fourcc.kernels.fusing.ir import Trace, UntraceableError, in_32_bits
from fourcc.kernels.fusing.packed_codes import PackedCodes
from fourcc.kernels.fusing.values import Value
from fourcc.kernels.fusing.vectors import Vector, listed, place, places


@dataclass(frozen=True)
class TracedPart:
    """A part of the format, as the block decoder sees it.

    Attributes:
        index: the part's number.
        dtype: of an entry.
        count: entries of a block; for a part of a row or of the whole matrix, all its entries.
        offset: bytes from the start of the block's bytes to the first entry.
        whole: whether the part belongs to the whole matrix, so that a value may index it.
        name: for messages.
        stride: bytes from a block's entries to the next block's; 0 where blocks share them. Packed codes need none.
        scalar: whether the decoder takes the only entry itself.
        packing: how codes are packed; None: entries are plain numbers.
        shared: whether all blocks share the packed codes.
    """

    index: int
    dtype: str
    count: int
    offset: int = 0
    whole: bool = False
    name: str = ""
    stride: int = 0
    scalar: bool = False
    packing: PackedCodes | None = None
    shared: bool = False

    def argument(self, trace: Trace, block: int) -> Value | PartEntries:
        """The part of one of several blocks, as the decoder takes it."""
        entries = PartEntries(trace, self, block)
        return entries.at(0) if self.scalar else entries


class PartEntries(Vector):
    """Stands for a part's entries of one block; an entry is read when it is first asked for."""

    def __init__(self, trace: Trace, part: TracedPart, block: int = 0) -> None:
        super().__init__(trace, (), part.name)
        self._part, self._block = part, block

    def __len__(self) -> int:
        return self._part.count

    @property
    def called(self) -> str:
        """The part, as messages call it."""
        return f"part {self.name!r}" if self.name else "a part"

    def at(self, index: int) -> Value:
        """An entry by its number."""
        part = self._part
        if part.packing is not None:
            return self._code(part.packing, index)
        name = "part_entry" if part.whole else "load"
        offset = part.offset + self._block * part.stride + index * np.dtype(part.dtype).itemsize
        return _entry(self.trace, part.dtype, name, part.index, part.dtype, offset)

    def _code(self, packing: PackedCodes, index: int) -> Value:
        part = self._part
        number = index + (0 if part.shared else self._block * part.count)
        bounds = (0, packing.largest)
        if packing.digits:
            byte, digit = divmod(number, packing.digits)
            divisor = packing.base**digit
            return Value.whole(self.trace, "digit", bounds, part.index, part.offset + byte, divisor, packing.base)
        bit = 8 * part.offset + packing.first_bit(number)
        return Value.whole(self.trace, "bits", bounds, part.index, bit, packing.bits)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, (Value, Vector)):
            return super().__getitem__(index)
        part = self._part
        if not part.whole or part.packing is not None:
            raise UntraceableError(f"an entry of {self.called} is chosen by a value: only parts of the matrix allow it")
        if part.offset:
            raise UntraceableError(f"an entry of a record, {self.called}, is chosen by a value")

        def chosen(each: Value) -> Value:
            at = _index(each, part.count, self.called)
            return _entry(self.trace, part.dtype, "part_table", part.index, part.dtype, part.count, at)

        return _for_each(chosen, index)


def _for_each(chosen: Any, index: Value | Vector) -> Any:
    """A value, or a vector of values, that are chosen by a value or a vector."""
    if isinstance(index, Value):
        return chosen(index)
    return Vector(index.trace, [chosen(each) for each in index], index.name)


def _entry(trace: Trace, dtype: str, name: str, *arguments: object) -> Value:
    """The value of an instruction that reads an entry of a dtype; it does not wrap around at the dtype's few bits."""
    given = np.dtype(dtype)
    if given.kind not in "fiu" or given.itemsize > 4:
        raise UntraceableError(f"entries of {dtype}")
    if given.kind == "f":
        return Value.real(trace, name, *arguments)
    info = np.iinfo(given)
    return Value.whole(trace, name, (int(info.min), int(info.max)), *arguments)


def _index(index: Value, count: int, called: str) -> int:
    """The instruction that computes an index into `count` entries; a negative index counts from the end."""
    index = index.as_integer()
    low, high = index.held(f"an entry of {called} is chosen by")
    if low < 0 and (low < -count or count & (count - 1)):
        raise UntraceableError(f"an entry of {count} is chosen by an integer of {in_words((low, high))}")
    return index.number


class Table(np.ndarray[Any, Any]):
    """Stands for an array that the function names: one of numpy's, from which values choose as well."""

    @classmethod
    def of(cls, values: Array) -> Table:
        """The stand-in for an array."""
        return values.view(cls)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, (Value, Vector)):
            found = super().__getitem__(index)
            return int(found) if isinstance(found, np.integer) else found  # an int cannot overflow
        if self.ndim != 1 or self.dtype.kind not in "fiu":
            raise UntraceableError(f"an entry of {self.ndim} dimensions of {self.dtype} is chosen by a value")
        values = in_32_bits(np.asarray(self))
        number = index.trace.table(values)
        bounds = None if values.dtype.kind == "f" else (int(values.min()), int(values.max()))  # floats may be infinite

        def chosen(each: Value) -> Value:
            at = _index(each, len(values), "a table")
            if bounds is None:
                return Value.real(index.trace, "table", number, at)
            return Value.whole(index.trace, "table", bounds, number, at)

        return _for_each(chosen, index)


class WeightWriter:
    """Stands for the weights of one of several blocks."""

    def __init__(self, trace: Trace, count: int, block: int = 0) -> None:
        self._trace, self._count, self._first = trace, count, block * count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Value]:
        return (self._read(at) for at in range(self._count))

    @property
    def shape(self) -> tuple[int]:
        """The weights have one dimension."""
        return (self._count,)

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, (int, np.integer)):
            self._write(place(index, self._count, "the weights"), self._single(index, value))
            return
        chosen, given = self._places(index), listed(value)
        if given is None:
            given = [value]
        if len(given) not in {1, len(chosen)}:
            raise UntraceableError(f"{len(chosen)} weights are set to {len(given)} entries{_origin(value)}")
        given = list(given) if len(given) > 1 else [*given] * len(chosen)
        for at, each in zip(chosen, given, strict=True):
            self._write(at, each)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, (int, np.integer)):
            return self._read(place(index, self._count, "the weights"))
        return Vector(self._trace, [self._read(at) for at in self._places(index)])

    def _places(self, index: Any) -> Any:
        if isinstance(index, (Value, Vector)):
            raise UntraceableError("a weight is chosen by a value")
        return places(index, self._count, "the weights")

    def _single(self, index: Any, value: Any) -> Any:
        given = listed(value) if isinstance(value, (Vector, np.ndarray)) else None
        if given is None:
            return value
        if len(given) != 1:
            advice = f": write {value.name}[0], or another entry" if getattr(value, "name", "") else ""
            raise UntraceableError(f"weight {index} is set to {len(given)} entries{_origin(value)}{advice}")
        return next(iter(given))

    def _write(self, at: int, value: Any) -> None:
        self._trace.results[self._first + at] = Value.of(self._trace, value).as_float().number

    def _read(self, at: int) -> Value:
        if self._first + at not in self._trace.results:
            raise UntraceableError(f"it reads weight {at} before it writes it")
        return Value(self._trace, self._trace.results[self._first + at], None)


def _origin(value: Any) -> str:
    name = getattr(value, "name", "")
    return f" of part {name!r}" if name else ""
