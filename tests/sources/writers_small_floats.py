"""Writers of checkpoints in FP8, NVFP4 and MXFP4: each matrix as random numbers and scales, and its weights.

From the tools' descriptions of their layouts. Numbers are ml_dtypes' and E2M1's list; the weights are in the dtype in
which the tool computes them.
"""

from collections.abc import Callable

import ml_dtypes
import numpy as np

Made = tuple[dict[str, np.ndarray], np.ndarray]  # the tensors of a matrix by their endings, and its weights (out, in)
Maker = Callable[..., Made]
E4M3, E8M0, BF16 = np.dtype(ml_dtypes.float8_e4m3fn), np.dtype(ml_dtypes.float8_e8m0fnu), np.dtype(ml_dtypes.bfloat16)
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)
INPUT_SCALE = {"input_scale": np.array(0.25, np.float32)}


def numbers(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """E4M3 numbers, any but NaN."""
    byte = rng.integers(0, 254, shape).astype(np.uint8)
    return (byte + (byte > 126)).view(E4M3)


def spread(scales: np.ndarray, tall: int, wide: int, shape: tuple[int, int]) -> np.ndarray:
    """Scales (down, across) of blocks, repeated for each weight."""
    return scales.repeat(tall, axis=0).repeat(wide, axis=1)[: shape[0], : shape[1]]


def float8(
    block: tuple[int | None, int | None],
    ending: str = "weight_scale",
    *,
    dtype: np.dtype = BF16,
    shaped: tuple[int, ...] | None = None,
    more: dict[str, np.ndarray] | None = None,
) -> Maker:
    """FP8 with a scale for each block; `shaped` is another shape of the scales, `more` are other tensors."""

    def make(outs: int, ins: int, rng: np.random.Generator) -> Made:
        tall, wide = block[0] or outs, block[1] or ins
        scales = rng.uniform(0.001, 0.02, (-(-outs // tall), -(-ins // wide))).astype(dtype)
        weight = numbers((outs, ins), rng)
        exact = np.float32 if scales.dtype == np.float32 else scales.dtype
        parts = {"weight": weight, ending: scales if shaped is None else scales.reshape(shaped), **(more or {})}
        return parts, weight.astype(exact) * spread(scales, tall, wide, (outs, ins))

    return make


def float8_powers(outs: int, ins: int, rng: np.random.Generator) -> Made:
    """FP8 in blocks of 24 x 20 whose scales are E8M0."""
    weight, powers = numbers((outs, ins), rng), rng.integers(110, 130, (-(-outs // 24), -(-ins // 20)))
    scales = np.ldexp(np.float32(1), powers - 127).astype(np.float32)
    parts = {"weight": weight, "weight_scale_inv": powers.astype(np.uint8).view(E8M0)}
    return parts, weight.astype(np.float32) * spread(scales, 24, 20, (outs, ins))


def mxfp8(outs: int, ins: int, rng: np.random.Generator) -> Made:
    """compressed-tensors' MXFP8: exponents for 32 columns each."""
    weight, exponents = numbers((outs, ins), rng), rng.integers(100, 130, (outs, ins // 32)).astype(np.uint8)
    scales = np.ldexp(np.float32(1), exponents.astype(int) - 127).astype(np.float32)
    return {"weight": weight, "weight_scale": exponents}, weight.astype(np.float32) * scales.repeat(32, axis=1)


def pairs(outs: int, ins: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """E2M1 codes, neighbours in a byte, and their numbers."""
    codes = rng.integers(0, 16, (outs, ins)).astype(np.uint8)
    return codes[:, 0::2] | codes[:, 1::2] << 4, E2M1[codes]


def modelopt_nvfp4(outs: int, ins: int, rng: np.random.Generator) -> Made:
    """ModelOpt's NVFP4: the second scale is a factor."""
    packed, levels = pairs(outs, ins, rng)
    scales, second = np.abs(numbers((outs, ins // 16), rng).astype(np.float32)), np.float32(rng.uniform(1e-4, 1e-3))
    parts = {"weight": packed, "weight_scale": scales.astype(E4M3), "weight_scale_2": np.array(second), **INPUT_SCALE}
    return parts, levels * (scales * second).repeat(16, axis=1)


def compressed_nvfp4(outs: int, ins: int, rng: np.random.Generator) -> Made:
    """compressed-tensors' NVFP4: the second scale is a divisor."""
    packed, levels = pairs(outs, ins, rng)
    scales, second = np.abs(numbers((outs, ins // 16), rng).astype(np.float32)), np.float32(rng.uniform(1e3, 1e4))
    parts = {"weight_packed": packed, "weight_scale": scales.astype(E4M3)}
    parts |= {"weight_global_scale": np.array([second]), "input_global_scale": np.array([9.0], np.float32)}
    return parts, levels * (scales / second).repeat(16, axis=1)


def compressed_mxfp4(outs: int, ins: int, rng: np.random.Generator) -> Made:
    """compressed-tensors' MXFP4: exponents for 32 weights each."""
    packed, levels = pairs(outs, ins, rng)
    exponents = rng.integers(100, 130, (outs, ins // 32)).astype(np.uint8)
    scales = np.ldexp(np.float32(1), exponents.astype(int) - 127).astype(np.float32)
    return {"weight_packed": packed, "weight_scale": exponents}, levels * scales.repeat(32, axis=1)


def group(bits: int, kind: str, strategy: str, **more: object) -> dict[str, object]:
    """A group of compressed-tensors' config, for all modules that are Linear."""
    weights = {"num_bits": bits, "type": kind, "strategy": strategy, "symmetric": True, "dynamic": False, **more}
    return {"targets": ["Linear"], "weights": weights, "input_activations": None}


def compressed(form: str, *groups: dict[str, object], **more: object) -> dict[str, object]:
    """compressed-tensors' config."""
    numbered = {f"group_{number}": each for number, each in enumerate(groups)}
    return {"quant_method": "compressed-tensors", "format": form, "config_groups": numbered, "ignore": [], **more}


def _fp8(block: list[int] | None, scheme: str = "dynamic") -> dict[str, object]:
    return {"quant_method": "fp8", "activation_scheme": scheme, "weight_block_size": block}


INV = "weight_scale_inv"
F32 = np.dtype("<f4")
FLOAT8_GROUP = group(8, "float", "channel") | {"input_activations": {"num_bits": 8, "type": "float", "dynamic": True}}
FLOAT_KINDS: dict[str, tuple[Maker, dict[str, object]]] = {
    "fp8 in blocks": (float8((24, 20), INV, dtype=F32), _fp8([24, 20]) | {"fmt": "e4m3"}),
    "fp8 in blocks of 128": (float8((128, 128), INV), _fp8([128, 128])),
    "fp8 in blocks, powers of two": (float8_powers, _fp8([24, 20]) | {"scale_fmt": "ue8m0"}),
    "fp8 with one scale": (float8((None, None), dtype=F32, shaped=(), more=INPUT_SCALE), _fp8(None, "static")),
    "fp8 with one scale in a list": (
        float8((None, None), INV, shaped=(1,), more={"activation_scale": np.array(0.5, np.float32)}),
        _fp8(None, "static"),
    ),
    "fbgemm fp8": (float8((1, None), dtype=F32), {"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0}),
    "compressed fp8 a row": (float8((1, None)), compressed("float-quantized", FLOAT8_GROUP)),
    "compressed fp8 a tensor": (
        float8((None, None), shaped=(1,)),
        compressed("naive-quantized", group(8, "float", "tensor")),
    ),
    "compressed fp8 in blocks": (
        float8((24, 20)),
        compressed("float-quantized", group(8, "float", "block", block_structure=[24, 20])),
    ),
    "compressed mxfp8": (mxfp8, compressed("mxfp8-quantized", group(8, "float", "group", group_size=32))),
    "modelopt fp8": (
        float8((None, None), dtype=F32, shaped=(), more=INPUT_SCALE),
        {"quant_method": "modelopt", "quant_algo": "FP8"},
    ),
    "modelopt nvfp4": (modelopt_nvfp4, {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16}),
    "compressed nvfp4": (
        compressed_nvfp4,
        compressed("nvfp4-pack-quantized", group(4, "float", "tensor_group", group_size=16)),
    ),
    "compressed mxfp4": (
        compressed_mxfp4,
        compressed("mxfp4-pack-quantized", group(4, "float", "group", group_size=32)),
    ),
}
