"""Encoding with an importance, of all formats that use one: what it gains, and what it leaves alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.encoding import encode
from fourcc.format import Aids
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry
from fourcc.settings import Params
from tests import naive_importance
from tests.examples import examples
from tests.formats.strategies import matrices

GGML = ["IQ4N", "IQ4X", "Q2_K", "Q3_K", "Q4_0", "Q4_1", "Q4_K", "Q5_0", "Q5_1", "Q5_K", "Q6_K"]
OURS = sorted(naive_importance.WEIGHTED)
TRELLISES = ["TC2", "TC3", "TC4"]  # their own tests have it
WITHOUT = [
    "BF16",
    "F16",
    "F32",
    "F64",
    "F8_G",
    "Q8_0",
    "Q8_A",
    "Q8_B",
    "Q8_F",
    "Q8_G",
    "Q8_Z",
    "NVF4",
    "NV4T",
    "Q1_0",
    "Q2_0",
    "TQ1",
    "TQ2",
]
HQQ = {"method": "hqq"}
COUNTS = st.sampled_from([0.0, 1e-30, 0.01, 1.0, 3.0, 1000.0, 1e30])
ours = pytest.mark.parametrize("tag", OURS)


def with_importance(tag: str, w: Array, importance: Array | None, options: Params | None = None) -> dict[str, bytes]:
    """The bytes of the parts."""
    matrix = encode(w, tag, options=options, aids=Aids(importance=importance))
    return {name: part.tobytes() for name, part in matrix.parts.items()}


def weighted_error(w: Array, tag: str, importance: Array, given_to_it: Array | None) -> float:
    """The sum of importance * error^2, of a matrix that was encoded with an importance or without."""
    decoded = encode(w, tag, aids=Aids(importance=given_to_it)).decode().astype(np.float64)
    return float((importance * (w - decoded) ** 2).sum())


def columns_of(tag: str) -> list[int]:
    """Widths that fit, with a short last block where there may be one."""
    return [32, 96] if tag == "MXF4" else [1, 2, 17, 65, 130]


def test_every_format_says_whether_it_uses_an_importance() -> None:
    encoders = [tag for tag in registry if registry.entry(tag).distribution == OWN and registry[tag].encode]
    using = sorted(str(tag) for tag in encoders if "importance" in registry[tag].uses)
    assert using == sorted(GGML + OURS + TRELLISES)
    assert sorted(str(tag) for tag in encoders) == sorted(GGML + OURS + TRELLISES + WITHOUT)


@ours
@examples(25)
@given(st.data())
def test_with_an_importance_it_is_the_plain_python(tag: str, data: st.DataObject) -> None:
    cols = data.draw(st.sampled_from(columns_of(tag)))
    w = data.draw(matrices(st.just(2), st.just(cols), largest=2.0**120))
    importance = np.array(data.draw(st.lists(COUNTS, min_size=cols, max_size=cols)), np.float32)
    slow = naive_importance.WEIGHTED[tag](w.reshape(-1).tolist(), *w.shape, {}, importance.tolist())
    assert with_importance(tag, w, importance) == slow


@examples(25)
@given(matrices(st.just(2), st.sampled_from([1, 2, 17, 130]), largest=2.0**100))
def test_half_quadratic_splitting_is_the_plain_python(w: Array) -> None:
    slow = naive_importance.WEIGHTED["Q4_Z"](w.reshape(-1).tolist(), *w.shape, HQQ, None)
    assert with_importance("Q4_Z", w, None, HQQ) == slow


@ours
@examples(25)
@given(st.data())
def test_the_weighted_error_is_never_larger_than_without(tag: str, data: st.DataObject) -> None:
    """Q4_A's cuts are the best ones up to the rounding of its sums; all others compare with what they would be."""
    cols = data.draw(st.sampled_from(columns_of(tag)))
    w = data.draw(matrices(st.just(2), st.just(cols), largest=2.0**60))
    importance = np.array(data.draw(st.lists(COUNTS, min_size=cols, max_size=cols)), np.float32)
    rounding = 2.0**-35 * float((importance.max() * np.square(w, dtype=np.float64)).sum()) if tag == "Q4_A" else 0
    plain = weighted_error(w, tag, importance, None)
    assert weighted_error(w, tag, importance, importance) <= plain * (1 + 2.0**-40) + rounding


@pytest.mark.parametrize("tag", [*GGML, *OURS])
def test_the_error_of_columns_that_count_differently_falls(tag: str) -> None:
    """ggml's searches weigh errors by magnitude, too: so it falls for a matrix, but not for every block."""
    random = np.random.default_rng(3)
    w = random.standard_t(3, (32, 512)).astype(np.float32)
    importance = (10.0 ** random.uniform(-2, 2, 512)).astype(np.float32)
    assert weighted_error(w, tag, importance, importance) < 0.99 * weighted_error(w, tag, importance, None)


@pytest.mark.parametrize("tag", [*GGML, *OURS])
def test_an_importance_times_a_power_of_two_gives_the_same_bytes(tag: str) -> None:
    random = np.random.default_rng(4)
    w = random.standard_normal((4, 512), dtype=np.float32)
    importance = random.uniform(0.5, 2, 512).astype(np.float32)
    assert with_importance(tag, w, importance) == with_importance(tag, w, importance * np.float32(64))


@ours
def test_no_importance_at_all_gives_the_plain_bytes(tag: str) -> None:
    """All candidates are equal then, and the first is what the format does without."""
    w = np.random.default_rng(5).standard_normal((3, 96), dtype=np.float32)
    assert with_importance(tag, w, np.zeros(96, np.float32)) == with_importance(tag, w, None)


@pytest.mark.parametrize(("tag", "method"), [("Q4_A", "equal-count"), ("Q4_Z", "hqq")])
def test_a_method_that_heeds_no_importance(tag: str, method: str) -> None:
    w = np.random.default_rng(6).standard_normal((3, 96), dtype=np.float32)
    importance, options = np.arange(96, dtype=np.float32), {"method": method}
    assert with_importance(tag, w, importance, options) == with_importance(tag, w, None, options)


def test_one_outlier_that_does_not_count_is_clipped() -> None:
    """The range of the whole matrix shrinks to 15 / 64, which still spans all other weights."""
    w = np.random.default_rng(7).uniform(-1, 1, (64, 64)).astype(np.float32)
    w[0, 0] = 5
    importance = np.ones(64, np.float32)
    importance[0] = 0
    scale = encode(w, "Q8_T", aids=Aids(importance=importance)).parts["scale"]
    assert scale.item() == np.float32(5 * 15 / 64) / np.float32(127)


def test_half_quadratic_splitting_cares_less_for_an_outlier() -> None:
    """Most weights come nearer to their originals, the outlier moves away from its own."""
    w = np.random.default_rng(8).standard_normal((64, 128), dtype=np.float32)
    w[:, 0] *= 4
    plain, hqq = (np.abs(encode(w, "Q4_Z", options=options).decode() - w) for options in ({}, HQQ))
    assert np.median(hqq) < 0.95 * np.median(plain)
    assert hqq[:, 0].mean() > plain[:, 0].mean()
