"""What the plain formats share: numbers stored as they are, one part, one entry a row.

::

    values   (rows, cols) of the format's dtype, little-endian, row-major

They exist so that any checkpoint can be carried bit for bit. Integers and truth values are carried, never made from
floats, so those formats have no encoder.
"""

from collections.abc import Callable

import numpy as np

from fourcc.format import Aids, Array, Format, Parts
from fourcc.spec import FormatSpec, Geometry, Params, Part


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
    """A format whose values are numpy's own.

    Args:
        tag: the format's tag, also its name.
        summary: one line.
        dtype: numpy's text for the stored values.
        foreign: ids in other systems; numpy's own is added.
        encoder: whether float weights may be stored in it.
        kernel: where its products are, ``module:name``.
        bound: how far a weight may be from its original.
    """
    real = "f" in dtype
    spec = FormatSpec(
        tag=tag,
        name=tag,
        summary=summary,
        block=(1, 1),
        parts=(Part("values", dtype, tail=lambda geom: (geom.cols,)),),
        nonfinite=real,
        decoded="<f4" if dtype == "<f2" else dtype,  # float32 holds every float16
        foreign={"numpy": dtype, **foreign},
    )

    def decode(parts: Parts, geom: Geometry) -> Array:  # noqa: ARG001 - the seam's signature
        with np.errstate(invalid="ignore"):  # of a signalling float16 some machines tell
            return parts["values"].astype(spec.decoded)

    def encode(tile: Array, shared: object, geom: Geometry, options: Params, aids: Aids) -> Parts:  # noqa: ARG001
        # float16 beyond 65504 becomes infinite: the core refuses it by name; of a signalling NaN some machines tell
        with np.errstate(over="ignore", invalid="ignore"):
            return {"values": tile.astype(dtype)}

    return Format(spec=spec, decode=decode, encode=encode if encoder else None, kernel=kernel, bound=bound)
