"""Formats with a scale and an offset for each group, both floats, as in MLX: code 0 is the offset.

::

    scales    (rows, ceil(cols / group)) float32
    offsets   (rows, ceil(cols / group)) float32
    q         (rows, cols * bits / 8) uint8        8 bits: a code; 4 bits: the even column's in the low nibble

Decode: w = scale * q + offset, in float32, product and sum rounded. They are read from checkpoints, and have no
encoder: codes of 2 and 3 bits are stored in 4, those of 5 and 6 in 8.
"""

from fourcc import Array, Format, packed, per_block
from fourcc.formats.layouts.groups import group_setting

GROUP = group_setting(64)


def levels_above(tag: str, bits: int) -> Format:
    """A format with a scale and an offset for each group.

    Args:
        tag: the format's tag, also its name.
        bits: of a stored code, 8 or 4.
    """
    return Format(
        tag=tag,
        summary=f"{bits}-bit codes, float32 scale and offset for a group of any size along a row",
        block=(1, GROUP.name),
        parts=(per_block("scales", "f4"), per_block("offsets", "f4"), packed("q", bits=bits)),
        params=(GROUP,),
        foreign={"mlx": f"affine {bits}"},
        decode_block=decode_block,
    )


def decode_block(scales: Array, offsets: Array, q: Array, weights: Array, group: int) -> None:
    """Decodes one group."""
    weights[:] = scales * q + offsets
