"""Small Llamas that MLX, bitsandbytes and exllamav3 might have quantized: converted, kept and anew, and run."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

import fourcc
from fourcc.formats.nf4 import LEVELS
from fourcc.sources import open_source
from tests.sources.writers import Arrays, config, decoded, llama, to_hf, written
from tests.sources.writers_exl3 import exl3

SIZES = {"dim": 128, "hidden": 128, "heads": 4, "kv_heads": 4, "layers": 1, "vocab": 40, "seq": 16}
Made = tuple[Arrays, np.ndarray]  # the tensors of a matrix by their endings, and its weights


def mlx(outs: int, ins: int, rng: np.random.Generator) -> Made:
    """6 bits, groups of 32, scales in float16."""
    codes = rng.integers(0, 64, (outs, ins))
    scales, offsets = rng.uniform(0.001, 0.004, (outs, ins // 32)), rng.uniform(-0.2, 0, (outs, ins // 32))
    scales, offsets = scales.astype("<f2"), offsets.astype("<f2")
    flags = (codes[..., None] >> np.arange(6) & 1).astype(np.uint8).reshape(outs, -1)
    words = np.packbits(flags, axis=1, bitorder="little").view("<u4")
    wide = (each.astype("<f4").repeat(32, axis=1) for each in (scales, offsets))
    scale, offset = wide
    return {"weight": words, "scales": scales, "biases": offsets}, scale * codes.astype("<f4") + offset


def nf4(outs: int, ins: int, rng: np.random.Generator) -> Made:
    """bitsandbytes' NF4 with nested scales."""
    codes, absmax = rng.integers(0, 16, outs * ins), rng.integers(0, 256, outs * ins // 64).astype(np.uint8)
    levels = rng.uniform(-1, 1, 256).astype("<f4")
    outer = rng.uniform(0.01, 0.02, -(-len(absmax) // 256)).astype("<f4")
    state = {"quant_type": "nf4", "blocksize": 64, "shape": [outs, ins], "nested_blocksize": 256, "nested_offset": 0.05}
    tensors = {
        "weight": (codes[0::2] << 4 | codes[1::2]).astype(np.uint8)[:, None],
        "weight.absmax": absmax,
        "weight.quant_map": LEVELS,
        "weight.nested_absmax": outer,
        "weight.nested_quant_map": levels,
        "weight.quant_state.bitsandbytes__nf4": np.frombuffer(json.dumps(state).encode(), np.uint8),
    }
    scales = levels[absmax] * outer.repeat(256)[: len(absmax)] + np.float32(0.05)
    return tensors, (scales.repeat(64) * LEVELS[codes]).reshape(outs, ins)


def int8(outs: int, ins: int, rng: np.random.Generator) -> Made:
    """bitsandbytes' int8."""
    codes, peaks = rng.integers(-127, 128, (outs, ins)).astype(np.int8), rng.uniform(0.05, 0.1, outs).astype("<f4")
    return {"weight": codes, "SCB": peaks}, codes.astype("<f4") * peaks[:, None] * np.float32(1 / 127)


def trellis(outs: int, ins: int, rng: np.random.Generator) -> Made:
    """EXL3 of 2 bits."""
    return exl3(outs, ins, 4, "mcg", seed=int(rng.integers(99)), spread=0.1)


KINDS: dict[str, tuple[Callable[[int, int, np.random.Generator], Made], dict[str, object]]] = {
    "mlx": (mlx, {"quantization": {"group_size": 32, "bits": 6}}),
    "nf4": (nf4, {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}),
    "int8": (int8, {"quantization_config": {"load_in_8bit": True}}),
    "exl3": (trellis, {"quantization_config": {"quant_method": "exl3", "bits": 2.0}}),
}


def folders(path: Path, kind: str) -> tuple[Path, Path]:
    """A Llama in a scheme, and the same weights plain."""
    make, said = KINDS[kind]
    h, ours = llama(**SIZES)
    rng = np.random.default_rng(3)
    stored: Arrays = {}
    plain = to_hf(h, ours)
    for name, array in list(plain.items()):
        if not name.endswith("_proj.weight"):
            stored[name] = array
            continue
        parts, plain[name] = make(*array.shape, rng)
        plain[name] = plain[name].astype("<f4")
        stored |= {
            f"{name.removesuffix('.weight')}.{ending}": np.ascontiguousarray(part) for ending, part in parts.items()
        }
    made = []
    for folder, tensors, more in ((path / "q", stored, said), (path / "p", plain, {})):
        folder.mkdir()
        written(folder, "model.safetensors", save({name: np.ascontiguousarray(each) for name, each in tensors.items()}))
        written(folder, "config.json", config(h, **more))
        made.append(folder)
    return made[0], made[1]


def logits(path: Path) -> np.ndarray:
    """The logits after each of five tokens."""
    with fourcc.open(path) as model:
        return model.network(threads=1).forward([1, 5, 9, 2, 7], every=True).astype(np.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_a_llama_of_another_tool_is_the_plain_one(tmp_path: Path, kind: str) -> None:
    """Its tensors are those of the plain model, rows of q and k as adjacent pairs included."""
    quantized, plain = folders(tmp_path, kind)
    with open_source(quantized) as source, open_source(plain) as other:
        found, expected = decoded(source), decoded(other)
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[name], expected[name]) for name in expected)


# Kernels for the products of the first and the third are compiled for these tests alone.
COSTLY = {"mlx", "int8"}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.thorough) if kind in COSTLY else kind for kind in KINDS]
)
def test_a_llama_of_another_tool_runs(tmp_path: Path, kind: str) -> None:
    """Its logits are those of the plain model, kept and anew."""
    quantized, plain = folders(tmp_path, kind)
    fourcc.convert(quantized, tmp_path / "kept.bin")
    fourcc.convert(plain, tmp_path / "plain.bin")
    fourcc.convert(quantized, tmp_path / "q8.bin", format="Q8_0")
    wanted, kept, anew = (logits(tmp_path / f"{name}.bin") for name in ("plain", "kept", "q8"))
    assert np.abs(kept - wanted).max() < 1e-4 * np.abs(wanted).max()
    assert np.abs(anew - wanted).max() < 0.1 * np.abs(wanted).max()
