"""Writers of the checkpoints that the tests read: from the layouts alone, sharing nothing with the readers."""

import json
import math
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from fourcc.geometry import Geometry, split_shape
from fourcc.plugins.registry import registry
from fourcc.sources.source import Source, SourceTensor

Arrays = dict[str, np.ndarray]
HEADER = {"dim": 12, "hidden": 10, "layers": 2, "heads": 3, "kv_heads": 1, "vocab": 7, "seq": 5}
ATTENTION = ("wq", "wk", "wv", "wo")


def decode(tensor: SourceTensor, step: int = 3) -> np.ndarray:
    """The whole tensor, read a few rows at a time, or as many as the format has in a block."""
    found = registry[tensor.tag]
    lead, rows, cols = split_shape(tensor.shape)
    height = found.block[0]
    step = max(1, rows) if height is None else max(step, height)
    runs = [
        found.decode(tensor.read(matrix, first, last), Geometry(last - first, cols, tensor.params))
        for matrix in range(math.prod(lead) if math.prod(tensor.shape) else 0)
        for first in range(0, rows, step)
        for last in [min(rows, first + step)]
    ]
    return np.concatenate(runs).reshape(tensor.shape) if runs else np.empty(tensor.shape, np.float32)


def decoded(source: Source) -> Arrays:
    """Every tensor by name."""
    return {tensor.name: decode(tensor) for tensor in source.tensors}


def llama(*, shared: bool = True, seed: int = 0, **changes: int) -> tuple[dict[str, int], Arrays]:
    """A small Llama of random weights: its header's numbers, and its tensors in fourcc's names."""
    h = HEADER | changes
    kv_dim = h["dim"] * h["kv_heads"] // h["heads"]
    shapes: dict[str, tuple[int, ...]] = {"tok_embeddings": (h["vocab"], h["dim"])}
    for i in range(h["layers"]):
        shapes |= {
            f"layers.{i}.attention_norm": (h["dim"],),
            f"layers.{i}.attention.wq": (h["dim"], h["dim"]),
            f"layers.{i}.attention.wk": (kv_dim, h["dim"]),
            f"layers.{i}.attention.wv": (kv_dim, h["dim"]),
            f"layers.{i}.attention.wo": (h["dim"], h["dim"]),
            f"layers.{i}.ffn_norm": (h["dim"],),
            f"layers.{i}.feed_forward.w1": (h["hidden"], h["dim"]),
            f"layers.{i}.feed_forward.w2": (h["dim"], h["hidden"]),
            f"layers.{i}.feed_forward.w3": (h["hidden"], h["dim"]),
        }
    shapes["norm"] = (h["dim"],)
    if not shared:
        shapes["output"] = (h["vocab"], h["dim"])
    rng = np.random.default_rng(seed)
    return h, {name: rng.standard_normal(shape).astype("<f4") for name, shape in shapes.items()}


def _layers(h: dict[str, int], name: str) -> list[str]:
    return [f"layers.{i}.{name}" for i in range(h["layers"])]


def _seven(h: dict[str, int], vocab: int) -> bytes:
    return struct.pack("<7i", h["dim"], h["hidden"], h["layers"], h["heads"], h["kv_heads"], vocab, h["seq"])


