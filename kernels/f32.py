"""F32: `fourcc.kernels.plain` as it is."""

from fourcc.kernels.plain import FLOATS as KERNEL

__all__ = ["KERNEL"]
