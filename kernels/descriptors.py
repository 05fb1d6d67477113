"""The descriptors that every kernel takes: int64 arrays whose words are sizes and addresses, laid out here by name.

A kernel's first argument is the address of a matrix's descriptor (or a model's), its second that of a job's. Callers
make both from arrays whose shapes they know, and write their fields by name; kernels trust them, and read a field at
its offset in bytes, a constant that compiled code folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

WORD = 8  # bytes
LINE = 64  # bytes of a cache line


class DescriptorLayout:
    """The layout of a kind of descriptor: names of fields, each in a word of its own.

    Args:
        fields: names, in their order in memory; int64, but for `floats`.
        floats: names of those that are float32, in the first half of their word.
        shared: names of those that several threads write: each has a cache line of its own.
        size: bytes to round the descriptor's size up to a multiple of.

    Attributes:
        dtype: the structured dtype, which derives all offsets.
        size: bytes of a descriptor.
    """

    def __init__(self, *fields: str, floats: Sequence[str] = (), shared: Sequence[str] = (), size: int = WORD) -> None:
        end, offsets = 0, []
        for name in fields:
            alone = name in shared
            offsets.append(_aligned(end, LINE) if alone else end)
            end = offsets[-1] + (LINE if alone else WORD)
        formats = ["<f4" if name in floats else "<i8" for name in fields]
        self.size = _aligned(end, size)
        self.dtype = np.dtype({"names": fields, "formats": formats, "offsets": offsets, "itemsize": self.size})
        self._floats = frozenset(floats)
        self._words = {name: at // WORD for name, at in zip(fields, offsets, strict=True) if name not in floats}

    def offset(self, field: str) -> int:
        """Bytes from the start of a descriptor to a field."""
        return offset(self.dtype, field)

    def record(self, **values: float) -> Array:
        """A new descriptor: int64 (words,), zeros but for the fields that are given."""
        words = np.zeros(self.size // WORD, np.int64)
        self.write(words, **values)
        return words

    def table(self, rows: int) -> Array:
        """Descriptors one after the other: int64 (rows, words), zeros."""
        return np.zeros((rows, self.size // WORD), np.int64)

    def write(self, words: Array, **values: float) -> None:
        """Writes fields into a descriptor, int64 (words,), by their names; a name that it lacks is a KeyError.

        Addresses go straight into their words: a field of a structured array takes numpy twice as long to write.
        """
        for name, value in values.items():
            if name in self._floats:
                self.fields(words)[name] = value
            else:
                words[self._words[name]] = value

    def fields(self, words: Array) -> Array:
        """A descriptor's memory as a structured array of no dimensions: ``fields["name"]`` reads and writes it."""
        return words[: self.size // WORD].view(self.dtype).reshape(())


def offset(dtype: np.dtype[Any], field: str) -> int:
    """Bytes from the start of an entry of a structured dtype to a field."""
    assert dtype.fields is not None
    return dtype.fields[field][1]


def _aligned(number: int, unit: int) -> int:
    return -(-number // unit) * unit


# A matrix: its columns and rows. Behind them the addresses of its packed parts, then, for each part, the bytes of an
# entry of axis 0.
MATRIX = DescriptorLayout("cols", "rows")
COLS, ROWS, PARTS = MATRIX.offset("cols"), MATRIX.offset("rows"), MATRIX.size

# A job: how many activations (columns of the product), where its parts are, where the product goes. A stride is the
# bytes from one activation's numbers to the next one's.
JOB = DescriptorLayout(
    "count",
    *("out", "out_stride"),  # float32
    *("x", "x_stride"),  # the activations as they came, float32, zeros up to a multiple of 512
    *("codes", "codes_stride"),  # int8, zeros up to a multiple of 512
    *("scales", "scales_stride"),  # float32, one for 32 columns: a code's worth
    "zero_corrections",  # float32, one for 32 columns, as far apart: what the codes' zero point takes away
    "sums",  # float32, one for 32 columns, as far apart: the sum of what codes are worth, or of the activations
    "ranges",  # float32, one for 32 columns, the same for all activations: what the largest code is worth
)
COUNT = JOB.offset("count")
OUT, OUT_STRIDE = JOB.offset("out"), JOB.offset("out_stride")
X, X_STRIDE = JOB.offset("x"), JOB.offset("x_stride")
CODES, CODES_STRIDE = JOB.offset("codes"), JOB.offset("codes_stride")
SCALES, SCALES_STRIDE = JOB.offset("scales"), JOB.offset("scales_stride")
ZERO_CORRECTIONS, SUMS, RANGES = JOB.offset("zero_corrections"), JOB.offset("sums"), JOB.offset("ranges")

# A job of a transformer's layer: buffers, each an address and a stride, and what attention reads.
LAYER_JOB = DescriptorLayout(
    *("input", "input_stride"),
    *("second", "second_stride"),
    *("output", "output_stride"),
    *("keys", "values"),  # addresses of the layer's caches
    "position",  # address of the first activation's position
)

# A model, as the kernels of its layers see it: sizes, and where its tables are.
MODEL = DescriptorLayout(
    "width",  # columns of the buffer at hand
    *("heads", "kv_heads"),
    "head",  # columns of a head
    "context",  # positions that the caches have room for
    "turned",  # columns of a head that are rotated, an even number; the others are not
    "rotation",  # address of float32 (positions, turned): half cosines, half sines
    "weight",  # address of a norm's weights, or of a bias; zeros behind it
    "weight_stride",  # bytes from a head's weights to those of the next head; 0: all have the same
    "bias",  # address of a layer norm's bias; zeros behind it
    "epsilon",  # of the norms
    "scale",  # what attention multiplies its scores by, or a temperature
    *("unit", "beside", "count"),  # of attention: heads and activations that go together; all activations
    "window",  # of attention: positions that an activation sees, its own the last of them
    "softcap",  # what scores, or logits, are kept below in size; 0: scores have no such bound
    "sinks",  # of attention: address of a score of each head, float32, that has no position; 0: there are none
    "factor",  # of a scaled sum or product, or of a gate
    "limit",  # of a gate
    floats=("epsilon", "scale", "softcap", "factor", "limit"),
)

# The routing of some activations to experts, and the tables of it, int64 but for the shares. The activations that go to
# an expert are a group; a *place* numbers the (activation, expert) pairs group by group, experts in their order, within
# a group activations in theirs. Only experts that were chosen have a group.
ROUTING = DescriptorLayout(
    *("experts", "used"),  # how many there are, and how many of them an activation goes to
    "count",  # activations
    "is_normalized",  # whether an activation's shares are divided by their sum
    *("scores", "scores_stride"),  # address of the router's float32 (activations, experts), zeros behind each
    *("shares", "shares_stride"),  # address of float32 (activations, used): what an expert's result is multiplied by
    "chosen",  # address of (activations, used): experts, those of the highest scores first
    "places",  # address of (activations, used)
    "sources",  # address of (places,): the activation of each
    "owners",  # address of (places,): the expert of each
    "groups",  # address of (groups,): the expert of each
    "starts",  # address of (groups + 1,): the first place of each, then the end
    "counts",  # address of (experts,), written and read while places are given
    "active",  # how many groups there are
)

# A stack of matrices of one shape, an expert's each. Its rows are those of all groups that there may be, `height` each.
STACK = DescriptorLayout(
    "routing",  # address of the routing
    "function",  # address of the machine code that multiplies one matrix
    *("matrices", "matrix_size"),  # address of the experts' descriptors, one after the other; bytes of one
    *("rows", "height"),  # of a matrix; the same up to a multiple of what its rows are cut at
    "is_spread",  # whether the activations lie place by place; if not, all groups have the first one
)

# Copying of rows of bytes.
COPY = DescriptorLayout("input", "input_stride", "output", "output_stride", "size")

# A step of a program: addresses of a kernel and of its two descriptors, rows, and rows that a thread takes at once.
STEP = DescriptorLayout("function", "weights", "job", "rows", "chunk", size=LINE)

# How far a program is: its address, the number of the next step, the number of the team's last job.
PROGRAM = DescriptorLayout("steps", "next", "number", size=LINE)

# The board of a thread team, which says which job is open. Behind it lies a line of each thread, the caller's the last.
BOARD = DescriptorLayout(
    "left",  # job number << 32 | chunks that nobody has taken
    "done",  # chunks finished
    *("function", "weights", "job", "rows", "chunk"),  # as those of a step
    "chunks",
    "is_open",  # whether a program's step is under way
    shared=("left", "done"),
    size=LINE,
)
THREAD = DescriptorLayout("is_asleep", "scratch", size=LINE)  # whether it sleeps, the address of its scratch memory

BLOCK = 32  # columns of an activation that share a scale
PADDING = 512  # activations are followed by zeros up to a multiple of this


def round_up(cols: int) -> int:
    """Columns with the zeros that follow an activation's."""
    return (cols + (PADDING - 1)) // PADDING * PADDING


def address(array: Array) -> int:
    """The address of an array's first byte."""
    start: int = array.__array_interface__["data"][0]
    return start


def empty(count: int, dtype: str = "|u1") -> Array:
    """Memory for `count` numbers that begins on a cache line, so that no vector straddles two."""
    size = np.dtype(dtype).itemsize * count
    memory = np.empty(size + LINE, np.uint8)
    skip = -address(memory) % LINE
    return memory[skip : skip + size].view(dtype)


def zeros(count: int, dtype: str = "<i8") -> Array:
    """Zeros, `count` numbers that begin on a cache line; they take memory only where they are written to."""
    size = np.dtype(dtype).itemsize * count
    memory = np.zeros(size + LINE, np.uint8)
    skip = -address(memory) % LINE
    return memory[skip : skip + size].view(dtype)


def matrix(rows: int, cols: int, parts: Sequence[Array]) -> Array:
    """Descriptor of a matrix, int64 (2 + 2 parts,): sizes, addresses, bytes of an entry; it keeps no array alive.

    Raises:
        ValueError: a part that is not C-contiguous.
    """
    for part in parts:
        if not part.flags.c_contiguous:
            raise ValueError(f"a part of shape {part.shape} is not contiguous")
    strides = [part.nbytes // len(part) if len(part) else 0 for part in parts]
    words = np.zeros(PARTS // WORD + 2 * len(parts), np.int64)
    MATRIX.write(words, cols=cols, rows=rows)
    words[PARTS // WORD :] = [*map(address, parts), *strides]
    return words
