"""Block decoders on numpy's arrays, all blocks at once; see `fourcc.kernels.fusing.block_arrays`."""

from fourcc.kernels.fusing.block_arrays import MatrixPart, decode_blocks

__all__ = ["MatrixPart", "decode_blocks"]
