"""A second joiner of shards, written from the page ``specs/container.md`` alone. It imports nothing of fourcc."""

import hashlib
import re
import struct
from pathlib import Path

import msgpack

from tests.specs import spec_reader
from tests.specs.spec_reader import Map, aligned, need


def joined(shard: Path) -> bytes:
    """The whole that a shard and those beside it make."""
    name = re.fullmatch(r"(.+)-(\d{5})-of-(\d{5})\.bin", shard.name)
    need(name, "name")
    assert name is not None
    paths = [shard.with_name(f"{name[1]}-{n:05}-of-{name[3]}.bin") for n in range(1, int(name[3]) + 1)]
    files = [(path.read_bytes(), opened(path.read_bytes())) for path in paths]
    first = files[0][1]
    for number, (_, index) in enumerate(files, 1):
        need(index["shard"]["number"] == number, "number")
        need(index["shard"]["count"] == len(files), "count")
        need(index["shard"]["whole"] == first["shard"]["whole"], "id of the set")
        need(number == 1 or not index["blobs"], "blobs")
        need(about(index) == about(first), "what is said of the model")
    payload, tensors = b"", []
    for data, index in files:
        moved = 64 + len(payload) - 64
        ends = [aligned(part["offset"] + part["nbytes"]) for tensor in index["tensors"] for part in tensor["parts"]]
        tensors += [
            {**tensor, "parts": [{**part, "offset": part["offset"] + moved} for part in tensor["parts"]]}
            for tensor in index["tensors"]
        ]
        payload += data[64 : max(ends, default=64)]
    blobs = []
    for blob in first["blobs"]:
        stored = files[0][0][blob["offset"] : blob["offset"] + blob["nbytes"]]
        blobs.append({**blob, "offset": 64 + len(payload)})
        payload += stored.ljust(aligned(len(stored)), b"\0")
    left = {key: value for key, value in first.items() if key != "shard"}
    requires = [feature for feature in first["requires"] if feature != "shards"]
    return container(
        {**left, "tensors": tensors, "blobs": blobs, "requires": requires}, payload, first["shard"]["whole"]
    )


def opened(data: bytes) -> Map:
    """The index of a shard, which is checked as that of any file is, but for its feature."""
    offset, length = struct.unpack_from("<QQ", data, len(data) - 64)
    packed = data[offset : offset + length]
    need(hashlib.blake2b(data[:64] + packed, digest_size=32).digest() == data[-40:-8], "digest")
    index = spec_reader.unpack(packed)
    need(index["requires"] == ["shards"], "feature")
    spec_reader.check({**index, "requires": []}, offset)
    need(spec_reader.damage(data, index) == [], "damage")
    return index


def about(index: Map) -> Map:
    """All but tensors, blobs and the shard itself."""
    return {key: value for key, value in index.items() if key not in {"tensors", "blobs", "shard"}}


def container(index: Map, payload: bytes, digest: bytes) -> bytes:
    """The bytes of a file of version 1.0, which must have the given id."""
    head = b"\x89FCC\r\n\x1a\n" + struct.pack("<HH52x", 1, 0)
    packed = msgpack.packb(index)
    need(hashlib.blake2b(head + packed, digest_size=32).digest() == digest, "id of the set")
    offset = len(head) + len(payload)
    tail = struct.pack("<QQQ", offset, len(packed), offset + len(packed) + 64) + digest + b"\x89FCCend\n"
    return head + payload + packed + tail
