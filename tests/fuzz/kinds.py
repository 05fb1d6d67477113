"""Seeded, structure-aware mutators of every kind of file that fourcc reads.

Each kind takes an honest file to pieces (an index, a header, keys, entries), changes a few of them, and lays the file
out again: offsets, lengths, digest and sums are right once more, most of the time. A case is made of its kind and its
number alone.
"""

import io
import json
import math
import random
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import msgpack

from tests.container.build import assorted, write_example, write_model
from tests.container.forge import honest, padded, seal, sums
from tests.fuzz.trees import EDGES, Tree, mutate, noise
from tests.sources import writers as w
from tests.sources import writers_forks as forks
from tests.sources.test_ggjt import ggjt
from tests.sources.writers_weight_only import KINDS as WEIGHT_ONLY
from tests.sources.writers_weight_only import checkpoint

H, TENSORS = w.llama(layers=1)
SIZES = {
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "F64": 8,
    "I8": 1,
    "U8": 1,
    "F8_E4M3": 1,
    "F8_E8M0": 1,
    "I16": 2,
    "I32": 4,
    "I64": 8,
    "BOOL": 1,
}
SMALL = 1 << 16  # bytes that a laid-out tensor may have
FAILURES = (struct.error, ArithmeticError, TypeError, ValueError, KeyError, IndexError, AttributeError, MemoryError)


@attrs.frozen
class Case:
    """Files of one folder.

    Attributes:
        kind: a key of `MAKERS`.
        files: name -> bytes; what is put to the readers is the one named ``m``, or the folder where there is none.
    """

    kind: str
    files: Mapping[str, bytes]

    @property
    def nbytes(self) -> int:
        """All files."""
        return sum(map(len, self.files.values()))


def case(kind: str, number: int) -> Case:
    """A case, the same one whenever it is asked for."""
    rng = random.Random(f"{kind}/{number}")
    while True:
        try:
            return Case(kind, MAKERS[kind](rng))
        except FAILURES:  # the writer cannot write such a thing; another one, then
            continue


def _one(data: bytes, rng: random.Random) -> dict[str, bytes]:
    """A file by itself; a few are changed byte by byte."""
    return {"m": noise(data, rng) if rng.random() < 0.08 else data}


# -- model.bin


@cache
def _containers() -> list[tuple[Tree, bytes]]:
    """Honest ones: their index and their payload."""
    found = [
        (
            honest(),
            padded(struct.pack("<8f", *range(8))) + padded(struct.pack("<3f", 0.5, -0.5, 2.0)) + padded(b"hello"),
        )
    ]
    with TemporaryDirectory() as name:
        example, several = Path(name) / "a", Path(name) / "b"
        write_example(example)
        write_model(several, {key: q for key, q in assorted().items() if q.nbytes < 2000}, {"note": b"hello"})
        for path in (example, several):
            data = path.read_bytes()
            offset, length = struct.unpack("<QQ", data[-64:-48])
            found.append((msgpack.unpackb(data[offset : offset + length]), data[64:offset]))
    return found


def _model_bin(rng: random.Random) -> dict[str, bytes]:
    tree, payload = rng.choice(_containers())
    if rng.random() < 0.15:
        payload = noise(payload, rng)
    if rng.random() < 0.9:
        tree = mutate(tree, rng)
        if rng.random() < 0.6:
            payload = _laid_out(tree, payload)
    _summed(tree, payload)
    index = msgpack.packb(tree)
    return _one(seal(noise(index, rng) if rng.random() < 0.1 else index, payload), rng)


def _regions(tree: Tree) -> list[tuple[str, Tree]]:
    """Parts and blobs that are maps still, with the name of their tensor."""
    regions = [
        (tensor.get("name"), part)
        for tensor in tree["tensors"]
        if isinstance(tensor, dict)
        for part in tensor.get("parts") or ()
    ]
    regions += [("", blob) for blob in tree["blobs"]]
    return [(name, each) for name, each in regions if isinstance(each, dict) and isinstance(name, str)]


