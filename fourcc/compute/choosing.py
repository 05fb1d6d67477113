"""Which kernel a format has: its own, one made from its block decoder, or that of decoded weights."""

from __future__ import annotations

from math import prod
from threading import RLock
from typing import TYPE_CHECKING

from fourcc.errors import PluginError, UsageError
from fourcc.spec import FormatSpec, Geometry

if TYPE_CHECKING:
    from fourcc.format import Format
    from fourcc.kernels.fused import BlockPart
    from fourcc.kernels.kernel import Kernel

_kernels: dict[Format, Kernel] = {}
_kernels_lock = RLock()


def kernel_of(found: Format) -> Kernel:
    """The kernel of a format: its own, or one made from its block decoder, or that of decoded weights.

    Raises:
        UsageError: ``FOURCC_SIMD`` names no machine, or one that this is not.
        PluginError: the format's kernel cannot be had.
    """
    with _kernels_lock:
        if found not in _kernels:
            _check_target()
            try:
                _kernels[found] = _make_kernel(found)
            except Exception as error:
                what = f"no products with the format {found.spec.tag}: its kernel cannot be made"
                raise PluginError(what, found=f"{type(error).__name__}: {error}") from error
        return _kernels[found]


def _check_target() -> None:
    from fourcc.kernels.simd.target import target

    try:
        target()
    except ValueError as error:
        raise UsageError(str(error)) from error


def _make_kernel(found: Format) -> Kernel:
    from fourcc.kernels.kernel import Kernel
    from fourcc.kernels.plain import DECODED

    if found.kernel is not None:
        kernel = found.kernel()
        if not isinstance(kernel, Kernel):
            raise TypeError(f"kernel() of the format {found.spec.tag} gave a {type(kernel).__name__}")
        return kernel
    if found.decode_block is None or unfit_for_blocks(found.spec) is not None:
        return DECODED
    return _fuse(found)


def _fuse(found: Format) -> Kernel:
    """The kernel that is made from a format's block decoder; that of decoded weights where it cannot be."""
    from fourcc.kernels.fused import fused
    from fourcc.kernels.plain import DECODED
    from fourcc.kernels.trace import UntraceableError

    assert found.decode_block is not None
    try:
        return fused(found.decode_block, *_blocks(found))
    except UntraceableError:
        return DECODED


def _blocks(found: Format) -> tuple[int, list[BlockPart]]:
    """Columns of a block, and its parts as the block decoder takes them."""
    from fourcc.kernels.fused import BlockPart

    width, parts = found.spec.width(), []
    assert width is not None
    for part in found.spec.parts:
        assert part.tail is not None
        count, whole = prod(part.tail(Geometry(1, width))), part.rows is None
        if isinstance(part.dtype, str):
            parts.append(BlockPart(part.name, part.dtype, count, whole=whole))
        else:
            fields = tuple((name, kind, prod(dims)) for name, kind, dims in part.dtype)
            parts.append(BlockPart(part.name, fields, count, whole=whole))
    return width, parts


def is_copied(found: Format) -> bool:
    """Whether packing a matrix of the format copies its bytes, or decodes them."""
    kernel = kernel_of(found)
    return kernel.pack is not None or kernel.level == "decode"


def why_decoded(found: Format) -> str | None:
    """Why products with a format decode the whole matrix first; None where they do not.

    Raises:
        PluginError: as `kernel_of`.
    """
    if kernel_of(found).level != "decode":
        return None
    if found.decode_block is None:
        return "it declares neither a kernel nor a block decoder"
    return unfit_for_blocks(found.spec) or _untraceable(found)


def _untraceable(found: Format) -> str | None:
    from fourcc.kernels.fused import fused
    from fourcc.kernels.trace import UntraceableError

    assert found.decode_block is not None
    try:
        fused(found.decode_block, *_blocks(found))
    except UntraceableError as error:
        return f"its block decoder cannot run on several rows at once: {error}"
    return None


def unfit_for_blocks(spec: FormatSpec) -> str | None:
    """Why a format's blocks cannot be decoded one by one, or None where they can.

    Blocks lie along a row, and each part has its entries one block after the other.
    """
    width = spec.width()
    if spec.block[0] != 1 or width is None:
        return "its blocks are not along a row"
    if spec.params:
        return "its layout has parameters"
    for part in spec.parts:
        if part.tail is None or part.rows not in {1, None}:
            return f"part {part.name!r} is not stored row by row"
        if part.rows == 1 and prod(part.tail(Geometry(1, 3 * width))) != 3 * prod(part.tail(Geometry(1, width))):
            return f"part {part.name!r} is not stored block by block"
    return None
