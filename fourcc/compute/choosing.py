"""The choice of a format's kernel: its own, one made from its block decoder, or that of decoded weights."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Hashable
from pathlib import Path
from pkgutil import resolve_name
from threading import RLock
from typing import TYPE_CHECKING, Any

import attrs

from fourcc.compute import block_parts
from fourcc.errors import PluginError, SlowProductsWarning, UsageError, memory_is_short
from fourcc.settings import Params, complete

if TYPE_CHECKING:
    from fourcc.format import Format
    from fourcc.kernels.kernel import Kernel


@attrs.frozen
class _Chosen:
    """A format's kernel, and, where that is the kernel of decoded weights, the reason; and what its author is told."""

    kernel: Kernel
    why_decoded: str | None = None
    warning: str | None = None


_log = logging.getLogger(__name__)
_choices: dict[tuple[Format, Hashable], _Chosen] = {}
_warned: set[Format] = set()
_choices_lock = RLock()


def kernel_of(fmt: Format, params: Params | None = None) -> Kernel:
    """The kernel of a format: its own, or one made from its block decoder, or that of decoded weights.

    A block decoder that cannot be traced leads to the kernel of decoded weights, with one `SlowProductsWarning` for the
    format, which says why, and where.

    Args:
        fmt: the format.
        params: the layout's parameters; missing ones take their defaults.

    Raises:
        UsageError: ``FOURCC_SIMD`` names no SIMD target, or one that this machine cannot run.
        PluginError: the format's kernel cannot be made.
    """
    return _choice(fmt, params).kernel


def why_decoded(fmt: Format, params: Params | None = None) -> str | None:
    """Why products with a format decode the whole matrix first; None if they do not.

    Raises:
        PluginError: as `kernel_of`.
    """
    return _choice(fmt, params).why_decoded


def is_copied(fmt: Format, params: Params | None = None) -> bool:
    """Whether packing a matrix of the format copies its bytes, or decodes them."""
    kernel = kernel_of(fmt, params)
    return kernel.pack is not None or kernel.level == "decode"


def unfit_for_blocks(fmt: Format, params: Params | None = None) -> str | None:
    """Why a format's blocks cannot be decoded one by one, or None if they can."""
    return block_parts.unfit_for_blocks(fmt, complete(fmt.params, params or {}))


def _choice(fmt: Format, params: Params | None) -> _Chosen:
    given = complete(fmt.params, params or {})
    key = fmt, tuple(given.items())
    with _choices_lock:
        if key not in _choices:
            _check_target()
            try:
                _choices[key] = _choose(fmt, given)
            except Exception as error:
                if memory_is_short(error):
                    raise MemoryError from error
                what = f"no products with the format {fmt.tag}: its kernel cannot be made"
                raise PluginError(what, found=f"{type(error).__name__}: {error}") from error
            _log.info("products in %s go by its %s kernel", fmt.tag, _choices[key].kernel.level)
            _warn(fmt, _choices[key])
        return _choices[key]


def _warn(fmt: Format, choice: _Chosen) -> None:
    """Warns of slow products, once a format, whatever its parameters."""
    if choice.warning is not None and fmt not in _warned:
        _warned.add(fmt)
        warnings.warn(SlowProductsWarning(choice.warning), stacklevel=4)


def target_name() -> str:
    """The family of processors that kernels are compiled for, such as ``avx512``: results may differ between two.

    Raises:
        UsageError: ``FOURCC_SIMD`` names none, or one that this machine cannot run.
    """
    from fourcc.kernels.simd.target import target

    _check_target()
    return target().name


def _check_target() -> None:
    from fourcc.kernels.simd.target import target

    try:
        target()
    except ValueError as error:
        raise UsageError(str(error)) from error


def _choose(fmt: Format, params: Params) -> _Chosen:
    from fourcc.kernels.products.plain_floats import DECODED

    if fmt.kernel is not None:
        kernel = _declared(fmt.kernel, params)
        return _Chosen(kernel, "its kernel decodes it first" if kernel.level == "decode" else None)
    if fmt.decode_block is None:
        return _Chosen(DECODED, "it declares neither a kernel nor a block decoder")
    unfit = block_parts.unfit_for_blocks(fmt, params)
    return _fuse(fmt, params) if unfit is None else _Chosen(DECODED, unfit)


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


def _fuse(fmt: Format, params: Params) -> _Chosen:
    """The kernel made from a format's block decoder; that of decoded weights, and a warning, if that does not pay."""
    from fourcc.kernels.fusing.costs import COSTLY
    from fourcc.kernels.fusing.ir import UntraceableError

    try:
        kernel = _fused(fmt, params)
    except Exception as error:
        if memory_is_short(error):
            raise
        told = str(error) if isinstance(error, UntraceableError) else f"{type(error).__name__}: {error}"
        return _decoded(fmt, f"its block decoder cannot be traced: {told}", told)
    if kernel.operations <= COSTLY:
        return _Chosen(kernel)
    long = f"about {kernel.operations:.0f} operations a weight, and decoding first is faster from {COSTLY} on"
    told = f"{_place(fmt)}: {long}"
    return _decoded(fmt, f"its block decoder is too long: {told}", told)


def _decoded(fmt: Format, reason: str, told: str) -> _Chosen:
    from fourcc.kernels.products.plain_floats import DECODED

    return _Chosen(DECODED, reason, f"products with the format {fmt.tag} decode the whole matrix first: {told}")


def _place(fmt: Format) -> str:
    """File and first line of the block decoder."""
    function: Any = getattr(fmt.decode_block, "py_func", fmt.decode_block)
    code = function.__code__
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}"


def _fused(fmt: Format, params: Params) -> Kernel:
    from fourcc.kernels.fusing.fused import fused

    assert fmt.decode_block is not None
    width, parts = fmt.width(params), block_parts.block_parts(fmt, params)
    assert width is not None
    return fused(fmt.decode_block, width, parts, params, extra=fmt.extra is not None and fmt.turn is None)
