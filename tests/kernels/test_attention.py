"""Attention's kernels against float64: heads that share keys, tiles, activations that go together."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.compute.buffers import Buffer, Sizes
from fourcc.compute.layer_steps import AttentionOptions
from fourcc.compute.programs import Program
from tests.examples import examples

EPSILON = 2.0**-23
BASE = 10000.0


def rotation(context: int, head: int) -> Array:
    """Half cosines, half sines, float32 (context, head)."""
    angles = np.outer(np.arange(context), BASE ** (-np.arange(0, head, 2) / head))
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def rotated(x: Array, turns: Array) -> Array:
    """Adjacent pairs of the first columns of (activations, heads, head), rotated, float64; the others as they are."""
    turned = turns.shape[1]
    cosine, sine = turns[:, None, : turned // 2].astype(float), turns[:, None, turned // 2 :].astype(float)
    a, b, out = x[..., :turned:2], x[..., 1:turned:2], x.copy()
    out[..., :turned:2] = a * cosine - b * sine
    out[..., 1:turned:2] = a * sine + b * cosine
    return out


def truth(
    q: Array,
    k: Array,
    v: Array,
    turns: Array,
    window: int | None = None,
    *,
    scale: float | None = None,
    softcap: float = 0,
    sinks: Array | None = None,
) -> Array:
    """Causal attention of (activations, heads, head) over (activations, kv heads, head), float64.

    With a window, position i sees j where i - window < j <= i.
    """
    group = q.shape[1] // k.shape[1]
    q, k = rotated(q.astype(float), turns), np.repeat(rotated(k.astype(float), turns), group, axis=1)
    scores = np.einsum("ihd,jhd->hij", q, k) * (1 / np.sqrt(q.shape[2]) if scale is None else scale)
    if softcap:
        scores = softcap * np.tanh(scores / softcap)
    scores[:, np.triu(np.ones(scores.shape[1:], bool), 1)] = -np.inf
    if window is not None:
        scores[:, np.tril(np.ones(scores.shape[1:], bool), -window)] = -np.inf
    if sinks is not None:  # one more column, whose weights go to no value
        column = np.broadcast_to(sinks.astype(float)[:, None, None], (*scores.shape[:2], 1))
        scores, v = np.concatenate([scores, column], axis=2), np.concatenate([v, np.zeros_like(v[:1])])
    weights = np.exp(scores - scores.max(2, keepdims=True))
    return np.einsum("hij,jhd->ihd", weights / weights.sum(2, keepdims=True), np.repeat(v.astype(float), group, axis=1))


class Attention:
    """Attention of one layer over several calls."""

    def __init__(
        self,
        heads: int,
        kv_heads: int,
        head: int,
        context: int,
        threads: int,
        window: int | None = None,
        *,
        scale: float | None = None,
        softcap: float = 0,
        table: Array | None = None,
        sinks: Array | None = None,
    ) -> None:
        table = rotation(context, head) if table is None else table
        self.options = AttentionOptions(table, window, sinks)
        self.sizes = Sizes(heads, kv_heads, head, context, 1e-5, scale, softcap)
        self.caches = self.sizes.caches(1)[0]
        self.at, self.threads = np.zeros(1, np.int64), threads

    def __call__(self, q: Array, k: Array, v: Array) -> Array:
        """Attention of some more activations."""
        count = len(q)
        buffers = [self.filled(each) for each in (q, k, v)]
        out = Buffer(count, q.shape[1] * q.shape[2])
        program = Program(count, self.sizes, self.at, self.threads)
        program.attend(*buffers, self.caches, out, self.options)
        program.run()
        self.at += count
        return out.floats[:, : out.width].reshape(q.shape).copy()

    def filled(self, x: Array) -> Buffer:
        """A buffer of activations, as steps take them."""
        buffer = Buffer(len(x), x.shape[1] * x.shape[2])
        buffer.floats[:, : buffer.width] = x.reshape(len(x), -1)
        return buffer


def drawn(seed: int, count: int, heads: int, kv_heads: int, head: int) -> tuple[Array, Array, Array]:
    """Queries, keys, values; some scores stand out, late ones among them, so that sums have to shrink."""
    normal = partial(np.random.default_rng(seed).standard_normal, dtype=np.float32)
    q, k, v = normal((count, heads, head)), normal((count, kv_heads, head)), normal((count, kv_heads, head))
    k[:: max(1, count // 5)] *= 8
    return q, k, v


def check(found: Array, wanted: Array, q: Array, k: Array, v: Array) -> None:
    """Within what float32 sums of products, and the exponential of their error, may lose."""
    size = np.abs(q).max() * np.abs(k).max() * np.sqrt(q.shape[2])
    assert np.abs(found - wanted).max() <= 16 * EPSILON * (1 + size) * np.abs(v).max()


@examples(60)
@given(
    seed=st.integers(0, 2**32),
    groups=st.sampled_from([(1, 1), (6, 6), (8, 1), (9, 3), (12, 2), (16, 1)]),
    head=st.sampled_from([2, 10, 16, 24, 48, 64, 80, 128]),
    calls=st.lists(st.integers(1, 90), min_size=1, max_size=4),
    threads=st.sampled_from([1, 2, 3]),
)
def test_attention(seed: int, groups: tuple[int, int], head: int, calls: list[int], threads: int) -> None:
    """However the activations are split into calls, over several tiles, of any width of a head."""
    heads, kv_heads = groups
    count = sum(calls)
    q, k, v = drawn(seed, count, heads, kv_heads, head)
    attention = Attention(heads, kv_heads, head, count, threads)
    ends = np.cumsum(calls)[:-1]
    pieces = zip(np.split(q, ends), np.split(k, ends), np.split(v, ends), strict=True)
    found = np.concatenate([attention(*some) for some in pieces])
    check(found, truth(q, k, v, attention.options.rotation[:count]), q, k, v)


@examples(80)
@given(
    seed=st.integers(0, 2**32),
    groups=st.sampled_from([(1, 1), (6, 6), (8, 1), (9, 3), (12, 2)]),
    head=st.sampled_from([2, 10, 16, 48, 80]),
    calls=st.lists(st.integers(1, 150), min_size=1, max_size=4),
    threads=st.sampled_from([1, 2, 3]),
    window=st.one_of(st.integers(1, 20), st.sampled_from([63, 64, 65, 127, 128, 129]), st.integers(1, 500)),
)
def test_windows(seed: int, groups: tuple[int, int], head: int, calls: list[int], threads: int, window: int) -> None:
    """Positions before the window do not count, even if their keys stand out."""
    count, (heads, kv_heads) = sum(calls), groups
    q, k, v = drawn(seed, count, heads, kv_heads, head)
    attention = Attention(heads, kv_heads, head, count, threads, window)
    ends = np.cumsum(calls)[:-1]
    pieces = zip(np.split(q, ends), np.split(k, ends), np.split(v, ends), strict=True)
    found = np.concatenate([attention(*some) for some in pieces])
    check(found, truth(q, k, v, attention.options.rotation[:count], window), q, k, v)


@examples(60)
@given(
    seed=st.integers(0, 2**32),
    groups=st.sampled_from([(1, 1), (6, 6), (8, 1), (9, 3)]),
    sizes=st.sampled_from([(2, 0), (10, 4), (16, 16), (24, 6), (64, 16), (80, 32), (256, 64)]),
    call=st.integers(1, 90),
    scores=st.tuples(st.sampled_from([None, 1.0, 0.02]), st.sampled_from([0, 0.5, 5.0, 50.0])),
    sunk=st.sampled_from([None, -60.0, 0.0, 3.0, 90.0]),
    window=st.sampled_from([None, 1, 30, 64, 100]),
)
def test_caps_sinks_and_heads_that_turn_in_part(
    seed: int,
    groups: tuple[int, int],
    sizes: tuple[int, int],
    call: int,
    scores: tuple[float | None, float],
    sunk: float | None,
    window: int | None,
) -> None:
    """A layer's own table turns some columns of a head, or none; sinks are each head's own."""
    count, (heads, kv_heads), (head, turned), (scale, softcap) = 100 + call, groups, sizes, scores
    q, k, v = drawn(seed, count, heads, kv_heads, head)
    k /= 4
    table = rotation(count, turned)
    sinks = None if sunk is None else np.float32(sunk) + np.arange(heads, dtype=np.float32)
    asked = {"scale": scale, "softcap": softcap, "sinks": sinks}
    attention = Attention(heads, kv_heads, head, count, 2, window, table=table, **asked)
    pieces = zip(np.split(q, [call]), np.split(k, [call]), np.split(v, [call]), strict=True)
    found = np.concatenate([attention(*some) for some in pieces])
    size = 1 if scale is None else scale * np.sqrt(head)
    check(found, truth(q, k, v, table, window, **asked), q * np.float32(size), k, v)


@pytest.mark.parametrize("window", [1, 16, 64, 70])
def test_what_lies_before_a_window_leaves_no_trace(window: int) -> None:
    """This holds even for huge keys and values."""
    q, k, v = drawn(9, 150, 4, 2, 16)
    last = []
    for size in (1, 1e18):
        k[: 150 - window] *= np.float32(size)
        v[: 150 - window] *= np.float32(size)
        last.append(Attention(4, 2, 16, 150, 2, window)(q, k, v)[-1].tobytes())
    assert last[0] == last[1]


@pytest.mark.parametrize("window", [None, 50])
def test_threads_do_not_show(window: int | None) -> None:
    """The number of queries at once does not show, either."""
    q, k, v = drawn(3, 130, 8, 2, 48)
    results = {Attention(8, 2, 48, 130, threads, window)(q, k, v).tobytes() for threads in (1, 2, 3, 5, 16)}
    assert len(results) == 1


def test_a_window_as_long_as_the_context_changes_nothing() -> None:
    """The results are equal bit for bit."""
    q, k, v = drawn(4, 200, 4, 2, 32)
    results = {Attention(4, 2, 32, 200, 1, window)(q, k, v).tobytes() for window in (None, 200, 201, 2**31 - 1)}
    assert len(results) == 1


@pytest.mark.parametrize("scale", [1e-20, 1e15])
def test_flat_and_pointed_weights(scale: float) -> None:
    """Equal scores give the mean of the values; one far larger score gives its value alone."""
    q, k, v = drawn(5, 70, 2, 1, 16)
    k[1:] = k[0] = 1
    q[...] = np.float32(scale)
    attention = Attention(2, 1, 16, 70, 1)
    attention.options.rotation[:, :8], attention.options.rotation[:, 8:] = 1, 0  # no turn
    if scale > 1:
        k[40] = 2
    found = attention(q, k, v)[-1]
    wanted = v[40, 0] if scale > 1 else v[:, 0].mean(0)
    assert found == pytest.approx(np.broadcast_to(wanted, found.shape), abs=1e-6)
