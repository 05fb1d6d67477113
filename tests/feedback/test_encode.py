"""Error feedback in `encode`: tiles, threads of work, experts, what is refused, and what gets none."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fourcc
from fourcc.arrays import Array, Parts
from fourcc.errors import UsageError
from fourcc.feedback.columns import chosen_codes
from fourcc.feedback.factor import factored
from fourcc.feedback.feedback import Feedback
from fourcc.geometry import Geometry
from fourcc.matrix_encoder import MatrixEncoder
from fourcc.parts import cut_rows
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.settings import complete
from tests.core import seam_formats
from tests.core.fakes import installed
from tests.examples import examples
from tests.feedback.hessians import hessian, output_error

LARGE = 1 << 30  # weights of a whole work that is done by compiled code


def weights(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32) / 8


def bytes_of(parts: Parts) -> dict[str, bytes]:
    return {name: part.tobytes() for name, part in parts.items()}


@examples(12)
@given(
    st.sampled_from(["Q3_K", "Q4_0", "IQ4N", "Q8_0", "Q4_Z"]), st.lists(st.integers(1, 9), max_size=4), st.booleans()
)
def test_bytes_do_not_depend_on_tiles(tag: str, cuts: list[int], large: bool) -> None:
    """Nor on whether numpy or compiled code chooses them."""
    fmt, rows, cols = registry[tag], 20, 512
    w, h = weights(rows, cols), hessian(cols)
    params, options = complete(fmt.params, {}), complete(fmt.options, {})
    encoder = MatrixEncoder(
        fmt,
        Geometry(rows, cols, params),
        options,
        fourcc.Aids(None, h),
        feedback=Feedback(),
        whole=LARGE if large else 0,
    )
    whole = fourcc.encode(w, tag, aids=fourcc.Aids(None, h), feedback="gptq").parts
    edges = sorted({0, rows, *(edge for edge in np.cumsum(cuts).tolist() if edge < rows)})
    for first, last in pairwise(edges):
        tile, _ = encoder.tile(w[first:last], encoder.prepare(lambda a, b: w[a:b]), first)
        assert bytes_of(tile) == bytes_of(cut_rows(fmt, whole, first, last))


def test_settings_show_in_the_codes() -> None:
    w, aids = weights(8, 128), fourcc.Aids(None, hessian(128))
    every = [None, Feedback(), Feedback(damping=1.0), Feedback(order="columns")]
    made = [fourcc.encode(w, "Q4_0", aids=aids, feedback=each).parts["blocks"].tobytes() for each in every]
    assert len(set(made)) == 4
    assert fourcc.encode(w, "Q4_0", aids=aids, feedback="gptq").parts["blocks"].tobytes() == made[1]


@pytest.mark.parametrize("tag", ["F16", "BF16", "F32"])
def test_floats_are_encoded_plainly(tag: str) -> None:
    w = weights(4, 64)
    fed = fourcc.encode(w, tag, aids=fourcc.Aids(None, hessian(64)), feedback="gptq")
    assert bytes_of(fed.parts) == bytes_of(fourcc.encode(w, tag).parts)


def test_without_a_hessian_nothing_changes() -> None:
    w, aids = weights(4, 64), fourcc.Aids(np.ones(64, np.float32))
    plain = fourcc.encode(w, "Q4_0", aids=aids)
    assert bytes_of(fourcc.encode(w, "Q4_0", aids=aids, feedback="gptq").parts) == bytes_of(plain.parts)


def test_each_expert_has_its_own_hessian() -> None:
    """One whose inputs were never seen is encoded plainly."""
    w = weights(3, 8, 64)
    each = np.stack([hessian(64, 1), np.zeros((64, 64), np.float32), hessian(64, 2)])
    made = fourcc.encode(w, "Q4_0", aids=fourcc.Aids(None, each), feedback="gptq").parts["blocks"].reshape(3, -1)
    for index in range(3):
        aids = fourcc.Aids(None, each[index])
        alone = fourcc.encode(w[index], "Q4_0", aids=aids, feedback=None if index == 1 else "gptq")
        assert made[index].tobytes() == alone.parts["blocks"].tobytes()


@pytest.mark.parametrize(
    ("h", "message"),
    [
        (
            np.eye(63, dtype=np.float32),
            "tensor 'wq': the hessian does not fit: found (63, 63), expected (64, 64), or one for each",
        ),
        (
            np.ones(64, np.float32),
            "tensor 'wq': the hessian does not fit: found (64,), expected (64, 64), or one for each of 1",
        ),
        (np.full((64, 64), np.nan, np.float32), "tensor 'wq': the hessian holds NaN or infinity"),
    ],
    ids=["shape", "vector", "NaN"],
)
def test_a_wrong_hessian_is_refused(h: Array, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        fourcc.encode(weights(4, 64), "Q4_0", aids=fourcc.Aids(None, h), feedback="gptq", name="wq")


def test_a_matrix_whose_inputs_were_always_zero_is_encoded_plainly() -> None:
    """All of its columns are dead."""
    w, h = weights(4, 64), np.zeros((64, 64), np.float32)
    plain, fed = (fourcc.encode(w, "Q4_0", aids=fourcc.Aids(None, h), feedback=each) for each in (None, "gptq"))
    assert np.abs(fed.decode() - w).sum() <= np.abs(plain.decode() - w).sum()
    assert fed.parts["blocks"]["d"].tobytes() == plain.parts["blocks"]["d"].tobytes()


def test_a_matrix_without_rows() -> None:
    made = fourcc.encode(np.zeros((0, 64), np.float32), "Q4_0", aids=fourcc.Aids(None, hessian(64)), feedback="gptq")
    assert made.shape == (0, 64)


@pytest.mark.parametrize(("rows", "cols"), [(1, 32), (9, 33), (5, 2)])
def test_short_rows(rows: int, cols: int) -> None:
    w, h = weights(rows, cols), hessian(cols)
    fed = fourcc.encode(w, "Q4_Z", aids=fourcc.Aids(None, h), feedback="gptq")
    plain = fourcc.encode(w, "Q4_Z")
    costs = [output_error(each.decode().astype(np.float64) - w, h) for each in (plain, fed)]
    assert costs[1] <= costs[0]


def test_a_rotation_makes_outliers_harmless() -> None:
    """A turned format sees the Hessian of turned inputs: the result is that of turning weights and inputs by hand."""
    rows, cols = 24, 64
    w, h = weights(rows, cols), hessian(cols)
    with installed(seam_formats.HADAMARD):
        made = fourcc.encode(w, "Hada", aids=fourcc.Aids(None, h), feedback="gptq")
    turn = seam_formats._rotation(Geometry(rows, cols, made.params)).astype(np.float64)
    turned = (turn @ h @ turn.T).astype(np.float32)
    by_hand = codes_of_turned(made, (w @ turn.T).astype(np.float32), turned)
    codes = made.parts["blocks"]["q"].reshape(rows, cols)
    assert (codes != by_hand).mean() < 0.02  # the last digits of the turned numbers differ


def codes_of_turned(made: QMatrix, w: Array, h: Array) -> Array:
    """The codes of weights that are turned already, with the scales of a matrix that is encoded."""
    fmt, geom = seam_formats.HADAMARD, Geometry(*w.shape, made.params)
    assert fmt.grid is not None
    grid = fmt.grid(made.parts, geom)
    return chosen_codes(w.astype(np.float64), grid, factored(h, Feedback(), whole=0), whole=0)
