"""The six formats: the kit, and for each a block that is decoded by hand from the drawing in its file."""

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest
from fourcc_six.cb3k import CB3K
from fourcc_six.hd4r import HD4R, mix
from fourcc_six.im4n import IM4N
from fourcc_six.lg4x import LG4X
from fourcc_six.ol4s import OL4S
from fourcc_six.tr5p import TR5P

from fourcc import Aids, Format, Geometry, QMatrix, encode, registry
from fourcc.testing import Trial, trials

SIX = (LG4X, CB3K, HD4R, OL4S, TR5P, IM4N)
NORMAL = np.random.default_rng(1).standard_normal((3, 172)).astype(np.float32)


@pytest.fixture(autouse=True, scope="module")
def tried() -> Iterator[None]:
    """The package need not be installed."""
    with ExitStack() as stack:
        for each in SIX:
            stack.enter_context(registry.trying(each))
        yield


def encoded(fmt: Format, w: np.ndarray, importance: np.ndarray | None = None) -> QMatrix:
    """A matrix in a format; by default all columns are equally important."""
    counts = np.ones(w.shape[-1], np.float32) if importance is None else importance
    return encode(w, fmt.tag, aids=Aids(importance=counts))


@pytest.mark.parametrize("trial", [trial for each in SIX for trial in trials(each)], ids=str)
def test_conformance(trial: Trial) -> None:
    trial()


def test_lg4x_decodes_signs_and_powers_of_two() -> None:
    """Code 2 is 2^-2, code 8 + 1 is -2^-1; the first code is in the low bits."""
    parts = {"scale": np.array([[3]], np.float16), "codes": np.array([[0x92]], np.uint8)}
    assert LG4X.decode(parts, Geometry(1, 2)).tolist() == [[0.75, -1.5]]


def test_cb3k_stores_each_of_eight_values_exactly() -> None:
    """Eight values are their own book, if the largest is positive."""
    values = np.array([1, -0.75, -0.5, -0.25, 0.125, 0.25, 0.5, 0.75], np.float32)
    w = np.tile(values, (2, 8))
    assert (encoded(CB3K, w).decode() == w).all()


@pytest.mark.parametrize("cols", [64, 172, 3])
def test_hd4r_mixes_by_a_hadamard_matrix(cols: int) -> None:
    """Sylvester's, by the number of common ones of row and column; it is its own inverse; what is left stays."""
    signs = np.array([[(-1) ** (i & j).bit_count() for j in range(64)] for i in range(64)])
    whole = np.eye(cols)
    for at in range(0, cols - 63, 64):
        whole[at : at + 64, at : at + 64] = signs / 8
    mixed = mix(np.eye(cols, dtype=np.float32), {}, Geometry(cols, cols))
    np.testing.assert_array_equal(mixed, whole)
    np.testing.assert_allclose(whole @ whole, np.eye(cols), atol=1e-12)


def test_hd4r_decodes_to_the_same_bits_in_any_order_of_sums() -> None:
    """Codes are small, and share a scale of 11 bits: the sums of 64 fit in a float32."""
    random = np.random.default_rng(2)
    parts = {
        "scale": random.standard_normal((3, 2)).astype(np.float16),
        "codes": random.integers(0, 256, (3, 64), np.uint8),
    }
    v = parts["scale"].astype(np.float64).repeat(64, axis=1) * (
        np.stack([parts["codes"] & 15, parts["codes"] >> 4], axis=2).reshape(3, 128).astype(int) - 8
    )
    np.testing.assert_array_equal(HD4R.decode(parts, Geometry(3, 128)), mix(v, {}, Geometry(3, 128)))


def test_ol4s_keeps_the_largest_weights() -> None:
    """Two of 516, to the precision of float16; the others do not feel them."""
    w = NORMAL.copy()
    w[1, 100], w[2, 171] = 1000, -700
    q = encoded(OL4S, w)
    assert q.parts["places"].tolist() == [172 + 100, 2 * 172 + 171]
    assert (q.decode()[1, 100], q.decode()[2, 171]) == (1000, -700)
    w[1, 100] = w[2, 171] = 0
    assert np.abs(q.decode() - w)[[1, 2], [101, 170]].max() < 0.3


def test_tr5p_packs_five_codes_into_a_byte() -> None:
    """-1, 0, 1, 1, 0 are the codes 0, 1, 2, 2, 1: 1 * 3 + 2 * 9 + 2 * 27 + 1 * 81."""
    q = encoded(TR5P, np.array([[-1, 0, 1, 1, 0]], np.float32))
    assert q.parts["codes"].tolist() == [[156]]
    assert q.decode().tolist() == [[-1, 0, 1, 1, 0]]


def test_im4n_spends_its_error_where_it_matters_least() -> None:
    """Columns of importance 100 come back nearer than columns of importance 1."""
    w = np.random.default_rng(2).standard_normal((200, 64)).astype(np.float32)
    counts = np.where(np.arange(64) < 8, 100, 1).astype(np.float32)
    errors = (encoded(IM4N, w, counts).decode() - w) ** 2
    assert errors[:, :8].mean() < 0.8 * errors[:, 8:].mean()
    assert errors[:, :8].mean() < 0.8 * ((encoded(IM4N, w).decode() - w) ** 2)[:, :8].mean()
