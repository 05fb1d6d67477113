"""Plain formats: numbers stored as they are, in one part.

::

    values   (rows, cols) of the format's dtype, little-endian, row-major

They exist so that any checkpoint can be carried bit for bit. Integers and truth values are only carried and never made
from floats, so their formats have no encoder.
"""

from collections.abc import Callable

import numpy as np

from fourcc import Array, Blocks, Format, Geometry, Parts, per_weight


def plain(
    tag: str,
    summary: str,
    dtype: str,
    foreign: dict[str, int | str],
    *,
    encoder: bool,
    kernel: str | None = None,
    bound: Callable[[Array, Geometry], Array] | None = None,
) -> Format:
    """A format that stores numbers as numpy has them.

    Args:
        tag: the format's tag, also its name.
        summary: one line.
        dtype: of the stored values, as numpy spells it.
        foreign: ids in other systems; numpy's is added.
        encoder: whether float weights may be stored in it.
        kernel: where its products are, ``module:name``.
        bound: how far a decoded weight may be from its original.
    """
    real = "f" in dtype
    decoded = "<f4" if dtype == "<f2" else dtype  # float32 holds every float16

    def decode(parts: Parts, geom: Geometry) -> Array:
        with np.errstate(invalid="ignore"):  # some machines report a signalling NaN in float16
            return parts["values"].astype(decoded)

    def encode(blocks: Blocks) -> Parts:
        # a weight beyond 65504 is infinite in float16, which the core refuses; some machines report a signalling NaN
        with np.errstate(over="ignore", invalid="ignore"):
            return {"values": blocks.w.astype(dtype)}

    return Format(
        tag=tag,
        summary=summary,
        block=1,
        parts=(per_weight("values", dtype),),
        nonfinite=real,
        decoded=decoded,
        foreign={"numpy": dtype, **foreign},
        decode=decode,
        encode=encode if encoder else None,
        kernel=kernel,
        bound=bound,
    )
