"""The seam: a format is one frozen value. A capability that it lacks is None, which the core checks before any work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from fourcc.spec import FormatSpec, Geometry, Params

if TYPE_CHECKING:
    from fourcc.kernels.kernel import Kernel

Array = NDArray[Any]
Floats = NDArray[np.float32]
Parts = Mapping[str, Array]
RowReader = Callable[[int, int], Floats]  # (first, last) -> float32 (last - first, cols)


@attrs.frozen(eq=False)
class Aids:
    """Calibration data on a matrix's input; an encoder sees only the data that its spec `needs` or `uses`.

    Attributes:
        importance: float32 (cols,), the weight of each input column in the error; or (matrices, cols), one such array
            for each matrix of the leading dimensions.
        hessian: float32 (cols, cols), 2 E[x x^T] over the inputs; or (matrices, cols, cols).
    """

    importance: Floats | None = None
    hessian: Floats | None = None

    def of_matrix(self, index: int) -> Aids:
        """The data of one matrix of the leading dimensions."""
        importance, hessian = self.importance, self.hessian
        return Aids(
            importance[index] if importance is not None and importance.ndim == 2 else importance,
            hessian[index] if hessian is not None and hessian.ndim == 3 else hessian,
        )

    def restricted(self, names: frozenset[str]) -> Aids:
        """The data of these names alone."""
        return Aids(**{name: getattr(self, name) for name in names})

    @property
    def empty(self) -> bool:
        """Whether there are no data."""
        return self.importance is None and self.hessian is None


@attrs.frozen(kw_only=True, eq=False)
class Format:
    """How a tag is decoded and, where it has an encoder, encoded.

    All functions see one matrix, or a run of its rows. The core cuts tiles at multiples of the block's rows, handles
    leading dimensions and checks shapes, so a format is little more than its formula. No function is called for an
    empty matrix; the bytes of its parts, if any, are zeros.

    Attributes:
        spec: the format's declaration.
        decode: (parts, geom) -> (rows, cols) of dtype `spec.decoded`. Normative.
        encode: (tile, shared, geom, options, aids) -> parts; tile is (rows, cols) of dtype `spec.decoded` (float32,
            except for plain formats of wider numbers), finite, C-contiguous, read-only. A part of the whole matrix is
            returned with every tile, always equal.
        prepare: (row_reader, geom, options, aids) -> a result that spans tiles; `encode` gets it as `shared`.
        codes: (parts, geom) -> integers (rows, cols): the stored codes, for inspection.
        kernel: where its products are: ``module:name`` of a `fourcc.kernels.kernel.Kernel`, imported only when it is
            needed; or a function that returns one and takes the layout's parameters by name.
        decode_block: (part, …, weights) writes the weights of one block along a row. A part, in the spec's order, is
            given by the block's entries; a record is a mapping of its fields. A part with one size for every row, or of
            the whole matrix, is given whole. The layout's parameters follow by name. Fused products are generated from
            it where there is no `kernel`; without either, products decode the matrix first.
        bound: (weights, geom) -> how far each decoded weight may be from its original with the encoder's default
            options, as derived on the format's page; both float64 (rows, cols). None: nothing is promised.
    """

    spec: FormatSpec
    decode: Callable[[Parts, Geometry], Array]
    encode: Callable[[Array, object, Geometry, Params, Aids], Parts] | None = None
    prepare: Callable[[RowReader, Geometry, Params, Aids], object] | None = None
    codes: Callable[[Parts, Geometry], Array] | None = None
    kernel: str | Callable[..., Kernel] | None = None
    decode_block: Callable[..., None] | None = None
    bound: Callable[[Array, Geometry], Array] | None = None

    def __repr__(self) -> str:
        return f"<Format {self.spec.tag}: {self.spec.summary}>"
