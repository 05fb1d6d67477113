"""F32: `fourcc.kernels.products.plain_floats` as it is."""

from fourcc.kernels.products.plain_floats import FLOATS as KERNEL

__all__ = ["KERNEL"]