def llama2c_v0(h: dict[str, int], tensors: Arrays, *, rope: bool = True) -> bytes:
    """Version 0: header, weights kind by kind, RoPE tables, and the output matrix where vocab_size is negative."""
    order = ["tok_embeddings", *_layers(h, "attention_norm")]
    for kind in ATTENTION:
        order += _layers(h, f"attention.{kind}")
    order += _layers(h, "ffn_norm")
    for kind in ("w1", "w2", "w3"):
        order += _layers(h, f"feed_forward.{kind}")
    out = _seven(h, -h["vocab"] if "output" in tensors else h["vocab"])
    out += b"".join(tensors[name].tobytes() for name in [*order, "norm"])
    out += np.full(h["seq"] * (h["dim"] // h["heads"]) if rope else 0, np.pi, "<f4").tobytes()
    return out + (tensors["output"].tobytes() if "output" in tensors else b"")


def _v1_header(h: dict[str, int], version: int, *, shared: bool, group: int | None = None) -> bytes:
    out = struct.pack("<Ii", 0x616B3432, version) + _seven(h, h["vocab"]) + bytes([shared])
    return (out + (b"" if group is None else struct.pack("<i", group))).ljust(256, b"\0")


def _matrices(h: dict[str, int], tensors: Arrays) -> list[str]:
    order = ["tok_embeddings"]
    for kind in ("attention.wq", "attention.wk", "attention.wv", "attention.wo"):
        order += _layers(h, kind)
    for kind in ("w1", "w2", "w3"):
        order += _layers(h, f"feed_forward.{kind}")
    return order + (["output"] if "output" in tensors else [])


def llama2c_v1(h: dict[str, int], tensors: Arrays) -> bytes:
    """Version 1: 256 bytes of header, norms first, no RoPE tables."""
    order = [*_layers(h, "attention_norm"), *_layers(h, "ffn_norm"), "norm", *_matrices(h, tensors)]
    return _v1_header(h, 1, shared="output" not in tensors) + b"".join(tensors[name].tobytes() for name in order)


def llama2c_v2(h: dict[str, int], tensors: Arrays, group: int) -> tuple[bytes, Arrays]:
    """Version 2: norms as float32, each matrix as int8 with a scale for every group; also what it decodes to."""
    out = _v1_header(h, 2, shared="output" not in tensors, group=group)
    norms = [*_layers(h, "attention_norm"), *_layers(h, "ffn_norm"), "norm"]
    out += b"".join(tensors[name].tobytes() for name in norms)
    truth = {name: tensors[name] for name in norms}
    for name in _matrices(h, tensors):
        groups = tensors[name].reshape(-1, group)
        scales = (np.abs(groups).max(axis=1) / 127).astype("<f4")
        codes = np.round(groups / scales[:, None]).astype(np.int8)
        out += codes.tobytes() + scales.tobytes()
        truth[name] = (codes.astype(np.float32) * scales[:, None]).reshape(tensors[name].shape)
    return out, truth


DTYPES = {"<f4": "F32", "<f2": "F16", "<f8": "F64", "|i1": "I8", "|u1": "U8", "<i4": "I32", "<i8": "I64", "|b1": "BOOL"}
NAMED = {"float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e8m0fnu": "F8_E8M0", "bfloat16": "BF16"}


def safetensors(tensors: Arrays, metadata: dict[str, str] | None = None) -> bytes:
    """A safetensors file, the tensors in the order given."""
    header: dict[str, object] = {} if metadata is None else {"__metadata__": metadata}
    at, payload = 0, b""
    for name, array in tensors.items():
        end = at + array.nbytes
        word = NAMED.get(array.dtype.name) or DTYPES[array.dtype.str]
        header[name] = {"dtype": word, "shape": list(array.shape), "data_offsets": [at, end]}
        at, payload = end, payload + array.tobytes()
    return framed(json.dumps(header).encode(), payload)


def framed(header: bytes, payload: bytes = b"") -> bytes:
    """Any bytes as the header of a safetensors file."""
    return struct.pack("<Q", len(header)) + header + payload


def entry(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    """A safetensors header's entry of a tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


HF_NAMES: dict[str, str] = {
    "attention_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attention.wq": "self_attn.q_proj",
    "attention.wk": "self_attn.k_proj",
    "attention.wv": "self_attn.v_proj",
    "attention.wo": "self_attn.o_proj",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
}
GGUF_NAMES: dict[str, str] = {
    "attention_norm": "attn_norm",
    "ffn_norm": "ffn_norm",
    "attention.wq": "attn_q",
    "attention.wk": "attn_k",
    "attention.wv": "attn_v",
    "attention.wo": "attn_output",
    "attention.q_norm": "attn_q_norm",
    "attention.k_norm": "attn_k_norm",
    "feed_forward.w1": "ffn_gate",
    "feed_forward.w2": "ffn_down",
    "feed_forward.w3": "ffn_up",
}


def hf_name(name: str) -> str:
    """Hugging Face's name of a Llama's matrix or norm."""
    top = {"tok_embeddings": "model.embed_tokens", "norm": "model.norm", "output": "lm_head"}
    if name in top:
        return top[name] + ".weight"
    _, number, rest = name.split(".", 2)
    return f"model.layers.{number}.{HF_NAMES[rest]}.weight"


def gguf_name(name: str) -> str:
    """GGUF's name of a Llama's matrix or norm."""
    top = {"tok_embeddings": "token_embd", "norm": "output_norm", "output": "output"}
    if name in top:
        return top[name] + ".weight"
    _, number, rest = name.split(".", 2)
    stem, ending = (rest.removesuffix(".bias"), ".bias") if rest.endswith(".bias") else (rest, ".weight")
    return f"blk.{number}.{GGUF_NAMES[stem]}{ending}"


def half_split(rows: np.ndarray, head_dim: int) -> np.ndarray:
    """From adjacent pairs to Hugging Face's order: in each head first the even elements, then the odd ones."""
    heads = rows.reshape(-1, head_dim, *rows.shape[1:])
    return np.concatenate([heads[:, 0::2], heads[:, 1::2]], axis=1).reshape(rows.shape)


_STATING_HEADS = ("qwen3", "gemma")  # of these classes, silence says a number of its own


def config(h: dict[str, int], *, tied: bool = True, **more: object) -> dict[str, object]:
    """The config.json of a Llama."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": h["dim"],
        "intermediate_size": h["hidden"],
        "num_hidden_layers": h["layers"],
        "num_attention_heads": h["heads"],
        "num_key_value_heads": h["kv_heads"],
        "vocab_size": h["vocab"],
        "max_position_embeddings": h["seq"],
        "rms_norm_eps": 1e-6,
        "rope_theta": 500000.0,
        "tie_word_embeddings": tied,
        **({"head_dim": h["dim"] // h["heads"]} if more.get("model_type") in _STATING_HEADS else {}),
        **more,
    }


def to_hf(h: dict[str, int], tensors: Arrays) -> Arrays:
    """The tensors with Hugging Face's names, q and k in its order of rows."""
    head_dim = h["dim"] // h["heads"]
    turned = (".attention.wq", ".attention.wk")
    return {
        hf_name(name): half_split(array, head_dim) if name.endswith(turned) else array
        for name, array in tensors.items()
    }


# GGUF value types: u8 0, i8 1, u16 2, i16 3, u32 4, i32 5, f32 6, bool 7, string 8, array 9, u64 10, i64 11, f64 12
GGUF_CODES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def gguf_text(text: str | bytes, order: str = "<") -> bytes:
    """A string: u64 length and bytes."""
    data = text.encode() if isinstance(text, str) else text
    return struct.pack(order + "Q", len(data)) + data


def gguf_key(name: str, kind: int, value: object, item: int = 0, order: str = "<") -> bytes:
    """A key with its value; `item` is the type of an array's items."""
    return gguf_text(name, order) + struct.pack(order + "i", kind) + _gguf_value(kind, value, item, order)


def _gguf_value(kind: int, value: object, item: int, order: str) -> bytes:
    if kind == 8:
        return gguf_text(value, order)  # type: ignore[arg-type]
    if kind == 9:
        items: list[object] = list(value)  # type: ignore[call-overload]
        packed = b"".join(_gguf_value(item, one, 0, order) for one in items)
        return struct.pack(order + "iQ", item, len(items)) + packed
    return struct.pack(order + GGUF_CODES[kind], value)


def gguf_info(name: str | bytes, dims: Iterable[int], kind: int, offset: int, order: str = "<") -> bytes:
    """The head's entry of a tensor; `dims` in the file's order."""
    dims = list(dims)
    return gguf_text(name, order) + struct.pack(f"{order}I{len(dims)}QiQ", len(dims), *dims, kind, offset)


def gguf(
    keys: list[bytes],
    tensors: list[tuple[str, tuple[int, ...], int, bytes]],
    *,
    align: int = 32,
    version: int = 3,
    counts: tuple[int, int] | None = None,
    offset: Callable[[int], int] = lambda at: at,
    order: str = "<",
) -> bytes:
    """A GGUF file of (name, shape, ggml type, bytes); counts and offset tell lies. Keys and bytes are in `order`."""
    infos, payload = b"", b""
    for name, shape, kind, data in tensors:
        infos += gguf_info(name, shape[::-1], kind, offset(len(payload)), order)
        payload += data.ljust(-(-len(data) // align) * align, b"\0")
    n_tensors, n_keys = counts or (len(tensors), len(keys))
    head = b"GGUF" + struct.pack(order + "IQQ", version, n_tensors % 2**64, n_keys % 2**64) + b"".join(keys) + infos
    return head.ljust(-(-len(head) // align) * align, b"\0") + payload


def gguf_llama_keys(h: dict[str, int], architecture: str = "llama", order: str = "<") -> list[bytes]:
    """The keys of a Llama."""
    counts = {
        "context_length": h["seq"],
        "embedding_length": h["dim"],
        "feed_forward_length": h["hidden"],
        "block_count": h["layers"],
        "attention.head_count": h["heads"],
        "attention.head_count_kv": h["kv_heads"],
    }
    return [
        gguf_key("general.architecture", 8, architecture, order=order),
        *(gguf_key(f"{architecture}.{name}", 4, count, order=order) for name, count in counts.items()),
        gguf_key(f"{architecture}.attention.layer_norm_rms_epsilon", 6, 1e-5, order=order),
    ]


def gguf_llama(h: dict[str, int], tensors: Arrays, *more: bytes, architecture: str = "llama") -> bytes:
    """A Llama as GGUF, in float32."""
    keys = [*gguf_llama_keys(h, architecture), *more]
    return gguf(keys, [(gguf_name(name), array.shape, 0, array.tobytes()) for name, array in tensors.items()])


def tokenizer_bin(tokens: int) -> bytes:
    """llama2.c's tokenizer: u32 longest, then f32 score, u32 length and bytes of each token."""
    texts = [f"<{number}>".encode() for number in range(tokens)]
    entries = b"".join(struct.pack("<fI", -float(i), len(text)) + text for i, text in enumerate(texts))
    return struct.pack("<I", max(map(len, texts))) + entries


def written(folder: Path, name: str, data: bytes | dict[str, object]) -> Path:
    """A file with these contents."""
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    return path
