"""The blob ``activation_ranges`` of a model.bin: static ranges of the activations that its matrices multiply.

It is a msgpack map: ``version`` -> 1, ``ranges`` -> a map from the name of a tensor to its ranges, float32,
little-endian, one for 32 columns; the last block may be short.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgpack
import numpy as np

from fourcc.errors import InputError
from fourcc.sources.gguf_values import unpacked_map

if TYPE_CHECKING:
    from fourcc.arrays import Floats

BLOB = "activation_ranges"
VERSION = 1
BLOCK = 32  # columns of a range
WHAT = "the list of activation ranges"
HINT = "Convert the model again."


def packed_ranges(ranges: Mapping[str, Floats]) -> bytes:
    """The blob's bytes.

    Args:
        ranges: float32 (columns / 32,) by names of tensors, in the order in which they are to stand.
    """
    stored = {name: np.ascontiguousarray(each, "<f4").tobytes() for name, each in ranges.items()}
    return bytes(msgpack.packb({"version": VERSION, "ranges": stored}))


def unpacked_ranges(data: bytes, shapes: Mapping[str, tuple[int, ...]], file: object) -> dict[str, Floats]:
    """The ranges in the bytes of a blob: float32 (columns / 32,) by names of tensors.

    Args:
        data: the blob, which may come from anywhere.
        shapes: of all tensors of the model, by name.
        file: for messages.

    Raises:
        InputError: it is no such map, names no tensor, or has a range that is not finite and above 0.
    """
    root = unpacked_map(data, file, WHAT, object_pairs_hook=_distinct)
    if type(root.get("version")) is not int or root["version"] != VERSION:
        found = f"{root.get('version')!r:.60}"
        raise InputError(f"{WHAT} is of a version that is not known", file=file, found=found, expected=VERSION)
    named = root.get("ranges")
    if set(root) != {"version", "ranges"} or not isinstance(named, dict):
        found = f"{sorted(map(repr, root))!r:.60}"
        raise InputError(f"{WHAT} has other entries", file=file, found=found, expected="version, and a map of ranges")
    return {name: _ranges_of(name, stored, shapes, file) for name, stored in named.items()}


def _distinct(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name stands twice")
    return values


def _ranges_of(name: object, stored: object, shapes: Mapping[str, tuple[int, ...]], file: object) -> Floats:
    """The ranges of one tensor."""
    shape = shapes.get(name) if isinstance(name, str) else None
    if not isinstance(name, str) or shape is None:
        what = "activation ranges of a tensor that the model lacks"
        raise InputError(what, file=file, found=f"{name!r:.60}", hint=HINT)
    if not isinstance(stored, bytes) or len(stored) % 4:
        found = f"{len(stored)} bytes" if isinstance(stored, bytes) else type(stored).__name__
        expected = "bytes of float32"
        raise InputError("bad activation ranges", file=file, tensor=name, found=found, expected=expected, hint=HINT)
    ranges = np.frombuffer(stored, "<f4").astype(np.float32)
    check_ranges(ranges, shape, name, file)
    return ranges


def check_ranges(ranges: Floats, shape: tuple[int, ...], name: str, file: object) -> None:
    """Raises InputError where ranges are not those of a tensor of this shape, or one is not finite and above 0."""
    if len(shape) != 2:
        what = "activation ranges of a tensor that is no matrix"
        raise InputError(what, file=file, tensor=name, found=f"shape {shape}", expected="two dimensions", hint=HINT)
    wanted = (-(-shape[1] // BLOCK),)
    if ranges.shape != wanted:
        what = "not as many activation ranges as columns need"
        expected = f"{wanted[0]}, one for each {BLOCK} of {shape[1]} columns"
        raise InputError(what, file=file, tensor=name, found=len(ranges), expected=expected, hint=HINT)
    wrong = np.flatnonzero(~(np.isfinite(ranges) & (ranges > 0)))
    if len(wrong):
        found = f"{ranges[wrong[0]]} for the columns from {BLOCK * wrong[0]} on"
        expected = "a finite number above 0"
        raise InputError("bad activation range", file=file, tensor=name, found=found, expected=expected, hint=HINT)
