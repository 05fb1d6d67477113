"""Short words for what a format is and can do."""

from __future__ import annotations

from fourcc import compute
from fourcc.errors import PluginError
from fourcc.format import Format
from specs.site.blocks import Piece, block_of


def level(fmt: Format) -> str:
    """How its matrices are multiplied: native, fused or decode; a dash where they are not."""
    if not fmt.real:
        return "-"
    if fmt.kernel is not None:
        return "native"
    try:
        return "decode" if compute.why_decoded(fmt) else "fused"
    except PluginError:
        return "none"


def elsewhere(fmt: Format) -> str:
    """The same layout in other projects."""
    return ", ".join(f"{system} {name}" for system, name in fmt.foreign.items())


def shape(fmt: Format) -> str:
    """The block's rows, columns and bytes."""
    block = block_of(fmt)
    size = f"{float(block.nbytes):g} byte{'s' * (block.nbytes != 1)}"
    if block.rows is None or block.cols is None:
        return f"{block.weights} weights of the flattened matrix, {size}"
    if block.weights == 1:
        return f"one number, {size}"
    group = f", {fmt.block[1]}s of any size" if isinstance(fmt.block[1], str) else ""
    if block.rows == 1:
        return f"{block.cols} weights along a row{group}, {size}"
    return (
        f"{block.rows} weights down a column, {size}"
        if block.cols == 1
        else f"{block.rows} x {block.cols} weights, {size}"
    )


def described(fmt: Format) -> str:
    """The drawing in words."""
    pieces = "; ".join(f"{piece.name}: {piece.numbers}, {belongs(piece)}" for piece in block_of(fmt).pieces)
    return f"Block of {fmt.tag}: {shape(fmt)}. {pieces}"


def belongs(piece: Piece) -> str:
    """The owner of a piece, for people."""
    return {"weight": "for each weight", "block": "for the block"}.get(piece.owner, f"once for each {piece.owner}")


def written(fmt: Format) -> bool:
    """Whether tensors can become of this format; integers are kept as they are."""
    return fmt.encode is not None or not fmt.real


def can(fmt: Format) -> str:
    """Reading, writing, calibration."""
    words = ["is read and written" if written(fmt) else "is read, not written"]
    words += [f"needs {', '.join(sorted(fmt.needs))}"] * bool(fmt.needs)
    words += [f"gains from {', '.join(sorted(fmt.uses))}"] * bool(fmt.uses)
    return ", ".join(words)
