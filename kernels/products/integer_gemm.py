"""Kernels of integer codes: the activations are quantized, and panels hold codes."""

from __future__ import annotations

from collections.abc import Callable

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.kernel import Activation, Kernel
from fourcc.kernels.products.activations import quantizer, recorded_range
from fourcc.kernels.products.panel_gemm import float_product, float_scratch, integer_product, integer_scratch
from fourcc.kernels.products.row_gemv import choose_by_count, decoder
from fourcc.kernels.products.signatures import PanelMaker, WriteRow


def int8_activations(zero: int, *, exact_sums: bool = False) -> Activation:
    """Activations quantized to bytes, for codes whose zero point is `zero`; `exact_sums` as for `quantizer`."""
    name = f"int8 against {zero}" + (", exact sums" if exact_sums else "")
    static = quantizer(zero, recorded_range, exact_sums=exact_sums)
    return Activation(name, quantizer(zero, exact_sums=exact_sums), static=static)


def scratch(cols: int) -> int:
    """Bytes of scratch memory for the product with quantized activations and with floats."""
    return max(integer_scratch(cols), float_scratch(cols))


def integer_kernel(
    small_n: KernelFunction,
    most: int,
    panel: PanelMaker,
    decode: WriteRow,
    *,
    zero: int,
    parts: tuple[str, ...],
    affine: bool = False,
    pack: KernelFunction | None = None,
    packed: Callable[[int, int], int] | None = None,
) -> Kernel:
    """The kernel of a format whose blocks lie along a row and have integer codes.

    Args:
        small_n: the product with up to `most` activations.
        most: number of activations above which panels are faster; see `fourcc.kernels.products.crossover`.
        panel: writes a panel of codes.
        decode: writes a row's floats.
        zero: the code of weight 0, as the panel holds codes.
        parts: names of the stored parts.
        affine: whether blocks have an offset beside their scale: the mean of the weights, so it meets the exact sums.
        pack: writes the packed layout, if there is one.
        packed: (rows, cols) -> bytes of the packed layout.
    """
    tile = choose_by_count(most, small_n, integer_product(panel, affine=affine))
    activation, exact = int8_activations(zero, exact_sums=affine), float_product(decode)
    return Kernel("native", activation, tile, exact, decoder(decode), scratch, parts, pack=pack, packed=packed)