def _laid_out(tree: Tree, payload: bytes) -> bytes:
    """Gives each part the length of its shape, and all of them places one behind the other."""
    out = b""
    for _, region in _regions(tree):
        old = payload[region["offset"] - 64 :][: region["nbytes"]]
        if "shape" in region:
            size = (
                {"<f4": 4, "|u1": 1, "<f2": 2, "|i1": 1}.get(region["dtype"])
                if isinstance(region["dtype"], str)
                else None
            )
            count = size and math.prod(region["shape"]) * size
            region["nbytes"] = count if count is not None and 0 <= count < SMALL else region["nbytes"]
        region["offset"] = 64 + len(out)
        out += padded((old + bytes(SMALL))[: region["nbytes"]])
    return out


def _summed(tree: Tree, payload: bytes) -> None:
    for tensor, region in _regions(tree):
        begin, count = region.get("offset"), region.get("nbytes")
        if isinstance(begin, int) and isinstance(count, int) and 0 <= count <= len(payload) and begin >= 64:
            region["sums"] = sums(tensor, str(region.get("name")), payload[begin - 64 :][:count])


# -- GGUF


def _gguf_tree(architecture: str = "llama") -> Tree:
    h = H
    keys: list[list[object]] = [
        ["general.architecture", 8, architecture, 0],
        *(
            [f"{architecture}.{name}", 4, count, 0]
            for name, count in {
                "context_length": h["seq"],
                "embedding_length": h["dim"],
                "feed_forward_length": h["hidden"],
                "block_count": 1,
                "attention.head_count": h["heads"],
                "attention.head_count_kv": h["kv_heads"],
            }.items()
        ),
        [f"{architecture}.attention.layer_norm_rms_epsilon", 6, 1e-5, 0],
        [f"{architecture}.rope.scaling.type", 8, "linear", 0],
        ["tokenizer.ggml.tokens", 9, ["a", "b", "c"], 8],
    ]
    tensors = [[w.gguf_name(name), list(array.shape), 0, array.tobytes()] for name, array in TENSORS.items()]
    return {"keys": keys, "tensors": [*tensors, ["rope_freqs.weight", [2], 0, struct.pack("<2f", 1, 2)]], "align": 32}


def _gguf(rng: random.Random) -> dict[str, bytes]:
    tree = mutate(_gguf_tree(rng.choice(("llama", "qwen2", "qwen3", "gemma"))), rng)
    for tensor in tree["tensors"] if rng.random() < 0.7 else ():
        count = 4 * math.prod(tensor[1])
        if tensor[2] == 0 and 0 <= count < SMALL:
            tensor[3] = (tensor[3] + bytes(SMALL))[:count]
    if tree["align"] > SMALL:
        raise ValueError("a file of that alignment would be too long")
    order = ">" if rng.random() < 0.1 else "<"
    keys = [w.gguf_key(*each, order=order) for each in tree["keys"]]
    tensors = [(name, tuple(shape), kind, data) for name, shape, kind, data in tree["tensors"]]
    counts = None if rng.random() < 0.95 else (rng.choice(EDGES), rng.choice(EDGES))
    return _one(w.gguf(keys, tensors, align=tree["align"], counts=counts, order=order), rng)


# -- safetensors, and folders of them


@cache
def _checkpoint(kind: str) -> tuple[Tree, Tree, bytes]:
    """Header, config and payload."""
    if kind == "plain":
        arrays, config = (
            w.to_hf(H, TENSORS),
            w.config({**H, "layers": 1}, rope_scaling={"rope_type": "linear", "factor": 2.0}),
        )
    else:
        arrays, config, _ = checkpoint(kind)
        arrays = {name: array for name, array in arrays.items() if "layers.1" not in name}
        config = {**config, "num_hidden_layers": 1}
    data = w.safetensors(arrays, {"format": "pt"})
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), json.loads(json.dumps(config)), data[8 + length :]


def _folder(rng: random.Random) -> dict[str, bytes]:
    header, config, payload = _checkpoint(rng.choice(("plain", "plain", *WEIGHT_ONLY)))
    which = rng.random()
    header = mutate(header, rng) if which < 0.6 else header
    config = mutate(config, rng) if which > 0.5 else config
    if which < 0.6 and rng.random() < 0.7:
        payload = _offsets(header, payload)
    model = w.framed(_json(header), payload)
    if rng.random() < 0.15:
        return {"m": noise(model, rng) if rng.random() < 0.3 else model}
    files = {"config.json": _json(config)}
    if rng.random() < 0.25:
        weight_map = dict.fromkeys((name for name in header if name != "__metadata__"), "a.safetensors")
        index = {"metadata": {"total_size": len(payload)}, "weight_map": weight_map}
        files |= {"m.safetensors.index.json": _json(mutate(index, rng) if rng.random() < 0.7 else index)}
        return files | {"a.safetensors": model}
    return files | {"model.safetensors": model}


