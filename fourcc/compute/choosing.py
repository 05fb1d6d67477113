"""The choice of a format's kernel: its own, one made from its block decoder, or that of decoded weights."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import prod
from pkgutil import resolve_name
from threading import RLock
from typing import TYPE_CHECKING

from fourcc.errors import PluginError, UsageError, memory_is_short
from fourcc.geometry import Geometry
from fourcc.part import Part
from fourcc.settings import Params, complete
from fourcc.spec import FormatSpec

if TYPE_CHECKING:
    from fourcc.format import Format
    from fourcc.kernels.fusing.block_part import BlockPart, Covers
    from fourcc.kernels.kernel import Kernel

_kernels: dict[tuple[Format, Hashable], Kernel] = {}
_kernels_lock = RLock()


def kernel_of(fmt: Format, params: Params | None = None) -> Kernel:
    """The kernel of a format: its own, or one made from its block decoder, or that of decoded weights.

    Args:
        fmt: the format.
        params: the layout's parameters; missing ones take their defaults.

    Raises:
        UsageError: ``FOURCC_SIMD`` names no SIMD target, or one that this machine cannot run.
        PluginError: the format's kernel cannot be made.
    """
    given = complete(fmt.params, params or {})
    key = fmt, tuple(given.items())
    with _kernels_lock:
        if key not in _kernels:
            _check_target()
            try:
                _kernels[key] = _make_kernel(fmt, given)
            except Exception as error:
                if memory_is_short(error):
                    raise MemoryError from error
                what = f"no products with the format {fmt.tag}: its kernel cannot be made"
                raise PluginError(what, found=f"{type(error).__name__}: {error}") from error
        return _kernels[key]


def _check_target() -> None:
    from fourcc.kernels.simd.target import target

    try:
        target()
    except ValueError as error:
        raise UsageError(str(error)) from error


def _make_kernel(fmt: Format, params: Params) -> Kernel:
    from fourcc.kernels.products.plain_floats import DECODED

    if fmt.kernel is not None:
        return _declared(fmt.kernel, params)
    if fmt.decode_block is None or unfit_for_blocks(fmt, params) is not None:
        return DECODED
    return _fuse(fmt, params)


def _declared(kernel: str | Callable[..., Kernel], params: Params) -> Kernel:
    """The kernel that a format declares: by name, or by a function of the layout's parameters.

    Raises:
        ImportError: the name leads to nothing.
        TypeError: it is no kernel.
    """
    from fourcc.kernels.kernel import Kernel

    if isinstance(kernel, str):
        declared = f"kernel={kernel!r}"
        try:
            loaded = resolve_name(kernel)
        except (ImportError, AttributeError, ValueError) as error:
            raise ImportError(f"{declared}: {error}") from error
    else:
        declared, loaded = "kernel()", kernel(**params)
    if not isinstance(loaded, Kernel):
        raise TypeError(f"{declared} gave a {type(loaded).__name__}")
    return loaded


def _fuse(fmt: Format, params: Params) -> Kernel:
    """The kernel made from a format's block decoder; that of decoded weights if the decoder cannot be traced."""
    from fourcc.kernels.fusing.fused import fused
    from fourcc.kernels.fusing.ir import UntraceableError
    from fourcc.kernels.products.plain_floats import DECODED

    assert fmt.decode_block is not None
    try:
        return fused(fmt.decode_block, *_blocks(fmt, params), params)
    except UntraceableError:
        return DECODED


def _blocks(spec: FormatSpec, params: Params) -> tuple[int, list[BlockPart]]:
    """Columns of a block, and the parts of a block as the block decoder takes them."""
    from fourcc.kernels.fusing.block_part import BlockPart

    width, parts = spec.width(params), []
    assert width is not None
    for part in spec.parts:
        assert part.tail is not None
        count, covers = prod(part.tail(Geometry(1, width, params))), _covered(part, width, params)
        assert covers is not None
        if isinstance(part.dtype, str):
            parts.append(BlockPart(part.name, part.dtype, count, covers))
        else:
            fields = tuple((name, kind, prod(dims)) for name, kind, dims in part.dtype)
            parts.append(BlockPart(part.name, fields, count, covers))
    return width, parts


def is_copied(fmt: Format, params: Params | None = None) -> bool:
    """Whether packing a matrix of the format copies its bytes, or decodes them."""
    kernel = kernel_of(fmt, params)
    return kernel.pack is not None or kernel.level == "decode"


def why_decoded(fmt: Format, params: Params | None = None) -> str | None:
    """Why products with a format decode the whole matrix first; None if they do not.

    Raises:
        PluginError: as `kernel_of`.
    """
    if kernel_of(fmt, params).level != "decode":
        return None
    if fmt.decode_block is None:
        return "it declares neither a kernel nor a block decoder"
    given = complete(fmt.params, params or {})
    return unfit_for_blocks(fmt, given) or _untraceable(fmt, given)


def _untraceable(fmt: Format, params: Params) -> str | None:
    from fourcc.kernels.fusing.fused import fused
    from fourcc.kernels.fusing.ir import UntraceableError

    assert fmt.decode_block is not None
    try:
        fused(fmt.decode_block, *_blocks(fmt, params), params)
    except UntraceableError as error:
        return f"its block decoder cannot run on several rows at once: {error}"
    return None


def unfit_for_blocks(spec: FormatSpec, params: Params | None = None) -> str | None:
    """Why a format's blocks cannot be decoded one by one, or None if they can.

    Blocks must lie along a row. A part must have its entries one block after the other, or a fixed number of entries
    for a row or for the matrix, whatever its size.
    """
    given = complete(spec.params, params or {})
    width = spec.width(given)
    if spec.block[0] != 1 or width is None:
        return "its blocks are not along a row"
    for part in spec.parts:
        if part.tail is None or part.rows not in {1, None}:
            return f"part {part.name!r} is not stored row by row"
        if _covered(part, width, given) is None:
            return f"part {part.name!r} is " + ("as large as the matrix" if part.rows is None else _UNEVEN)
    return None


_UNEVEN = "not stored block by block"


def _covered(part: Part, width: int, params: Params) -> Covers | None:
    """The owner of a part's entries: a block, or a row or the matrix, of any size; None: none of them."""
    assert part.tail is not None
    one, three = part.tail(Geometry(1, width, params)), part.tail(Geometry(1, 3 * width, params))
    if part.tail(Geometry(2, width, params)) != one:
        return None
    if one == three:
        return "matrix" if part.rows is None else "row"
    in_order = len(one) > 0 and three == (3 * one[0], *one[1:])
    return "block" if in_order and part.rows == 1 else None
