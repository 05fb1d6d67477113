"""Weights in NVFP4 by compressed-tensors: ``python tests/lanes/nvfp4.py weights.npz out.npz``.

Wants torch and compressed-tensors, nothing of fourcc. For each array of weights ``NAME.w`` it writes the divisor,
the scales and the codes, and what random codes and scales ``NAME.q``, ``NAME.s`` and the divisor ``NAME.d`` decode to.
"""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from compressed_tensors.compressors.nvfp4.helpers import pack_fp4_to_uint8, unpack_fp4_from_uint8
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize
from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam

E4M3 = torch.float8_e4m3fn
ARGUMENTS = QuantizationArgs(
    num_bits=4,
    type="float",
    strategy="tensor_group",
    group_size=16,
    symmetric=True,
    scale_dtype=E4M3,
    zp_dtype=E4M3,
)


def quantized(w: Any) -> dict[str, Any]:
    """Divisor, scales and codes of weights (rows, cols)."""
    x = torch.from_numpy(w)
    divisor = generate_gparam(x.min(), x.max())
    blocks = x.reshape(len(w), -1, 16)
    scales, _ = calculate_qparams(blocks.amin(-1), blocks.amax(-1), ARGUMENTS, global_scale=divisor)
    scales = scales.to(E4M3)
    codes = quantize(x, scales.float(), None, ARGUMENTS, global_scale=divisor)
    packed = pack_fp4_to_uint8(codes)
    return {"divisor": divisor.numpy(), "scales": scales.view(torch.uint8).numpy(), "codes": packed.numpy()}


def decoded(given: Mapping[str, Any], name: str) -> Any:
    """The weights of codes and scales in float32; compressed-tensors would round them to bfloat16."""
    codes, scales, divisor = (torch.from_numpy(given[f"{name}.{part}"]) for part in "qsd")
    levels = unpack_fp4_from_uint8(codes, len(codes), 2 * codes.shape[1], dtype=torch.float32)
    scales = scales.view(E4M3).float()
    return dequantize(levels, scales, args=ARGUMENTS, global_scale=divisor, dtype=torch.float32).numpy()


def main(source: str, out: str) -> None:
    """Reads one file and writes the other."""
    given, made = dict(np.load(source)), {}
    for name in sorted({key.partition(".")[0] for key in given}):
        made |= {f"{name}.{part}": value for part, value in quantized(given[f"{name}.w"]).items()}
        made[f"{name}.decoded"] = decoded(given, name)
    np.savez(out, **made)


if __name__ == "__main__":
    main(*sys.argv[1:])
