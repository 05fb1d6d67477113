"""The weights that a report looks at: samples that are whole rows, and histograms on the same bars."""

import numpy as np
import pytest

from fourcc.encoding import encode
from fourcc.parts import cut_rows
from fourcc.reporting.weights import SHOWN, picture, sampled
from fourcc.sources.source import SourceTensor
from tests.container.build import normal


def tensor(array: np.ndarray, tag: str | None = None) -> SourceTensor:  # type: ignore[type-arg]
    """A tensor of a checkpoint in memory, in the plain format of its dtype, or encoded."""
    if tag is None:
        return SourceTensor.of_array("w", array)
    q = encode(array.astype(np.float32), tag)
    matrices = list(q.matrices())

    def read(matrix: int, first: int, last: int) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
        return cut_rows(q.format, matrices[matrix], first, last)

    return SourceTensor("w", "w", array.shape, q.tag, read, q.params)


def test_a_small_tensor_is_looked_at_whole() -> None:
    small = tensor(normal(8, 32))
    assert sampled(small, None, 256) is small
    assert sampled(small, None, 0) is small


@pytest.mark.parametrize("tag", [None, "Q4_0", "Q8_A", "Q8_B"], ids=str)
@pytest.mark.parametrize("shape", [(640, 64), (3, 200, 96), (9, 4096)], ids=str)
def test_a_sample_is_runs_of_the_rows(tag: str | None, shape: tuple[int, ...]) -> None:
    """About as many weights as asked for, each run as it stands in the tensor, from its first rows to its last."""
    whole = tensor(normal(*shape), tag)
    some = sampled(whole, None, 4096)
    rows = whole.decode().reshape(-1, shape[-1])
    runs = some.decode()
    assert runs.shape[-1] == shape[-1]
    assert runs.size <= max(4096, 2 * shape[-1] * (whole.format.block[0] or shape[-2]))
    firsts = [int(np.flatnonzero((rows == run[0]).all(axis=1))[0]) for run in runs]
    assert firsts == sorted(set(firsts))
    assert firsts[0] == 0
    for first, run in zip(firsts, runs, strict=True):
        np.testing.assert_array_equal(run, rows[first : first + len(run)])


def test_a_pair_is_sampled_at_the_same_rows() -> None:
    """Blocks of neither are cut, so the error is that of the rows."""
    array = normal(512, 128)
    made = picture(tensor(array, "Q8_A"), tensor(array), 8192)
    assert made.error is not None
    assert 40 < made.error.sqnr_db < 50
    assert not made.whole
    assert made.before is not None
    assert len(made.bars) == len(made.before) == SHOWN


def test_a_histogram_counts_each_weight_within_four_deviations() -> None:
    array = normal(64, 64)
    array[0, 0] = 100.0
    made = picture(tensor(array), None, 0)
    assert made.now.weights == array.size
    assert made.ends[1] < 100
    inside = (array >= made.ends[0]) & (array <= made.ends[1])
    assert sum(made.bars) == np.count_nonzero(inside) >= array.size - 2


def test_codes_are_counted() -> None:
    made = picture(tensor(normal(32, 64), "Q4_0"), None, 0)
    assert sum(made.code_counts) == 32 * 64
    assert made.code_ends == (0, 15)
    assert picture(tensor(normal(32, 64)), None, 0).code_counts == ()


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 3e38], ids=str)
def test_odd_weights_make_a_picture(value: float) -> None:
    """All equal, none finite, squares beyond float32."""
    made = picture(tensor(np.full((4, 8), value, np.float32)), tensor(np.zeros((4, 8), np.float32)), 0)
    assert made.now.weights == 32


def test_an_empty_tensor_and_a_scalar_make_a_picture() -> None:
    assert picture(tensor(np.zeros((0, 4), np.float32)), None, 100).bars == ()
    assert picture(tensor(np.array(2, np.int64)), None, 100).now.minimum == 2
