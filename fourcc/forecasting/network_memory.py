"""The memory that `fourcc run` takes: weights, keys and values of each position, activations, the process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import attrs

from fourcc.compute.buffers import Sizes
from fourcc.forecasting.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fourcc.forecasting.network_sizes import NetworkSizes
    from fourcc.models.architecture import Architecture

CONTEXTS = (2048, 8192, 32768)  # positions that memory is told for, beside the model's own longest context
BATCH = 256  # activations that are computed at once
FLOAT = 4  # bytes
CODES = 1.4  # of the bytes of activations: with the codes that products take
PROCESS = Figure(90e6, 105e6, 125e6, "table")  # bytes of Python, numpy, the compiled kernels and the tokenizer


@attrs.frozen
class ContextMemory:
    """Memory with some positions in use.

    Attributes:
        positions: that the network has seen.
        cache: bytes of their keys, values and rotations.
        resident: bytes of the whole process.
    """

    positions: int
    cache: int
    resident: Figure


def memory_by_context(network: NetworkSizes) -> tuple[ContextMemory, ...]:
    """The memory for each number of positions in `CONTEXTS` that the model has, and for the longest."""
    return tuple(_memory(network, positions) for positions in _contexts(network.architecture))


def _contexts(sizes: Architecture) -> Iterator[int]:
    yield from (each for each in CONTEXTS if each < sizes.seq_len)
    yield sizes.seq_len


def _memory(network: NetworkSizes, positions: int) -> ContextMemory:
    sizes = network.architecture
    cache = cache_bytes(sizes, positions)
    fixed = network.resident + cache + _activations(sizes, positions)
    return ContextMemory(positions, cache, PROCESS + Figure.exact(fixed))


def cache_bytes(sizes: Architecture, positions: int) -> int:
    """Bytes of the keys and values of all layers, and of the tables of rotations."""
    keys, values = Sizes(sizes.n_heads, sizes.n_kv_heads, sizes.head_dim, positions, 0.0).lengths
    turns = {sizes.turns_of(layer, positions) for layer in range(sizes.n_layers)}
    rotated = sum(each.columns for each in turns if each is not None)
    return FLOAT * (sizes.n_layers * (keys + values) + positions * rotated)


def _activations(sizes: Architecture, positions: int) -> int:
    """Bytes of the activations, which one batch of tokens needs."""
    rows, heads = min(BATCH, positions), sizes.n_heads + sizes.n_kv_heads
    columns = 3 * sizes.dim + 2 * heads * sizes.head_dim + 2 * sizes.hidden_dim
    used = sizes.n_experts_used or 0
    columns += used * 2 * ((sizes.expert_hidden_dim or 0) + sizes.dim) + 2 * (sizes.shared_hidden_dim or 0)
    return int(CODES * FLOAT * (rows * columns + sizes.vocab_size))


def machine_memory() -> int | None:
    """Bytes of this machine's memory; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
