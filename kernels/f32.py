"""F32: `fourcc.kernels.plain` as it is."""

from fourcc.kernels.plain import DECODED as KERNEL

__all__ = ["KERNEL"]
