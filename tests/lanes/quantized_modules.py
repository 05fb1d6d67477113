"""Matrices that compressed-tensors quantized, and the weights that it and transformers read from them again.

Wants an environment with compressed-tensors, transformers and torch (for processors); fourcc is not needed::

    python tests/lanes/quantized_modules.py            # compares with tests/vectors/quantized_modules.json
    python tests/lanes/quantized_modules.py --write    # writes it anew

Weights are drawn with a seed; their scales, codes and tensors are compressed-tensors' own. What DeepSeek's FP8 decodes
to says transformers' `Fp8Dequantize`. ``tests/sources/test_quantized_modules.py`` has fourcc read the same tensors.
"""

import argparse
import base64
import datetime as dt
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import compressed_tensors
import torch
import transformers
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam
from transformers.integrations.finegrained_fp8 import Fp8Dequantize

STORED = Path(__file__).parents[1] / "vectors" / "quantized_modules.json"
ROWS, COLS = 16, 64
WORDS = {
    torch.float8_e4m3fn: "F8_E4M3",
    torch.bfloat16: "BF16",
    torch.float32: "F32",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.int32: "I32",
    torch.int64: "I64",
}
Tensors = Mapping[str, torch.Tensor]
Case = tuple[dict[str, object], Tensors, torch.Tensor]  # quantization_config, the module's tensors, its weights


def drawn(seed: int) -> torch.Tensor:
    """Weights of different sizes, bfloat16."""
    generator = torch.Generator().manual_seed(seed)
    spread = torch.randn(ROWS, COLS, generator=generator) * torch.randn(ROWS, 1, generator=generator).exp()
    return (spread / 16).to(torch.bfloat16)


