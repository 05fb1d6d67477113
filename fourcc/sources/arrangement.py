"""Tensors read in another arrangement than they are stored in: rows in another order, several as one, one as several.

Rows move whole, so blocks along them stay as they are, bit for bit. Only numbers that stand by themselves can be read
with columns for rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.sources.extent import ReadRows

# -- orders of rows: for each row of ours, the row of theirs


def halves_order(rows: int, head: int, turned: int) -> Array:
    """The order in which pairs that turn together are neighbours, int64 (rows,).

    transformers turns element i of a head with element i + turned / 2; here the two stand beside each other: row
    ``2 * i + s`` of a head is its row ``s * turned / 2 + i``. Columns that do not turn stay.

    Args:
        rows: of all heads, a multiple of `head`.
        head: rows of one head.
        turned: rows of a head that turn, from its first on; even.
    """
    one = np.arange(head)
    one[:turned] = one[:turned].reshape(2, turned // 2).T.reshape(-1)
    return (np.arange(0, rows, head)[:, None] + one).reshape(-1)


def joined_orders(sizes: Sequence[int], heads: int | None = None, *, alternating: bool = False) -> list[Array]:
    """The rows of each part within the tensor that joins them, int64 (size,) each.

    Args:
        sizes: rows of the parts.
        heads: the parts of each head stand together; None: those of all heads.
        alternating: the parts' rows take turns.
    """
    if alternating:
        return [np.arange(size) * len(sizes) + place for place, size in enumerate(sizes)]
    count = heads or 1
    stride, orders, before = sum(sizes) // count, [], 0
    for size in sizes:
        within = before + np.arange(size // count)
        orders.append((np.arange(count)[:, None] * stride + within).reshape(-1))
        before += size // count
    return orders


def inverse(order: Array) -> Array:
    """The order that undoes a permutation."""
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return back


# -- readers


@attrs.frozen(eq=False)
class Picked:
    """Reads some rows of each matrix, in an order of its own.

    Attributes:
        stored: reads the rows as they are in the file.
        order: the stored row of each row, int64.
        columns: whether columns are picked instead, each a number of its own: of vectors, of norms of each head.
        whole: names of parts that belong to the whole matrix, and stay as they are.
    """

    stored: ReadRows
    order: Array
    columns: bool = False
    whole: frozenset[str] = frozenset()

    def read(self, matrix: int, first: int, last: int) -> Parts:
        """The rows first..last of a matrix: the run of stored rows that holds them is read, then picked from."""
        if self.columns:
            parts = self.stored(matrix, first, last)
            return {name: np.ascontiguousarray(part[:, self.order]) for name, part in parts.items()}
        picked = self.order[first:last]
        begin, end = (int(picked.min()), int(picked.max()) + 1) if picked.size else (0, 0)
        parts = self.stored(matrix, begin, end)
        return {
            name: part if name in self.whole else np.ascontiguousarray(part[picked - begin])
            for name, part in parts.items()
        }


@attrs.frozen(eq=False)
class Merged:
    """Reads several tensors of one format as one, whose rows are theirs.

    Attributes:
        stored: reads each tensor's rows.
        orders: of each tensor, the row of the whole where each of its rows stands, int64.
        columns: whether the tensors are vectors, so columns are merged.
    """

    stored: tuple[ReadRows, ...]
    orders: tuple[Array, ...]
    columns: bool = False

    def read(self, matrix: int, first: int, last: int) -> Parts:
        """The rows first..last of a matrix of the whole."""
        if self.columns:
            return self._placed([read(matrix, first, last) for read in self.stored], self.orders, axis=1)
        within = [np.flatnonzero((order >= first) & (order < last)) for order in self.orders]
        asked = [each for each in zip(self.stored, within, self.orders, strict=True) if each[1].size]
        runs = [_rows(read, matrix, rows) for read, rows, _ in asked]
        return self._placed(runs, [order[rows] - first for _, rows, order in asked], axis=0)

    def _placed(self, parts: list[Parts], places: Sequence[Array], axis: int) -> Parts:
        found = {}
        for name, one in parts[0].items():
            shape = list(one.shape)
            shape[axis] = sum(len(place) for place in places)
            whole = np.empty(shape, one.dtype)
            for part, place in zip(parts, places, strict=True):
                whole[(slice(None),) * axis + (place,)] = part[name]
            found[name] = whole
        return found


def _rows(read: ReadRows, matrix: int, rows: Array) -> Parts:
    """Some rows of a tensor."""
    begin, end = int(rows.min()), int(rows.max()) + 1
    return {name: part[rows - begin] for name, part in read(matrix, begin, end).items()}


@attrs.frozen(eq=False)
class Stack:
    """Reads several matrices as one tensor with a dimension more; of vectors, as the rows of a matrix.

    Attributes:
        stored: reads each.
        vectors: whether they are vectors.
    """

    stored: tuple[ReadRows, ...]
    vectors: bool = False

    def read(self, matrix: int, first: int, last: int) -> Parts:
        """The rows first..last of a matrix."""
        if not self.vectors:
            return self.stored[matrix](0, first, last)
        rows = [read(0, 0, 1) for read in self.stored[first:last]]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


@attrs.frozen(eq=False)
class OneOf:
    """Reads one matrix of a stack, or one row of a matrix as a vector.

    Attributes:
        stored: reads the stack.
        number: of the matrix.
        row: whether it is a row.
    """

    stored: ReadRows
    number: int
    row: bool = False

    def read(self, matrix: int, first: int, last: int) -> Parts:  # noqa: ARG002 - there is one matrix
        """The rows first..last."""
        return self.stored(0, self.number, self.number + 1) if self.row else self.stored(self.number, first, last)


@attrs.define(eq=False)
class Turned:
    """Reads matrices of plain numbers with columns for rows.

    A row needs all stored rows, so the last matrix is kept until all its rows were read, or another is asked for.

    Attributes:
        stored: reads the rows as they are in the file.
        rows: stored rows of a matrix.
    """

    stored: ReadRows
    rows: int
    _last: tuple[int, Parts] | None = None
    _served: int = 0
    _lock: Lock = attrs.field(factory=Lock, repr=False)

    def read(self, matrix: int, first: int, last: int) -> Parts:
        """The rows first..last of a turned matrix."""
        with self._lock:
            if self._last is None or self._last[0] != matrix:
                self._last = matrix, {name: part.T for name, part in self.stored(matrix, 0, self.rows).items()}
                self._served = 0
            kept = self._last[1]
            self._served += last - first
            if self._served >= max(map(len, kept.values())):
                self._last = None
        return {name: np.ascontiguousarray(part[first:last]) for name, part in kept.items()}


@attrs.frozen(eq=False)
class Shifted:
    """Reads float32 numbers, each with a number added in float32.

    Attributes:
        stored: reads the numbers.
        by: what is added.
    """

    stored: ReadRows
    by: float

    def read(self, matrix: int, first: int, last: int) -> Parts:
        """The rows first..last."""
        return {name: part + np.float32(self.by) for name, part in self.stored(matrix, first, last).items()}
