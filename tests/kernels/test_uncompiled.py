"""Kernels as plain Python, and with every index checked."""

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.one_of_each_kind import SOME
from tests.kernels.short_products import TAGS, run


def products(path: Path) -> dict[str, np.ndarray]:
    """The results that a process kept."""
    with np.load(path) as kept:
        return dict(kept)


@pytest.mark.parametrize("tags", [SOME, pytest.param(TAGS, marks=pytest.mark.thorough)], ids=["some", "all"])
def test_kernels_run_as_plain_python(tmp_path: Path, tags: list[str]) -> None:
    """``NUMBA_DISABLE_JIT=1``: to step through them; numba is not even imported."""
    told = run(tmp_path / "plain.npz", tags, NUMBA_DISABLE_JIT="1")
    assert sorted(told["excess"]) == sorted(tags)
    assert max(told["excess"].values()) <= 1, told["excess"]
    assert told["compilations"] == 0
    assert not told["numba"]
    run(tmp_path / "compiled.npz", tags)
    plain, compiled = products(tmp_path / "plain.npz"), products(tmp_path / "compiled.npz")
    assert plain.keys() == compiled.keys()
    for name, product in plain.items():  # the same steps in the same order, but for the roundings of multiply_add
        np.testing.assert_allclose(product, compiled[name], rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.thorough  # the kit asks it of a format of each kind
def test_kernels_run_with_every_index_checked(tmp_path: Path) -> None:
    """``NUMBA_BOUNDSCHECK=1``: compiled anew, the products are the same."""
    told = run(tmp_path / "checked.npz", NUMBA_BOUNDSCHECK="1")
    assert max(told["excess"].values()) <= 1, told["excess"]
    run(tmp_path / "compiled.npz")
    checked, compiled = products(tmp_path / "checked.npz"), products(tmp_path / "compiled.npz")
    assert checked.keys() == compiled.keys()
    for name, product in checked.items():
        assert product.tobytes() == compiled[name].tobytes(), name
