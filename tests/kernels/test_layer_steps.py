"""Norms, sums and activation functions of a layer against float64, at widths that fill no whole vector."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.compute.buffers import Buffer, Sizes
from fourcc.compute.programs import Program
from tests.examples import examples
from tests.kernels.other_targets import on_any_processor, passes

EPSILON = 1e-5  # of the norms
ROUNDING = 2.0**-24

wide = st.sampled_from([1, 7, 16, 40, 512, 513, 1000])
seeds = st.integers(0, 2**32)


def filled(x: Array) -> Buffer:
    """A buffer of activations (rows, width)."""
    buffer = Buffer(*x.shape)
    buffer.floats[:, : buffer.width] = x
    return buffer


def weights(x: Array) -> Array:
    """Numbers as steps take them: zeros follow, up to a buffer's width."""
    return filled(x.reshape(1, -1)).floats


def run(count: int, add: Callable[[Program], None], head: int = 16) -> None:
    """Runs the steps that a function adds to a program."""
    program = Program(count, Sizes(1, 1, head, 8, EPSILON), np.zeros(1, np.int64), 2)
    add(program)
    program.run()


def drawn(seed: int, *shape: int, size: float = 1.0, shift: float = 0.0) -> Array:
    """Normal numbers."""
    random = np.random.default_rng(seed)
    return (size * random.standard_normal(shape) + shift).astype(np.float32)


def normed(x: Array, kind: str) -> Array:
    """The norm over the last axis, float64, without weights."""
    x = x.astype(float)
    if kind == "layer":
        x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + EPSILON)


def unchanged_behind(out: Buffer) -> bool:
    """Whether there are still zeros behind the numbers."""
    return not out.floats[:, out.width :].any()


@examples(60)
@given(
    seed=seeds,
    rows=st.integers(1, 5),
    width=wide,
    norm=st.sampled_from([("rms", False), ("layer", False), ("layer", True)]),
    spread=st.sampled_from([(1e-4, 0.0), (1.0, 0.0), (1.0, 10.0), (300.0, 10.0)]),
    in_place=st.booleans(),
)
def test_norms(
    seed: int, rows: int, width: int, norm: tuple[str, bool], spread: tuple[float, float], in_place: bool
) -> None:
    (kind, biased), (size, shift) = norm, spread
    x, weight, bias = drawn(seed, rows, width, size=size, shift=shift), drawn(seed + 1, width), drawn(seed + 2, width)
    given_ = filled(x)
    out = given_ if in_place else Buffer(rows, width)
    added = weights(bias) if biased else None
    run(rows, lambda program: program.norm(given_, weights(weight), out, kind=kind, bias=added))
    wanted = normed(x, kind) * weight + (bias if biased else 0)
    lost = (np.abs(x).max() + size) / np.sqrt(x.astype(float).var() + EPSILON) if kind == "layer" else 1
    largest = np.abs(weight).max() * (1 + np.abs(normed(x, kind)).max()) + np.abs(bias).max()
    assert np.abs(out.floats[:, :width] - wanted).max() <= 16 * ROUNDING * (1 + lost) * largest
    assert unchanged_behind(out)


@pytest.mark.parametrize("kind", ["rms", "layer"])
def test_the_norm_of_the_last_activation(kind: str) -> None:
    """It goes into the first row, and no other is written."""
    x, out = drawn(1, 4, 40), filled(np.ones((4, 40), np.float32))
    run(4, lambda program: program.norm(filled(x), weights(np.ones(40)), out, kind=kind, only_last=True))
    assert out.floats[0, :40] == pytest.approx(normed(x, kind)[3], rel=1e-5, abs=1e-5)
    assert (out.floats[1:, :40] == 1).all()


@examples(60)
@given(
    seed=seeds,
    heads=st.integers(1, 6),
    head=st.sampled_from([1, 2, 10, 16, 48, 80, 128]),
    kind=st.sampled_from(["rms", "layer"]),
    of_each=st.booleans(),
)
def test_norms_of_heads(seed: int, heads: int, head: int, kind: str, of_each: bool) -> None:
    """Every head has its own norm; the weights are one head's, or each head's own."""
    x = drawn(seed, 3, heads, head, size=2)
    weight = drawn(seed + 1, heads, head) if of_each else drawn(seed + 1, 1, head)
    out = filled(x.reshape(3, -1))
    run(3, lambda program: program.norm_heads(weights(weight), out, kind=kind, of_each=of_each), head)
    wanted = normed(x, kind) * weight
    lost = 1 + np.abs(x).max() / np.sqrt(x.astype(float).var(-1).min() + EPSILON)
    found = out.floats[:, : heads * head].reshape(x.shape)
    assert np.abs(found - wanted).max() <= 32 * ROUNDING * lost * (1 + np.abs(wanted).max() + np.abs(weight).max())
    assert unchanged_behind(out)


