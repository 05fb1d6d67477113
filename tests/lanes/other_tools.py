"""Matrices that MLX and bitsandbytes quantized, and the weights that each decodes again.

Wants an environment with mlx, bitsandbytes and torch (for processors); fourcc is not needed::

    python tests/lanes/other_tools.py            # compares with tests/vectors/other_tools.json
    python tests/lanes/other_tools.py --write    # writes it anew

``tests/sources/test_other_tools.py`` has fourcc read the same tensors.
"""

import argparse
import base64
import datetime as dt
import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import bitsandbytes.functional as bnb
import mlx.core as mx
import numpy as np
import torch

STORED = Path(__file__).parents[1] / "vectors" / "other_tools.json"
ROWS, COLS = 4, 128
WORDS = {"float32": "F32", "uint8": "U8", "int8": "I8", "uint32": "U32", "float16": "F16"}
Case = tuple[dict[str, object], dict[str, Any], Any]  # fields of the config, the module's tensors, its weights


def weights() -> Any:
    """Rows of different sizes, float32."""
    random = np.random.default_rng(7)
    return (random.standard_normal((ROWS, COLS)) * np.exp(random.standard_normal((ROWS, 1)))).astype(np.float32)


def of_mlx(bits: int, group: int, mode: str = "affine") -> Case:
    """A matrix by MLX; its arithmetic is that of the scales' dtype, float32 here."""
    said: dict[str, Any] = {"group_size": group, "bits": bits} | ({} if mode == "affine" else {"mode": mode})
    made = mx.quantize(mx.array(weights()), **said)
    dtype = {} if mode == "affine" else {"dtype": mx.float32}
    plain = mx.dequantize(*made, **said, **dtype)
    names = ("weight", "scales", "biases")[: len(made)]
    tensors = {name: np.array(each) for name, each in zip(names, made, strict=True)}
    return {"quantization": said}, tensors, np.array(plain)


def of_bitsandbytes(kind: str, size: int, *, nested: bool) -> Case:
    """A matrix by bitsandbytes, in 4 bits."""
    stored, state = bnb.quantize_4bit(
        torch.from_numpy(weights()), blocksize=size, quant_type=kind, compress_statistics=nested
    )
    parts = {f"weight.{name}": tensor.numpy() for name, tensor in state.as_dict(packed=True).items()}
    said = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": kind}
    plain = bnb.dequantize_4bit(stored, state).numpy()
    return {"quantization_config": said}, {"weight": stored.numpy(), **parts}, plain


def of_int8() -> Case:
    """A matrix by bitsandbytes, in 8 bits."""
    stored, peaks, _ = bnb.int8_vectorwise_quant(torch.from_numpy(weights()).half())
    tensors = {"weight": stored.numpy(), "SCB": peaks.numpy(), "weight_format": np.array(0, np.uint8)}
    said = {"quant_method": "bitsandbytes", "load_in_8bit": True}
    return {"quantization_config": said}, tensors, bnb.int8_vectorwise_dequant(stored, peaks).numpy()


def cases() -> Iterator[tuple[str, Case]]:
    """Every scheme."""
    for bits in (2, 3, 4, 5, 6, 8):
        for group in (32, 64, 128):
            yield f"mlx {bits} bits, groups of {group}", of_mlx(bits, group)
    yield "mlx mxfp4", of_mlx(4, 32, "mxfp4")
    yield "mlx nvfp4", of_mlx(4, 16, "nvfp4")
    for kind in ("nf4", "fp4"):
        for size in (64, 128):
            for nested in (False, True):
                name = f"bitsandbytes {kind}, blocks of {size}{', nested' if nested else ''}"
                yield name, of_bitsandbytes(kind, size, nested=nested)
    yield "bitsandbytes int8", of_int8()


def packed(array: Any) -> dict[str, object]:
    """A tensor as JSON."""
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": WORDS[array.dtype.name], "shape": list(array.shape), "data": data}


def stored() -> dict[str, object]:
    """The contents of the file."""
    made = {
        name: {"config": said, "tensors": {key: packed(each) for key, each in parts.items()}, "weight": packed(plain)}
        for name, (said, parts, plain) in cases()
    }
    tools = ", ".join(f"{name} {version(name)}" for name in ("mlx", "bitsandbytes", "torch"))
    return {"provenance": f"{tools}; {dt.datetime.now(dt.UTC).date()}", "cases": made}


def main() -> int:
    """Compares, or writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    found = stored()
    if parser.parse_args().write:
        STORED.write_text(json.dumps(found, indent=1) + "\n", encoding="ascii")
        return 0
    same = json.loads(STORED.read_text())["cases"] == json.loads(json.dumps(found["cases"]))
    sys.stdout.write("equal\n" if same else "different\n")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
