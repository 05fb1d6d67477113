"""A second reader of model.bin, written from the pages ``specs/container.md``, ``f32.md`` and ``q8_0.md`` alone.

It imports nothing of fourcc. Where the two disagree, the page decides. As a program it lists a file and checks it:

    python tests/specs/spec_reader.py model.bin
"""

import hashlib
import math
import struct
import sys
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import xxhash

MIB = 1 << 20
SIZES = {"|b1": 1, "|i1": 1, "|u1": 1}
SIZES |= {f"<{kind}{size}": size for kind in "iuf" for size in (2, 4, 8)}
Map = dict[str, Any]


class BadFileError(Exception):
    """The page says that a reader must refuse the file."""


def need(condition: object, what: str) -> None:
    """Refuses the file unless the condition holds."""
    if not condition:
        raise BadFileError(what)


def aligned(offset: int) -> int:
    """The offset, rounded up to a multiple of 64."""
    return (offset + 63) // 64 * 64


def read(data: bytes) -> tuple[Map, bytes]:
    """Index and id of a file."""
    need(len(data) >= 128, "shorter than head and tail")
    need(data[:8] == b"\x89FCC\r\n\x1a\n" and data[-8:] == b"\x89FCCend\n", "magic")
    need(struct.unpack_from("<H", data, 8)[0] == 1, "major version")
    need(data[12:64] == bytes(52), "the head is not zero")
    offset, length, total = struct.unpack_from("<QQQ", data, len(data) - 64)
    need(total == len(data), "length")
    need(offset % 64 == 0 and offset >= 64 and offset + length == len(data) - 64, "place of the index")
    need(length <= 64 * MIB, "length of the index")
    packed = data[offset : offset + length]
    digest = hashlib.blake2b(data[:64] + packed, digest_size=32).digest()
    need(digest == data[-40:-8], "digest")
    index = unpack(packed)
    check(index, offset)
    return index, digest


def unpack(packed: bytes) -> Map:
    """The root map."""

    def pairs(items: list[tuple[Any, Any]]) -> Map:
        need(all(type(key) is str for key, _ in items), "a key that is no text")
        need(len({key for key, _ in items}) == len(items), "a key twice")
        return dict(items)

    def extension(code: int, _: bytes) -> None:
        need(condition=False, what=f"extension {code}")

    try:
        root = msgpack.unpackb(packed, object_pairs_hook=pairs, ext_hook=extension, strict_map_key=False)
    except (ValueError, msgpack.UnpackException) as error:
        raise BadFileError(str(error)) from error
    need(isinstance(root, dict), "no map")
    return dict(root)


def check(index: Map, end: int) -> None:
    """Checks of the index as a whole; `end` is where it begins."""
    need(index["requires"] == [], f"features {index['requires']}")
    for records in (index["tensors"], index["blobs"]):
        names = [record["name"] for record in records]
        need(len(set(names)) == len(names), "a name twice")
    running = 64
    for _, part in regions(index):
        need(part["offset"] == running, f"{part['name']} at {part['offset']}, not {running}")
        if "dtype" in part:
            need(part["nbytes"] == math.prod(part["shape"]) * size_of(part["dtype"]), "nbytes")
        need(len(part["sums"]) == 8 * math.ceil(part["nbytes"] / MIB), "number of sums")
        running = aligned(running + part["nbytes"])
        need(running <= end, "a part reaches into the index")
    need(running == end, "the payload does not end where the index begins")


def regions(index: Map) -> list[tuple[str, Map]]:
    """Parts and blobs in the order of their bytes, each with the name that its seeds begin with."""
    parts = [(tensor["name"], part) for tensor in index["tensors"] for part in tensor["parts"]]
    return parts + [("", blob) for blob in index["blobs"]]


def size_of(dtype: str | list[Any]) -> int:
    """Bytes of an entry."""
    if isinstance(dtype, str):
        need(dtype in SIZES, f"dtype {dtype}")
        return SIZES[dtype]
    return sum(size_of(field) * math.prod(dims) for _, field, dims in dtype)


def damage(data: bytes, index: Map) -> list[tuple[str, str, int]]:
    """Tensor, part and offset of each chunk, or run of padding, that is not as it was written."""
    found = []
    for tensor, part in regions(index):
        start, end = part["offset"], part["offset"] + part["nbytes"]
        for k in range(math.ceil(part["nbytes"] / MIB)):
            chunk = data[start + k * MIB : min(end, start + (k + 1) * MIB)]
            seed = xxhash.xxh3_64_intdigest(b"\0".join([tensor.encode(), part["name"].encode(), str(k).encode()]))
            stored = int.from_bytes(part["sums"][8 * k : 8 * k + 8], "little")
            if xxhash.xxh3_64_intdigest(chunk, seed=seed) != stored:
                found.append((tensor, part["name"], start + k * MIB))
        if any(data[end : aligned(end)]):
            found.append((tensor, part["name"], end))
    return found


def decode(data: bytes, tensor: Map) -> np.ndarray:
    """The weights of a tensor in F32 or Q8_0."""
    need(tensor["tag"] in {"F32 ", "Q8_0"}, f"no decoder for {tensor['tag']}")
    (part,) = tensor["parts"]
    stored = data[part["offset"] : part["offset"] + part["nbytes"]]
    if tensor["tag"] == "F32 ":
        return np.frombuffer(stored, "<f4").reshape(tensor["shape"])
    blocks = np.frombuffer(stored, np.dtype([("d", "<f2"), ("q", "i1", 32)]))
    weights: np.ndarray = blocks["d"].astype(np.float32)[:, None] * blocks["q"].astype(np.float32)
    return weights.reshape(tensor["shape"])


if __name__ == "__main__":
    content = Path(sys.argv[1]).read_bytes()
    listed, identity = read(content)
    print(identity.hex())  # noqa: T201 - a script
    for each in listed["tensors"]:
        print(each["tag"], each["shape"], each["name"])  # noqa: T201 - a script
    sys.exit(bool(damage(content, listed)))
