"""The tensors that hold one quantized matrix, found by the endings of their names; what a layout makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import attrs

from fourcc.arrays import Array, Parts
from fourcc.errors import SourceError
from fourcc.format import Format
from fourcc.geometry import Geometry, split_shape
from fourcc.settings import Params
from fourcc.sources.source import SourceTensor

# Dtypes: numpy's, and the words of safetensors for floats of 8 bits, which numpy does not have.
INT8 = ("|i1",)
INT32 = ("<i4", "<u4")
INTEGERS = (*INT32, *INT8, "<i8")
FLOATS = ("<f2", "<f4", "<f8", "<u2")  # the last are bfloat16's bits
FLOAT8 = ("F8_E4M3",)
POWERS = ("F8_E8M0",)
BYTES = ("|u1",)
EXPONENTS = (*BYTES, *POWERS)  # of powers of two, bias 127


@attrs.frozen(eq=False)
class Joined:
    """A matrix made of several tensors.

    Attributes:
        ending: of the tensor that holds the codes; under its name the matrix is listed.
        shape: (out features, in features).
        format: that the parts are stored in.
        read: (matrix, first row, last row) -> parts.
        params: of the format.
        gathered: bytes that reading some rows holds beside them.
    """

    ending: str
    shape: tuple[int, int]
    format: Format
    read: Callable[[int, int, int], Parts]
    params: Params = attrs.field(factory=dict)
    gathered: int = 0


class WeightLayout(Protocol):
    """How the tensors of a matrix hold its weights. Layouts are equal where they read equally."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Endings of the names of a matrix's tensors, the one that holds its codes first."""

    def joined(self, module: Module) -> Joined:
        """The matrix. Raises SourceError where its tensors do not go together."""


class Layouts(Protocol):
    """The layouts of a checkpoint's modules, as its config states them."""

    @property
    def every(self) -> tuple[WeightLayout, ...]:
        """The layouts that modules may have, at least one."""

    def __call__(self, module: str) -> WeightLayout | None:
        """The layout of a module; None: the config says that it is plain, or nothing of it."""


@attrs.frozen
class OneLayout:
    """All modules have one layout."""

    layout: WeightLayout

    @property
    def every(self) -> tuple[WeightLayout, ...]:
        """The layout."""
        return (self.layout,)

    def __call__(self, module: str) -> WeightLayout:  # noqa: ARG002 - whichever it is
        """The layout."""
        return self.layout


@attrs.frozen(eq=False)
class Module:
    """The tensors of one matrix.

    Attributes:
        stored: all tensors of the checkpoint by name.
        path: of the config, for messages.
        name: what all names of the matrix's tensors begin with.
        odd: what is noted of it.
    """

    stored: Mapping[str, SourceTensor]
    path: Path
    name: str
    odd: list[str] = attrs.field(factory=list)

    def find(self, ending: str) -> SourceTensor | None:
        """The tensor of that ending."""
        return self.stored.get(f"{self.name}.{ending}")

    def get(self, ending: str, dtypes: tuple[str, ...]) -> SourceTensor:
        """The tensor of that ending, which holds numbers of one of these dtypes.

        Raises:
            SourceError: there is none, or it holds other numbers.
        """
        tensor = self.find(ending)
        if tensor is None:
            what = f"the matrix is not complete: there is no {self.name}.{ending}"
            raise SourceError(what, file=self.path, tensor=f"{self.name}.{ending}")
        if dtype_of(tensor) not in dtypes:
            raise self.refusal(f"{ending} holds another kind of numbers", tensor.tag, " or ".join(dtypes))
        return tensor

    def matrix(self, ending: str, dtypes: tuple[str, ...]) -> tuple[SourceTensor, int, int]:
        """The tensor of that ending, which has rows and columns; their numbers. Raises SourceError."""
        tensor = self.get(ending, dtypes)
        if len(tensor.shape) != 2 or not all(tensor.shape):
            raise self.refusal("a part of a quantized matrix is no matrix", tensor.shape, "two dimensions")
        return tensor, tensor.shape[0], tensor.shape[1]

    def refusal(self, what: str, found: object, expected: object, hint: str | None = None) -> SourceError:
        """The error for tensors that do not go together."""
        return SourceError(what, file=self.path, tensor=self.name, found=found, expected=expected, hint=hint)


def dtype_of(tensor: SourceTensor) -> str:
    """The dtype of a tensor of plain numbers, as the constants above spell it."""
    spec = tensor.format
    word, dtype = str(spec.foreign.get("safetensors", "")), spec.parts[0].dtype
    return word if word.startswith("F8_") else str(dtype)


def read_whole(tensor: SourceTensor) -> int:
    """The bytes that `values` holds of a tensor that is read whole for every tile, and of the smaller ones with it."""
    return 3 * tensor.nbytes


def values(tensor: SourceTensor, first: int = 0, last: int | None = None) -> Array:
    """Rows of a tensor of plain numbers, decoded; a transposed tensor is read whole for every tile."""
    _, rows, cols = split_shape(tensor.shape)
    end = rows if last is None else last
    return tensor.format.decode(tensor.read(0, first, end), Geometry(end - first, cols, tensor.params))


def codes(tensor: SourceTensor, first: int, last: int) -> Array:
    """Rows of a tensor of one byte a number, as they are stored."""
    (stored,) = tensor.read(0, first, last).values()
    return stored
