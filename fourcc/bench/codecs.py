"""How fast a format's kernels decode and encode a whole matrix."""

from __future__ import annotations

import attrs
import numpy as np

from fourcc import compute
from fourcc.bench.matrices import aligned, weights
from fourcc.bench.timing import Series
from fourcc.qmatrix import QMatrix
from fourcc.spec import complete


@attrs.frozen(eq=False)
class Codec:
    """Decoding and encoding of one matrix by some threads.

    Attributes:
        tag: of the format.
        rows, cols: of the matrix.
        threads: how many.
        decode, encode: None where the format's kernel has none.
    """

    tag: str
    rows: int
    cols: int
    threads: int
    decode: Series | None
    encode: Series | None

    @property
    def nbytes(self) -> int:
        """Of the weights, as float32."""
        return 4 * self.rows * self.cols

    def series(self) -> list[Series]:
        """All that is measured of it."""
        return [each for each in (self.decode, self.encode) if each is not None]


def codec(matrix: QMatrix, threads: int) -> Codec:
    """What to measure of a format's kernels.

    Args:
        matrix: in the format; it is left as it is.
        threads: how many.
    """
    from fourcc.kernels.operands import JOB_WORDS, OUT, OUT_STEP, X_STEP, X, address
    from fourcc.kernels.operands import matrix as descriptor_of

    kernel = compute.kernel_of(matrix.format)
    rows, cols = matrix.shape
    name = f"{matrix.tag} {rows} x {cols}, coding, {threads} thread{'s' * (threads > 1)}"
    own = matrix.format.kernel is not None
    parts = [aligned(matrix.parts[part]) for part in kernel.parts] if own else []
    floats = aligned(weights(rows, cols))
    descriptor = descriptor_of(rows, cols, parts)
    made = kernel.encoder(complete(matrix.format.spec.options, {})) if own and kernel.encoder is not None else None

    def series(entry: object, place: int, step: int) -> Series:
        job = np.zeros(JOB_WORDS, np.int64)
        job[[0, place // 8, step // 8]] = rows, address(floats), 4 * cols

        def work(_: object = (parts, floats)) -> None:  # whose addresses the descriptors hold
            compute.run(
                entry,
                descriptor,
                job,
                rows=rows,
                align=kernel.row_align,
                threads=threads,
                scratch=kernel.scratch(cols),
            )

        return Series(name, work, repeats=2)

    return Codec(
        str(matrix.tag),
        rows,
        cols,
        threads,
        series(kernel.decode, OUT, OUT_STEP) if own and kernel.decode is not None else None,
        series(made, X, X_STEP) if made is not None else None,
    )
