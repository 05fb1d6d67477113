"""What the kernels of integer codes share: activations quantized for the codes' zero point, the product of panels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.kernel import Activation, Kernel
from fourcc.kernels.products.activations import quantizer
from fourcc.kernels.products.panel_gemm import float_product, float_scratch, integer_product, integer_scratch
from fourcc.kernels.products.row_gemv import decoder, up_to

Function = Callable[..., Any]


def quantized(zero: int, *, around_means: bool = False) -> Activation:
    """Activations for codes whose zero point is `zero`, and which lie, or do not, around the mean of their block."""
    name = f"int8 against {zero}" + (", exact sums" if around_means else "")
    return Activation(name, quantizer(zero, around_means=around_means))


def scratch(cols: int) -> int:
    """Bytes of scratch memory for the product with quantized activations and with floats."""
    return max(integer_scratch(cols), float_scratch(cols))


def integers(
    few: KernelFunction,
    most: int,
    panel: Function,
    decode: Function,
    *,
    zero: int,
    parts: tuple[str, ...],
    around_means: bool = False,
    **more: Any,
) -> Kernel:
    """The kernel of a format whose blocks along a row have integer codes.

    Args:
        few: the product with up to `most` activations.
        most: above that, making a panel costs less.
        panel: makes a panel of codes.
        decode: (weights, row, out) writes a row's floats.
        zero: what is to be taken from each code as the panel holds it.
        parts: names of the stored parts.
        around_means: whether blocks have a mean beside their scale, around which their codes lie.
        more: further fields of the kernel.
    """
    tile = up_to(most, few, integer_product(panel, affine=around_means))
    activation, exact = quantized(zero, around_means=around_means), float_product(decode)
    return Kernel("native", activation, tile, exact, decoder(decode), scratch, parts, **more)