def extremes(weight: torch.Tensor, args: QuantizationArgs) -> tuple[torch.Tensor, torch.Tensor]:
    """The least and largest weight of all that share a scale."""
    tall, wide = {"tensor": (ROWS, COLS), "channel": (1, COLS)}.get(args.strategy, (1, args.group_size or COLS))
    if args.strategy == "block":
        tall, wide = args.block_structure
    low = weight.reshape(ROWS // tall, tall, COLS // wide, wide).amin((1, 3))
    high = weight.reshape(ROWS // tall, tall, COLS // wide, wide).amax((1, 3))
    return (low.flatten(), high.flatten()) if args.strategy == "tensor" else (low, high)


def compressed(form: str, seed: int, **arguments: object) -> Case:
    """A matrix in one of compressed-tensors' formats."""
    weight, args = drawn(seed), QuantizationArgs(**arguments)
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    second = generate_gparam(weight.amin(), weight.amax()) if args.strategy == "tensor_group" else None
    scale, zero = calculate_qparams(*extremes(weight, args), args, global_scale=second)
    state = {"weight": weight, "weight_scale": scale, "weight_zero_point": zero}
    state |= {} if second is None else {"weight_global_scale": second.reshape(1)}
    compressor = BaseCompressor.get_value_from_registry(form)
    stored = compressor.compress(state, scheme)
    read = compressor.decompress(dict(stored), scheme)["weight"]
    group = json.loads(scheme.model_dump_json())
    said = {"quant_method": "compressed-tensors", "format": form, "config_groups": {"group_0": group}, "ignore": []}
    return said, stored, read


def deepseek(block: tuple[int, int] | None, dtype: torch.dtype, seed: int) -> Case:
    """FP8 as DeepSeek's, with a scale a block, or with one."""
    weight = drawn(seed)
    tall, wide = block or (ROWS, COLS)
    blocks = weight.reshape(ROWS // tall, tall, COLS // wide, wide)
    scale = (blocks.abs().amax((1, 3), keepdim=True).float() / 448).to(dtype)
    values = (blocks / scale).reshape(ROWS, COLS).to(torch.float8_e4m3fn)
    scales = scale.reshape(ROWS // tall, COLS // wide)
    read = Fp8Dequantize(None)._dequantize_one(values, scales)
    stated = None if block is None else list(block)
    said = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": stated}
    stored = scales if block else scales.reshape(())
    return said, {"weight": values, "weight_scale_inv": stored}, read


FLOAT8 = {"num_bits": 8, "type": "float"}
CASES: dict[str, Callable[[], Case]] = {
    "fp8 blocks": lambda: deepseek((4, 16), torch.float32, 1),
    "fp8 blocks, bfloat16 scales": lambda: deepseek((2, 32), torch.bfloat16, 2),
    "fp8 one scale": lambda: deepseek(None, torch.float32, 3),
    "float-quantized rows": lambda: compressed("float-quantized", 4, **FLOAT8, strategy="channel"),
    "float-quantized tensor": lambda: compressed("float-quantized", 5, **FLOAT8, strategy="tensor"),
    "float-quantized blocks": lambda: compressed(
        "float-quantized", 6, **FLOAT8, strategy="block", block_structure=[4, 16]
    ),
    "naive-quantized groups": lambda: compressed("naive-quantized", 7, **FLOAT8, strategy="group", group_size=16),
    "mxfp8": lambda: compressed(
        "mxfp8-quantized", 8, **FLOAT8, strategy="group", group_size=32, scale_dtype=torch.uint8
    ),
    "nvfp4": lambda: compressed(
        "nvfp4-pack-quantized", 9, num_bits=4, type="float", strategy="tensor_group", group_size=16
    ),
    "mxfp4": lambda: compressed(
        "mxfp4-pack-quantized", 10, num_bits=4, type="float", strategy="group", group_size=32, scale_dtype=torch.uint8
    ),
    "int4": lambda: compressed("pack-quantized", 11, num_bits=4, strategy="group", group_size=16),
    "int4 with zero points": lambda: compressed(
        "pack-quantized", 12, num_bits=4, strategy="group", group_size=16, symmetric=False
    ),
    "int3 with zero points": lambda: compressed(
        "pack-quantized", 13, num_bits=3, strategy="group", group_size=32, symmetric=False
    ),
    "int8 rows": lambda: compressed("pack-quantized", 14, num_bits=8, strategy="channel"),
    "int8 bytes": lambda: compressed("int-quantized", 15, num_bits=8, strategy="channel"),
}


def coded(tensor: torch.Tensor) -> dict[str, object]:
    """A tensor as JSON: dtype, shape and bytes."""
    flat = tensor.detach().contiguous().reshape(-1)
    data = flat.view(torch.uint8).numpy().tobytes()
    return {"dtype": WORDS[tensor.dtype], "shape": list(tensor.shape), "data": base64.b64encode(data).decode()}


def record(case: Case) -> dict[str, object]:
    """A case as JSON."""
    said, stored, read = case
    tensors = {ending: coded(tensor) for ending, tensor in stored.items()}
    return {"quantization_config": said, "tensors": tensors, "weight": coded(read)}


def main() -> int:
    """Compares, or writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="store what the packages say")
    found = {name: record(make()) for name, make in CASES.items()}
    if parser.parse_args().write:
        provenance = {
            "by": "tests/lanes/quantized_modules.py",
            "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
            "compressed-tensors": compressed_tensors.__version__,
            "transformers": transformers.__version__,
            "torch": torch.__version__,
            "holds": "tensors and weights of each case, base64 of their bytes",
        }
        STORED.write_text(json.dumps({"provenance": provenance, "cases": found}, indent=1) + "\n")
        return 0
    before = json.loads(STORED.read_text())["cases"]
    other = [name for name in CASES if before.get(name) != json.loads(json.dumps(found[name]))]
    sys.stdout.write(f"{len(CASES) - len(other)} of {len(CASES)} cases are as stored; others: {other}\n")
    return int(bool(other))


if __name__ == "__main__":
    sys.exit(main())
