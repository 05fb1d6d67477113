"""Models of random weights, written as a model.bin by the conversion of any checkpoint."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.bench.models.shapes import ModelShape
from fourcc.bench.peers.ggml_library import FLOAT
from fourcc.conversion.carrying_out import execute
from fourcc.conversion.plan import plan
from fourcc.plugins.registry import registry
from fourcc.policy import Policy
from fourcc.sources.source import Source, SourceTensor

DEVIATION = 0.02  # standard deviation of the weights, about that of trained ones
POOL = 1 << 22  # random numbers; longer tensors repeat them


def write_model(path: Path, shape: ModelShape, tag: str, context: int) -> Path:
    """Writes a model of random weights.

    Args:
        path: of the model.bin.
        shape: its sizes.
        tag: of the matrices' format; vectors are float32.
        context: positions that the model has room for.

    Returns:
        The path.
    """
    pool = np.random.default_rng(0).standard_normal(POOL, np.float32) * np.float32(DEVIATION)
    tensors = tuple(_tensor(name, size, pool) for name, size in shape.tensors())
    source = Source(path, "random", tensors, (), architecture=shape.architecture, hyper=shape.hyper(context))
    execute(plan(source, Policy.shorthand(tag)), path)
    return path


def _tensor(name: str, shape: tuple[int, ...], pool: Floats) -> SourceTensor:
    fmt = registry.foreign("ggml", FLOAT)
    assert fmt is not None
    (part,) = fmt.parts
    cols = shape[-1]
    begin = crc32(name.encode()) % POOL

    def read(matrix: int, first: int, last: int) -> Parts:
        start = begin + (matrix * shape[-2] + first) * cols
        return {part.name: _numbers(pool, start, (last - first) * cols).reshape(last - first, cols)}

    def ones(_: int, first: int, last: int) -> Parts:
        return {part.name: np.ones((last - first, cols), np.float32)}

    return SourceTensor(name, name, shape, fmt.tag, ones if len(shape) == 1 else read)


def _numbers(pool: Floats, start: int, count: int) -> Array:
    """`count` numbers of the pool from `start` on; the pool repeats."""
    start %= POOL
    return np.resize(np.roll(pool, -start), count) if start + count > POOL else pool[start : start + count]
