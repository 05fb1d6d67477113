"""Tensors in safetensors files: one, or shards of a largest size with an index, as huggingface_hub cuts them.

A shard takes tensors in their order until the next one would make it too large; a tensor that is larger than that alone
gets a shard of its own. The parts of one matrix stay together. Shards are one run of bytes here, one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod

import attrs

from fourcc.dtypes import itemsize
from fourcc.sources.extent import number_format

INDEX = "model.safetensors.index.json"
ONE = "model.safetensors"
_METADATA = {"format": "pt"}  # some readers refuse a file without it


@attrs.frozen
class FileTensor:
    """A tensor in a file.

    Attributes:
        name: in the file.
        word: for its dtype, as safetensors has it.
        size: bytes of a number.
        shape: its shape.
        part: of the step that it is written from.
    """

    name: str
    word: str
    size: int
    shape: tuple[int, ...]
    part: str

    @classmethod
    def of_numbers(cls, name: str, dtype: str, shape: tuple[int, ...], part: str) -> FileTensor:
        """A tensor of numbers of one of numpy's dtypes."""
        fmt = number_format(dtype, name)
        return cls(name, str(fmt.foreign["safetensors"]), itemsize(dtype), shape, part)

    @property
    def nbytes(self) -> int:
        """Its bytes."""
        return prod(self.shape) * self.size


@attrs.frozen
class Placed:
    """The places of all tensors in files.

    Attributes:
        places: step -> part -> offset of its first byte.
        pieces: offset -> the head of a file.
        shards: name of a file -> offset of its first byte.
        nbytes: of all files.
        index: the bytes of the index; empty where there is one file.
    """

    places: dict[str, dict[str, int]]
    pieces: dict[int, bytes]
    shards: dict[str, int]
    nbytes: int
    index: bytes


def placed(tensors: Mapping[str, Sequence[FileTensor]], largest: int | None = None) -> Placed:
    """The places of tensors.

    Args:
        tensors: step -> its tensors in the file, in the order of the file.
        largest: bytes of tensors in a file, at least 1; None: there is one file, however large.
    """
    groups = list(_cut(tensors, largest))
    names = _names(len(groups))
    places: dict[str, dict[str, int]] = {}
    pieces, shards, end = {}, {}, 0
    for name, steps in zip(names, groups, strict=True):
        head, offsets, nbytes = _file({step: tensors[step] for step in steps})
        shards[name], pieces[end] = end, head
        places |= {
            step: {part: end + len(head) + offset for part, offset in parts.items()} for step, parts in offsets.items()
        }
        end += len(head) + nbytes
    index = _index(tensors, dict(zip(names, groups, strict=True))) if len(groups) > 1 else b""
    return Placed(places, pieces, shards, end, index)


def _cut(tensors: Mapping[str, Sequence[FileTensor]], largest: int | None) -> Iterator[list[str]]:
    """The steps of each file."""
    steps: list[str] = []
    size = 0
    for step, parts in tensors.items():
        nbytes = sum(part.nbytes for part in parts)
        if largest is not None and steps and size + nbytes > largest:
            yield steps
            steps, size = [], 0
        steps.append(step)
        size += nbytes
    yield steps


def _names(count: int) -> list[str]:
    if count == 1:
        return [ONE]
    return [f"model-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)]


def _file(tensors: Mapping[str, Sequence[FileTensor]]) -> tuple[bytes, dict[str, dict[str, int]], int]:
    """The head of a file, the offsets of the steps' parts behind it, and the bytes of all tensors."""
    header: dict[str, object] = {"__metadata__": _METADATA}
    offsets: dict[str, dict[str, int]] = {}
    end = 0
    for step, parts in tensors.items():
        offsets[step] = {}
        for tensor in parts:
            offsets[step][tensor.part] = end
            span = [end, end := end + tensor.nbytes]
            header[tensor.name] = {"dtype": tensor.word, "shape": list(tensor.shape), "data_offsets": span}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, offsets, end


def _index(tensors: Mapping[str, Sequence[FileTensor]], files: Mapping[str, Iterable[str]]) -> bytes:
    """The index: which file each tensor is in."""
    weights = {tensor.name: file for file, steps in files.items() for step in steps for tensor in tensors[step]}
    total = sum(tensor.nbytes for parts in tensors.values() for tensor in parts)
    root = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weights.items()))}
    return (json.dumps(root, indent=2) + "\n").encode()