def _json(tree: Tree) -> bytes:
    return json.dumps(tree, default=str).encode()


def _offsets(header: Tree, payload: bytes) -> bytes:
    """Gives each tensor the length of its shape and dtype, one behind the other."""
    out = b""
    for name, entry in header.items():
        if name == "__metadata__" or not isinstance(entry, dict):
            continue
        old = payload[slice(*entry["data_offsets"])]
        count = SIZES.get(entry["dtype"], 1) * math.prod(entry["shape"])
        old = (old + bytes(SMALL))[:count] if 0 <= count < SMALL else old
        entry["data_offsets"] = [len(out), len(out) + len(old)]
        out += old
    return out


# -- llama2.c, its forks, ggjt


@cache
def _runs() -> list[bytes]:
    h, big = w.llama(dim=16, hidden=32, heads=2, kv_heads=2, layers=1)
    return [
        w.llama2c_v0(h, big),
        w.llama2c_v0(H, TENSORS, rope=False),
        w.llama2c_v1(h, big),
        w.llama2c_v2(h, big, 16)[0],
        forks.maxima(h, big)[0],
        forks.minimum(h, big, 8, rope=True)[0],
        forks.minimum(h, big, 4, rope=False)[0],
        ggjt(h, big),
    ]


def _llama2c(rng: random.Random) -> dict[str, bytes]:
    data = bytearray(rng.choice(_runs()))
    for _ in range(rng.randint(1, 2)):
        at = rng.choice((0, 4)) + 4 * rng.randrange(12)
        value = struct.unpack_from("<i", data, at)[0]
        changes = (value + 1, value - 1, -value, 2 * value, value // 2, rng.choice(EDGES))
        struct.pack_into("<I", data, at, rng.choice(changes) % 2**32)
    if rng.random() < 0.3:
        data = data[: rng.randrange(len(data))] if rng.random() < 0.5 else data + bytes(rng.randrange(4000))
    return {"m": noise(bytes(data), rng) if rng.random() < 0.2 else bytes(data)}


# -- npz


def _npz(rng: random.Random) -> dict[str, bytes]:
    members = [["a.npy", "'<f4'", "False", [2, 3], bytes(24)], ["b.npy", "'<f8'", "True", [2, 2], bytes(32)]]
    members += [["c.npy", "'|b1'", "False", [3], b"\0\1\0"]]
    members = mutate(members, rng)
    out = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(out, "w", method) as file:
        for name, descr, order, shape, data in members:
            size = SIZES.get({"'<f8'": "F64", "'|b1'": "BOOL"}.get(str(descr), "F32"), 4)
            count = math.prod(shape) * size if isinstance(shape, list) and rng.random() < 0.7 else -1
            whole = (data + bytes(SMALL))[:count] if 0 <= count < SMALL else data
            said = tuple(shape) if isinstance(shape, list) else shape
            text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {said}, }}".encode() + b"\n"
            info = zipfile.ZipInfo(name)
            info.compress_type = file.compression
            file.writestr(info, b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + whole)
    return _one(out.getvalue(), rng)


# -- tokenizers, each in its blob


BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def _tokenizer_bin(rng: random.Random) -> dict[str, bytes]:
    tree: Tree = {
        "longest": 9,
        "entries": [[-float(i), f"<{i}>".encode()] for i in range(3)] + [[0.0, b"a"], [0.0, b"b"]],
    }
    if rng.random() < 0.3:
        tree["entries"][3:3] = [[0.0, name.encode()] for name in BYTES]
    tree = mutate(tree, rng)
    entries = b"".join(struct.pack("<fI", score, len(text)) + text for score, text in tree["entries"])
    return _one(struct.pack("<I", tree["longest"]) + entries, rng)


