"""Writers of weight-only checkpoints: each matrix as random codes, scales and zero points, and what its reader decodes.

From the layouts alone, a code at a time; the decoders compute in float16, as the checkpoints' own do.
"""

from collections.abc import Callable

import numpy as np

from tests.sources.writers import Arrays, config, llama, to_hf
from tests.sources.writers_small_floats import FLOAT_KINDS

Made = tuple[Arrays, np.ndarray]  # the tensors of a matrix by their endings, and its weights (out, in) in float16
NIBBLES = (0, 4, 1, 5, 2, 6, 3, 7)  # AWQ: column j of eight is in nibble NIBBLES[j]


def stream(codes: np.ndarray, bits: int) -> np.ndarray:
    """Each row's codes behind each other, low bits first: (n, m) -> int32 (n, ceil(m * bits / 32))."""
    words = []
    for row in codes.tolist():
        number = sum(code << bits * place for place, code in enumerate(row))
        words.append(np.frombuffer(number.to_bytes(-(-len(row) * bits // 32) * 4, "little"), "<i4"))
    return np.stack(words)


def awq_words(codes: np.ndarray) -> np.ndarray:
    """(n, m) -> int32 (n, m / 8), in AWQ's order of nibbles."""
    out = np.zeros((codes.shape[0], codes.shape[1] // 8), np.uint32)
    for column in range(codes.shape[1]):
        out[:, column // 8] |= codes[:, column].astype(np.uint32) << np.uint32(4 * NIBBLES[column % 8])
    return out.view("<i4")


def drawn(outs: int, ins: int, bits: int, group: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Codes (in, out), zero points and float16 scales (groups, out)."""
    groups = -(-ins // group)
    codes, zeros = rng.integers(0, 2**bits, (ins, outs)), rng.integers(0, 2**bits, (groups, outs))
    return codes, zeros, rng.uniform(0.001, 0.02, (groups, outs)).astype("<f2")


def weights(codes: np.ndarray, zeros: np.ndarray, scales: np.ndarray, index: np.ndarray) -> np.ndarray:
    """float16 (out, in): the difference, which is exact, times the scale."""
    return np.ascontiguousarray(((codes - zeros[index]).astype("<f2") * scales[index]).T)


def awq(outs: int, ins: int, rng: np.random.Generator, group: int = 8) -> Made:
    """AutoAWQ's GEMM layout."""
    codes, zeros, scales = drawn(outs, ins, 4, group, rng)
    parts = {"qweight": awq_words(codes), "qzeros": awq_words(zeros), "scales": scales}
    return parts, weights(codes, zeros, scales, np.arange(ins) // group)


def gptq(bits: int, less: int, *, shuffled: bool, group: int = 8) -> Callable[..., Made]:
    """AutoGPTQ's layout; `less` is 1 in its first version. A shuffled index is act-order's."""

    def make(outs: int, ins: int, rng: np.random.Generator) -> Made:
        codes, zeros, scales = drawn(outs, ins, bits, group, rng)
        index = (np.arange(ins) // group).astype("<i4")
        if shuffled:
            rng.shuffle(index)
        parts = {
            "qweight": np.ascontiguousarray(stream(codes.T, bits).T),
            "qzeros": stream((zeros - less) % 2**bits, bits),
            "scales": scales,
            "g_idx": index,
        }
        return parts, weights(codes, zeros, scales, index)

    return make


def compressed(bits: int, kind: str, *, group: int = 8) -> Callable[..., Made]:
    """compressed-tensors: kind is ``packed``, ``asymmetric``, ``indexed`` or ``bytes``."""

    def make(outs: int, ins: int, rng: np.random.Generator) -> Made:
        size = ins if kind == "bytes" else group
        codes, zeros, scales = drawn(outs, ins, bits, size, rng)
        half, index = 2 ** (bits - 1), (np.arange(ins) // size).astype("<i4")
        parts: Arrays = {"weight_scale": np.ascontiguousarray(scales.T)}
        if kind == "bytes":
            parts["weight"] = np.ascontiguousarray((codes - half).T.astype("|i1"))
        else:
            parts["weight_packed"] = stream(codes.T, bits)
            parts["weight_shape"] = np.array([outs, ins], "<i8")
        if kind == "asymmetric":
            parts["weight_zero_point"] = np.ascontiguousarray(stream(zeros, bits).T)
        else:
            zeros = np.full_like(zeros, half)
        if kind == "indexed":
            rng.shuffle(index)
            parts["weight_g_idx"] = index
        return parts, weights(codes, zeros, scales, index)

    return make


def _said(bits: int, *, bytewise: bool = False) -> dict[str, object]:
    strategy = {"strategy": "channel"} if bytewise else {"strategy": "group", "group_size": 8}
    weights = {"num_bits": bits, "type": "int", **strategy}
    groups = {"group_0": {"weights": weights, "targets": ["Linear"]}}
    name = "int-quantized" if bytewise else "pack-quantized"
    return {"quant_method": "compressed-tensors", "format": name, "config_groups": groups}


def _gptq_said(bits: int, version: str = "gptq") -> dict[str, object]:
    return {"quant_method": "gptq", "bits": bits, "group_size": 8, "checkpoint_format": version}


INTEGER_KINDS: dict[str, tuple[Callable[..., Made], dict[str, object]]] = {
    "awq": (awq, {"quant_method": "awq", "bits": 4, "group_size": 8, "version": "gemm", "zero_point": True}),
    "gptq": (gptq(4, 1, shuffled=False), _gptq_said(4)),
    "gptq v2": (gptq(4, 0, shuffled=False), _gptq_said(4, "gptq_v2")),
    "gptq act-order": (gptq(4, 1, shuffled=True), _gptq_said(4)),
    "gptq 8 bits": (gptq(8, 1, shuffled=True), _gptq_said(8)),
    "gptq 3 bits": (gptq(3, 1, shuffled=False), _gptq_said(3)),
    "gptq 2 bits": (gptq(2, 0, shuffled=True), _gptq_said(2, "gptq_v2")),
    "compressed int4": (compressed(4, "packed"), _said(4)),
    "compressed int4 with zero points": (compressed(4, "asymmetric"), _said(4)),
    "compressed int4 act-order": (compressed(4, "indexed"), _said(4)),
    "compressed int8 packed": (compressed(8, "asymmetric"), _said(8)),
    "compressed int8": (compressed(8, "bytes"), _said(8, bytewise=True)),
    "compressed int3": (compressed(3, "asymmetric"), _said(3)),
}
KINDS = INTEGER_KINDS | FLOAT_KINDS


def checkpoint(kind: str, vocab: int = 7) -> tuple[Arrays, dict[str, object], Arrays]:
    """A tiny Llama: its tensors, its config, and the weights in Hugging Face's names that its own reader gives."""
    make, said = KINDS[kind]
    h, ours = llama(dim=32, hidden=64, heads=4, kv_heads=4, vocab=vocab, seq=16)
    rng = np.random.default_rng(3)
    stored: Arrays = {}
    truth = to_hf(h, ours)
    for name, array in list(truth.items()):
        if not name.endswith("_proj.weight"):
            stored[name] = array
            continue
        parts, truth[name] = make(*array.shape, rng)
        stored |= {f"{name.removesuffix('.weight')}.{ending}": part for ending, part in parts.items()}
    return stored, config(h, quantization_config=said), truth
