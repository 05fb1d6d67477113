"""Integer codes with a scale and a zero point for each group of columns, whatever order a file has them in.

A weight is scale * (code - zero): first the difference, which is exact, then one product, in float32. With a float16 or
bfloat16 scale that product is exact, too; programs that compute in the scale's type round it to that type.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import attrs
import numpy as np

from fourcc.arrays import Array
from fourcc.sources.extent import foreign_format
from fourcc.sources.packed_words import Affine, Rows
from fourcc.sources.weight_only.module import FLOATS, INT32, INTEGERS, Joined, Module, values

FEW = 4  # bits of the smaller of the two formats of grouped codes; the other has 8


@attrs.frozen(eq=False)
class Grouped:
    """Codes with their scales and zero points, all by rows of the matrix.

    Attributes:
        ending: of the tensor that holds the codes.
        shape: of the matrix.
        bits: of a code.
        codes: uint8 (rows, cols).
        scales: (rows, groups).
        zeros: (rows, groups), not below 0.
        count: of groups in a row.
    """

    ending: str
    shape: tuple[int, int]
    bits: int
    codes: Rows
    scales: Rows
    zeros: Rows
    count: int

    def joined(self, module: Module, said: int | None, index_ending: str | None) -> Joined:
        """The matrix.

        Args:
            module: its tensors.
            said: columns of a group, as the config states them; None: the shapes tell.
            index_ending: of the tensor that names the group of each column; None: there cannot be one.
        """
        group = self._group(module, said)
        index = None if index_ending is None else self._index(module, index_ending, group)
        bits = FEW if self.bits <= FEW else 8
        identity = f"uint{bits} groups" if index is None else f"uint{bits} indexed groups"
        spec = foreign_format("weight-only", identity, module.path)
        read = Affine(spec, self.codes, self.scales, self.zeros, index, bits).read
        return Joined(self.ending, self.shape, spec, read, {"group": group})

    def _group(self, module: Module, said: int | None) -> int:
        """Columns that share a scale: all where there is one group, else what the config says, or an equal share."""
        cols, count = self.shape[1], self.count
        group = cols if count == 1 else said or cols // count
        if not group or -(-cols // group) != count or (count > 1 and said is None and cols % count):
            raise module.refusal("the group size does not fit the scales", f"{count} groups", f"{group} columns each")
        return group

    def _index(self, module: Module, ending: str, group: int) -> Callable[[], Array] | None:
        """The group of every column, or None where a group's columns are neighbours."""
        if module.find(ending) is None:
            return None
        named = self._named(module, ending)
        if named is None or (named == np.arange(len(named)) // group).all():
            return None
        if not named.any():  # so some tools say that there is none: else all groups but one would be idle
            module.odd.append(f"{ending} names group 0 for every column, which counts as no index")
            return None
        if len(np.unique(named)) < self.count:
            module.odd.append(f"{ending} leaves groups without a column")
        return lambda: named

    def _named(self, module: Module, ending: str) -> Array | None:
        """The entries of an index (cols,); None where all are -1, as compressed-tensors says that there is none."""
        stored, cols = module.get(ending, INTEGERS), self.shape[1]
        what = f"{ending} does not name a group for every column"
        if prod(stored.shape) != cols or len(stored.shape) > 2:
            raise module.refusal(what, f"shape {stored.shape}", f"{cols} entries, below {self.count}")
        named = values(stored).reshape(-1)
        if (named == -1).all():
            return None
        if (named < 0).any() or (named >= self.count).any():
            raise module.refusal(what, f"{int(named.min())} .. {int(named.max())}", f"0 .. {self.count - 1}")
        return named


def transposed_scales(module: Module, outs: int, bits: int, points: Callable[[Array], Array]) -> tuple[Rows, Rows, int]:
    """Scales (groups, out) and packed zero points (groups, out * bits / 32) by rows of the matrix; how many groups.

    Args:
        module: the tensors.
        outs: rows of the matrix.
        bits: of a zero point.
        points: packed zero points -> (groups, out), uint8.

    Raises:
        SourceError: their shapes do not fit the matrix.
    """
    scales, count, width = module.matrix("scales", FLOATS)
    zeros, *shape = module.matrix("qzeros", INT32)
    words = (count, outs * bits // 32)
    if width != outs or tuple(shape) != words or outs * bits % 32:
        found = f"scales {scales.shape}, qzeros {zeros.shape}"
        raise module.refusal("scales and qzeros do not fit qweight", found, f"{(count, outs)}, {words}")
    return (
        lambda first, last: values(scales)[:, first:last].T,
        lambda first, last: points(values(zeros))[:, first:last].T,
        count,
    )


def positive(value: object) -> int | None:
    """A group size; None for -1, which stands for a group of all columns, and for what is none."""
    return value if type(value) is int and value > 0 else None