TRUTHS: dict[str, Callable[[Array], Array]] = {
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "gelu": lambda x: 0.5 * x * (1 + np.vectorize(math.erf)(x / np.sqrt(2))),
    "relu": lambda x: np.maximum(x, 0),
}


@examples(60)
@given(
    seed=seeds,
    width=wide,
    function=st.sampled_from(list(TRUTHS)),
    is_gate=st.booleans(),
    size=st.sampled_from([1e-6, 1.0, 4.0, 50.0]),
)
def test_activation_functions(seed: int, width: int, function: str, is_gate: bool, size: float) -> None:
    """In place, as a network runs them."""
    x, y = drawn(seed, 2, width, size=size), drawn(seed + 1, 2, width)
    out, second = filled(x), filled(y) if is_gate else None
    run(2, lambda program: program.activate(function, out, second, out))
    factor = y.astype(float) if is_gate else 1
    wanted = TRUTHS[function](x.astype(float)) * factor
    assert (np.abs(out.floats[:, :width] - wanted) <= 8 * ROUNDING * np.abs(x * factor)).all()
    assert unchanged_behind(out)


@pytest.mark.parametrize("function", TRUTHS)
def test_activation_functions_far_out(function: str) -> None:
    """Large numbers pass or vanish; nothing overflows."""
    x = np.array([[3e38, 1e30, 1e6, -1e6, -1e30, -3e38]], np.float32)
    out = filled(x)
    with np.errstate(over="ignore"):  # kernels as plain Python
        run(1, lambda program: program.activate(function, out, None, out))
    assert out.floats[0, :6].tolist() == pytest.approx([*x[0, :3].tolist(), 0, 0, 0], abs=4)


def test_the_gate_that_is_kept_within_limits() -> None:
    """Beyond the limits nothing changes any more."""
    x, y = drawn(3, 4, 100, size=8), drawn(4, 4, 100, size=8)
    out = Buffer(4, 100)
    run(4, lambda program: program.clamped_gate(filled(x), filled(y), out, limit=7.0, alpha=1.702))
    a, b = np.minimum(x, 7.0).astype(float), np.clip(y, -7.0, 7.0).astype(float)
    wanted = a / (1 + np.exp(-1.702 * a)) * (b + 1)
    assert np.abs(out.floats[:, :100] - wanted).max() <= 8 * ROUNDING * 7 * 8
    assert unchanged_behind(out)


@pytest.mark.parametrize("width", [5, 512, 700])
def test_sums_and_scales(width: int) -> None:
    x, y = drawn(5, 3, width), drawn(6, 3, width)
    added, scaled = filled(y), filled(y)
    run(3, lambda program: program.add_scaled(filled(x), added, 0.22))
    run(3, lambda program: program.scale(scaled, 0.22, 2))
    assert added.floats[:, :width] == pytest.approx(y + 0.22 * x.astype(float), rel=1e-6, abs=1e-6)
    assert scaled.floats[:2, :width] == pytest.approx(0.22 * y[:2].astype(float), rel=1e-6)
    assert (scaled.floats[2, :width] == y[2]).all()


@pytest.mark.parametrize("size", [1e-6, 0.1, 30.0, 1e4])
def test_soft_caps(size: float) -> None:
    """Small numbers keep their digits; large ones stay below the cap."""
    x = drawn(7, 3, 600, size=size)
    out = filled(x)
    run(3, lambda program: program.soft_cap(out, 30.0, 2))
    wanted = 30 * np.tanh(x[:2].astype(float) / 30)
    assert (np.abs(out.floats[:2, :600] - wanted) <= 8 * ROUNDING * np.abs(wanted)).all()
    assert (out.floats[2, :600] == x[2]).all()


@pytest.mark.thorough
@on_any_processor
def test_layer_steps_elsewhere(name: str) -> None:
    """These tests again, for this target."""
    passes("tests/kernels/test_layer_steps.py", name, "not elsewhere")
