"""Block decoders on numpy's arrays, all blocks at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fourcc.arrays import Array, Floats


def decode_blocks(
    function: Callable[..., None], parts: Sequence[Array], weights: int, params: Mapping[str, object]
) -> Floats:
    """The weights that a block decoder gives: float32 (weights, blocks)."""
    import numpy as np

    def wide(a):
        return a.astype(np.float32 if a.dtype.kind == "f" else np.int64)

    n = max(a.shape[-1] for a in parts if a.ndim == max(each.ndim for each in parts))  # a book of the matrix is flat
    out = np.empty((weights, n), np.float32)
    function(*[wide(a) for a in parts], out, **params)
    return out
