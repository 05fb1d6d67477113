"""Writers of the files of llama2.c's forks, from their layouts alone; each also gives what its own reader decodes."""

import struct

import numpy as np

from tests.sources.writers import Arrays

KINDS = ("wq", "wk", "wv", "wo")
AWQ_COLUMNS = (0, 2, 4, 6, 1, 3, 5, 7)


def header(h: dict[str, int], *, unshared: bool = False) -> bytes:
    """Seven numbers; a negative vocabulary says that there is an output matrix."""
    vocab = -h["vocab"] if unshared else h["vocab"]
    return struct.pack("<7i", h["dim"], h["hidden"], h["layers"], h["heads"], h["kv_heads"], vocab, h["seq"])


def by_kind(h: dict[str, int]) -> list[list[str]]:
    """Names of the tensors in the order of version 0, all layers of a kind together."""
    ends = [
        "attention_norm",
        *(f"attention.{k}" for k in KINDS),
        "ffn_norm",
        *(f"feed_forward.w{i}" for i in (1, 2, 3)),
    ]
    return [["tok_embeddings"], *([f"layers.{i}.{end}" for i in range(h["layers"])] for end in ends), ["norm"]]


def tables(h: dict[str, int]) -> np.ndarray:
    """Something in the place of RoPE's cosines and sines."""
    return np.full(h["seq"] * h["dim"] // h["heads"], 0.5, "<f4")


def maxima(h: dict[str, int], tensors: Arrays) -> tuple[bytes, Arrays]:
    """13 maxima over all layers, then int8: round half away from zero of w * (127 / max)."""
    groups = [[tensors[name] for name in names] for names in by_kind(h)]
    halves = np.split(tables(h), 2)
    largest = [np.float32(max(np.abs(w).max() for w in group)) for group in [*groups, *([half] for half in halves)]]
    codes, truth = b"", {}
    for names, group, top in zip(by_kind(h), groups, largest, strict=False):
        for name, w in zip(names, group, strict=True):
            scaled = w.astype(np.float64) * (np.float32(127) / top)
            q = (np.sign(scaled) * np.floor(np.abs(scaled) + 0.5)).astype(np.int8)
            codes += q.tobytes()
            truth[name] = (top / np.float32(127)) * q.astype(np.float32)
    codes += bytes([127]) * (2 * len(halves[0]))
    return header(h) + struct.pack("<13f", *largest) + codes, truth


def minimum(h: dict[str, int], tensors: Arrays, bits: int, *, rope: bool) -> tuple[bytes, Arrays]:
    """Minimum, scale and codes of each tensor; 4-bit codes lie in order, the first in the high nibble."""
    out, truth = header(h, unshared="output" in tensors), {}
    for name in [name for names in by_kind(h) for name in names]:
        data, truth[name] = _record(tensors[name], bits)
        out += data
    out += tables(h).tobytes() if rope else b""
    if "output" in tensors:
        data, truth["output"] = _record(tensors["output"], bits)
        out += data
    return out, truth


def _record(w: np.ndarray, bits: int) -> tuple[bytes, np.ndarray]:
    top, low = 2**bits - 1, w.min()
    scale = np.float32((w.max() - low) / np.float32(top))
    q = np.floor((w - low) / (w.max() - low) * top + 0.5).astype(np.uint8)
    flat = q.reshape(-1)
    packed = flat if bits == 8 else np.array([int(a) << 4 | int(b) for a, b in flat.reshape(-1, 2)], np.uint8)
    decoded = low + (scale * q.astype(np.float32)).astype(np.float32)
    return struct.pack("<ff", low, scale) + packed.tobytes(), decoded


def qmatrix(h: dict[str, int], tensors: Arrays, kinds: dict[str, str]) -> tuple[bytes, Arrays]:
    """A QMatrix file: `kinds` says which four characters the matrices of an ending have; others are float32."""
    out, truth = header(h, unshared="output" in tensors), {}
    names = [name for group in by_kind(h) for name in group]
    for name in [*names, "", *(["output"] if "output" in tensors else [])]:
        code = next((code for end, code in kinds.items() if name.endswith(end)), None)
        if not name:
            out += tables(h).tobytes()
        elif code is None:
            out, truth[name] = out + tensors[name].tobytes(), tensors[name]
        else:
            data, truth[name] = MAKERS[code](tensors[name])
            out += code.encode() + struct.pack("<ii", *tensors[name].shape) + data
    return out, truth


def q8_a(w: np.ndarray) -> tuple[bytes, np.ndarray]:
    """Scales of 128 rows of a column, with the exporter's fault: all but the first are of other rows."""
    rows = len(w)
    scales = np.stack([np.abs(w[i : i + 128]).max(axis=0) for i in range(rows // 128)]).astype("<f4")
    q = np.clip(np.trunc(w * (127.0 / np.repeat(scales.astype(np.float64), 128, axis=0))), -128, 127).astype(np.int8)
    decoded = np.repeat(scales.astype(np.float64) / 127.0, 128, axis=0) * q
    return scales.tobytes() + q.tobytes(), decoded.astype(np.float32)


def q8_b(w: np.ndarray) -> tuple[bytes, np.ndarray]:
    """Scales and means of 128 columns of a row."""
    blocks = w.reshape(len(w), -1, 128)
    means = blocks.mean(axis=2, dtype=np.float32)
    scales = np.abs(blocks - means[..., None]).max(axis=2).astype("<f4")
    q = np.trunc(np.clip((blocks - means[..., None]) * (127.0 / scales[..., None].astype(np.float64)), -128, 127))
    decoded = scales[..., None].astype(np.float64) / 127.0 * q + means[..., None]
    data = scales.tobytes() + means.astype("<f4").tobytes() + q.astype(np.int8).tobytes()
    return data, decoded.astype(np.float32).reshape(w.shape)


def q4_a(w: np.ndarray) -> tuple[bytes, np.ndarray]:
    """16 bins of 256 columns of a row, the even column's index in the high nibble."""
    blocks = w.reshape(len(w), -1, 256)
    bins = np.sort(blocks, axis=2).reshape(*blocks.shape[:2], 16, 16).mean(axis=3, dtype=np.float32)
    index = np.abs(blocks[..., None] - bins[:, :, None, :]).argmin(axis=3)
    decoded = np.take_along_axis(bins, index, axis=2).reshape(w.shape)
    pairs = index.reshape(len(w), -1, 2)
    return bins.astype("<f4").tobytes() + (pairs[..., 0] << 4 | pairs[..., 1]).astype(np.uint8).tobytes(), decoded


MAKERS = {"q8_a": q8_a, "q8_b": q8_b, "q4_a": q4_a}


def awq_words(codes: np.ndarray) -> np.ndarray:
    """Codes (rows, cols) as words (rows, cols / 8): nibble k is column AWQ_COLUMNS[k] of eight."""
    eights = codes.reshape(len(codes), -1, 8).astype(np.uint32)
    words = np.zeros(eights.shape[:2], np.uint32)
    for k, column in enumerate(AWQ_COLUMNS):
        words |= eights[:, :, column] << np.uint32(4 * k)
    return words.view("<i4")


def awq_quantized(w: np.ndarray, group: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Codes and zero points (inputs or groups, outputs), float16 scales, and weights (outputs, inputs)."""
    random = np.random.default_rng(seed)
    ins, outs = w.shape[1], w.shape[0]
    scales = (np.abs(w.T).reshape(ins // group, group, outs).max(axis=1) / 7).astype(np.float16)
    zeros = random.integers(5, 11, (ins // group, outs))
    wide = np.repeat(scales.astype(np.float64), group, axis=0)
    q = np.clip(np.rint(w.T / wide) + np.repeat(zeros, group, axis=0), 0, 15).astype(np.uint8)
    decoded = np.repeat(scales.astype(np.float32), group, axis=0) * (q - np.repeat(zeros, group, axis=0))
    return q, zeros.astype(np.uint8), scales, decoded.T.astype(np.float32)


def awq_file(h: dict[str, int], tensors: Arrays) -> tuple[bytes, Arrays]:
    """The file of `int4-avx2`: layers' matrices as ``q_aw``; q and k in Hugging Face's order of rows."""
    out, truth = header(h, unshared=True), {}
    names = [name for group in by_kind(h) for name in group]
    for number, name in enumerate([*names, "", "output"]):
        w = tables(h) if not name else tensors[name]
        if w.ndim == 2 and name.startswith("layers"):
            q, zeros, scales, decoded = awq_quantized(w, 128, number)
            out += b"q_aw" + struct.pack("<ii", w.shape[1], w.shape[0]) + scales.astype("<f4").tobytes()
            out += awq_words(zeros).tobytes() + awq_words(q).tobytes()
            truth[name] = adjacent(decoded, h["dim"] // h["heads"]) if name.endswith(("wq", "wk")) else decoded
        else:
            out += w.tobytes()
            if name:
                truth[name] = w
    return out, truth


def adjacent(rows: np.ndarray, head_dim: int) -> np.ndarray:
    """From Hugging Face's order of a head's rows, first halves of pairs and then second, to pairs."""
    heads = rows.reshape(-1, head_dim, *rows.shape[1:])
    out = np.empty_like(heads)
    out[:, 0::2], out[:, 1::2] = heads[:, : head_dim // 2], heads[:, head_dim // 2 :]
    return out.reshape(rows.shape)