def _gguf_vocabulary(rng: random.Random) -> dict[str, bytes]:
    pieces = ["<unk>", "<s>", "</s>", "\u2581a", "b", "<0x0A>", "\u2581", "a"]
    if rng.random() < 0.3:
        pieces += BYTES
    scored: Tree = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": pieces,
        "tokenizer.ggml.scores": [0.0] * len(pieces),
        "tokenizer.ggml.token_type": [2, 3, 3, 1, 1, 6, 1, 1, *[6] * 256][: len(pieces)],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.chat_template": "{{ x }}",
    }
    paired: Tree = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "llama-bpe",
        "tokenizer.ggml.tokens": ["a", "b", "ab", "\u0120", "<s>", "1", "\u010a"],
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.token_type": [1, 1, 1, 1, 3, 1, 1],
        "tokenizer.ggml.bos_token_id": 4,
    }
    return _one(msgpack.packb(mutate(rng.choice((scored, paired)), rng), unicode_errors="surrogatepass"), rng)


def _tokenizer_json(rng: random.Random) -> dict[str, bytes]:
    vocab = {"<unk>": 0, "<s>": 1, "a": 2, "b": 3, "ab": 4, "\u0120": 5, "<0x0A>": 6}
    added = [
        {
            "id": 1,
            "content": "<s>",
            "special": True,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
        }
    ]
    tree: Tree = {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": {"type": "Prepend", "prepend": "\u2581"},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": True, "vocab": vocab, "merges": [["a", "b"]]},
    }
    return _one(_json(mutate(tree, rng)), rng)


def _field(number: int, kind: int, payload: bytes) -> bytes:
    return bytes([number << 3 | kind]) + (bytes([len(payload)]) if kind == 2 else b"") + payload


def _sentencepiece(rng: random.Random) -> dict[str, bytes]:
    pieces: Tree = [
        ["<unk>", 0.0, 2],
        ["<s>", 0.0, 3],
        ["</s>", 0.0, 3],
        ["a", -1.0, 1],
        ["\u2581", -2.0, 1],
        ["<|x|>", 0.0, 4],
    ]
    out = b""
    for text, score, kind in mutate(pieces, rng):
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        out += _field(1, 2, _field(1, 2, data) + _field(2, 5, struct.pack("<f", score)) + _field(3, 0, bytes([kind])))
    return _one(out + _field(2, 2, _field(3, 0, b"\2")), rng)


# -- policies


POLICY: Tree = {
    "version": 1,
    "rule": [
        {"match": "layers.0.*.wq", "tag": "Q8_0", "fallback": ["F16", {"tag": "F32"}]},
        {"role": "norm", "layers": "2", "keep": True},
        {"layers": ":1/2, -1:", "dims": ">=2", "cols": "%32", "tag": "Q4_A", "optional": True},
        {
            "match": ["tok_*", "output"],
            "depth": 4,
            "values": "float",
            "stored": "F32",
            "tag": "F16",
            "nonfinite": "keep",
        },
        {"match": "*", "tag": "Q8_Z", "params": {}, "encoder": {}, "fallback": ["F32"]},
    ],
}


def _toml(value: Tree) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(str(key))} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return (
        str(value).lower()
        if isinstance(value, (bool, float))
        else str(value)
        if isinstance(value, int)
        else json.dumps(str(value))
    )


def _policy(rng: random.Random) -> dict[str, bytes]:
    tree = mutate(POLICY, rng, 4)
    text = "".join(f"{key} = {_toml(value)}\n" for key, value in tree.items() if key != "rule")
    rules = tree.get("rule")
    for rule in rules if isinstance(rules, list) else [rules]:
        lines = rule.items() if isinstance(rule, dict) else [("match", rule)]
        text += "\n[[rule]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in lines)
    return _one(text.encode("utf-8", "surrogatepass"), rng)


MAKERS: dict[str, Callable[[random.Random], dict[str, bytes]]] = {
    "model.bin": _model_bin,
    "gguf": _gguf,
    "safetensors": _folder,
    "llama2.c": _llama2c,
    "npz": _npz,
    "tokenizer.bin": _tokenizer_bin,
    "tokenizer.gguf": _gguf_vocabulary,
    "tokenizer.json": _tokenizer_json,
    "tokenizer.model": _sentencepiece,
    "policy": _policy,
}
