"""Malformed containers: any tree packed as an index, with a tail and a digest that are right for it.

So each check of a reader is reached on its own. Written from ``specs/container.md``; imports nothing of fourcc.
"""

import copy
import hashlib
import struct
from pathlib import Path
from typing import Any

import msgpack
import xxhash

Tree = dict[str, Any]
HEAD = b"\x89FCC\r\n\x1a\n" + struct.pack("<HH", 1, 0) + bytes(52)
END = b"\x89FCCend\n"
WEIGHTS = struct.pack("<8f", *range(8))
BIAS = struct.pack("<3f", 0.5, -0.5, 2.0)
NOTE = b"hello"


def padded(data: bytes) -> bytes:
    """With zeros up to a multiple of 64."""
    return data + bytes(-len(data) % 64)


PAYLOAD = padded(WEIGHTS) + padded(BIAS) + padded(NOTE)


def seal(index: bytes, payload: bytes = PAYLOAD, head: bytes = HEAD) -> bytes:
    """A whole file around the bytes of an index."""
    digest = hashlib.blake2b(head + index, digest_size=32).digest()
    offset = len(head) + len(payload)
    return head + payload + index + tail(offset, len(index), offset + len(index) + 64, digest)


def tail(offset: int, length: int, total: int, digest: bytes) -> bytes:
    """The last 64 bytes."""
    return struct.pack("<QQQ", offset, length, total) + digest + END


def forge(path: Path, tree: object, payload: bytes = PAYLOAD) -> Path:
    """Writes a file whose index is a tree."""
    path.write_bytes(seal(msgpack.packb(tree), payload))
    return path


def sums(tensor: str, part: str, data: bytes) -> bytes:
    """The sums of a part, or of a blob where `tensor` is empty."""
    found = b""
    for k, start in enumerate(range(0, len(data), 1 << 20)):
        seed = xxhash.xxh3_64_intdigest(f"{tensor}\0{part}\0{k}".encode())
        found += xxhash.xxh3_64_intdigest(data[start : start + (1 << 20)], seed=seed).to_bytes(8, "little")
    return found


def part(tensor: str, data: bytes, offset: int, shape: list[int], dtype: object = "<f4") -> Tree:
    """A part named ``values``."""
    return {
        "name": "values",
        "dtype": dtype,
        "shape": shape,
        "offset": offset,
        "nbytes": len(data),
        "sums": sums(tensor, "values", data),
    }


def tensor(name: str, shape: list[int], parts: list[Tree], tag: str = "F32 ") -> Tree:
    """A tensor that was kept as it was stored."""
    return {
        "name": name,
        "source_name": name,
        "tag": tag,
        "shape": shape,
        "params": {},
        "options": {},
        "parts": parts,
        "rule": None,
        "encoder_version": None,
        "error": None,
        "aids": None,
        "provider": None,
    }


def index_of(tensors: list[Tree], blobs: list[Tree]) -> Tree:
    """A root map."""
    return {
        "tensors": tensors,
        "blobs": blobs,
        "architecture": None,
        "hyper": {"dim": 4, "theta": 1e4, "names": ["a", "b"]},
        "sources": [{"kind": "npz", "nbytes": 5, "digest": bytes(16)}],
        "providers": [{"distribution": "fourcc", "version": "0.1"}],
        "requires": [],
    }


def honest() -> Tree:
    """The index of `PAYLOAD`: tensors w (2, 4) and b (3), and a blob."""
    return copy.deepcopy(
        index_of(
            [
                tensor("w", [2, 4], [part("w", WEIGHTS, 64, [2, 4])]),
                tensor("b", [3], [part("b", BIAS, 128, [1, 3])]),
            ],
            [{"name": "note", "offset": 192, "nbytes": len(NOTE), "sums": sums("", "note", NOTE)}],
        )
    )


def put(tree: Any, path: str, value: object) -> Tree:
    """The tree with another value at a path such as ``tensors.0.shape``; `DROP` removes the key."""
    node = tree
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in way:
        node = node[step]
    if value is DROP:
        del node[last]
    else:
        node[last] = value
    found: Tree = tree
    return found


DROP = object()
