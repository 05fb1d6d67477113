"""Matrices that compressed-tensors quantized, and the weights that it and transformers read from them again.

Wants an environment with compressed-tensors, transformers and torch (for processors); fourcc is not needed::

    python tests/lanes/quantized_modules.py            # compares with tests/vectors/quantized_modules.json
    python tests/lanes/quantized_modules.py --write    # writes it anew

Weights are drawn with a seed; their scales, codes and tensors are compressed-tensors' own. What DeepSeek's FP8 decodes
to says transformers' `Fp8Dequantize`, and what a Llama of such matrices computes its model. ``tests/sources/
test_quantized_modules.py`` has fourcc read the same tensors.
"""

import argparse
import base64
import datetime as dt
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import compressed_tensors
import torch
import transformers
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, FineGrainedFP8Config
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


LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "vocab_size": 16,
    "head_dim": 16,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 32,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "float32",
}
MATRICES = {
    "self_attn.q_proj": (32, 32),
    "self_attn.k_proj": (16, 32),
    "self_attn.v_proj": (16, 32),
    "self_attn.o_proj": (32, 32),
    "mlp.gate_proj": (64, 32),
    "mlp.up_proj": (64, 32),
    "mlp.down_proj": (32, 64),
}
TOKENS = [1, 5, 3, 15, 0, 7, 7, 2]


def llama() -> tuple[dict[str, object], dict[str, torch.Tensor]]:
    """A Llama whose matrices are FP8 with a scale for each block of 16 x 8: its config and tensors."""
    generator = torch.Generator().manual_seed(16)
    tensors = {"model.embed_tokens.weight": torch.randn(16, 32, generator=generator)}
    norms = ("layers.0.input_layernorm", "layers.0.post_attention_layernorm", "norm")
    tensors |= {f"model.{name}.weight": torch.rand(32, generator=generator) + 0.5 for name in norms}
    for name, (rows, cols) in MATRICES.items():
        module, values = f"model.layers.0.{name}", torch.randn(rows, cols, generator=generator) * 32
        tensors[f"{module}.weight"] = values.to(torch.float8_e4m3fn)
        tensors[f"{module}.weight_scale_inv"] = torch.rand(rows // 16, cols // 8, generator=generator) / 64
    said = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [16, 8]}
    return {**LLAMA, "quantization_config": said}, tensors


def logits(config: dict[str, object], tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    """The logits behind each token, float32, of the model with its weights dequantized."""
    with tempfile.TemporaryDirectory() as folder:
        save_file(tensors, Path(folder, "model.safetensors"), metadata={"format": "pt"})
        Path(folder, "config.json").write_text(json.dumps(config))
        plain = FineGrainedFP8Config(dequantize=True, weight_block_size=(16, 8))
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, quantization_config=plain).eval()
        with torch.no_grad():
            found: torch.Tensor = model(torch.tensor([TOKENS]), use_cache=False).logits[0]
    return found


def model_record() -> dict[str, object]:
    """The model as JSON."""
    config, tensors = llama()
    stored = {name: coded(tensor) for name, tensor in tensors.items()}
    return {"config": config, "tensors": stored, "tokens": TOKENS, "logits": coded(logits(config, tensors))}


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
            "holds": "tensors and weights of each case, tensors and logits of the model, base64 of their bytes",
        }
        everything = {"provenance": provenance, "cases": found, "model": model_record()}
        STORED.write_text(json.dumps(everything, indent=1) + "\n")
        return 0
    before = json.loads(STORED.read_text())
    other = [name for name in CASES if before["cases"].get(name) != json.loads(json.dumps(found[name]))]
    kept = torch.frombuffer(bytearray(base64.b64decode(before["model"]["logits"]["data"])), dtype=torch.float32)
    off = float((kept - logits(*llama()).flatten()).abs().max())
    sys.stdout.write(f"{len(CASES) - len(other)} of {len(CASES)} cases are as stored; others: {other}; logits {off}\n")
    return int(bool(other) or off > 1e-3)


if __name__ == "__main__":
    sys.exit(main())
