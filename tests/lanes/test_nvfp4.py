"""NV4T beside compressed-tensors, where it is installed: the same bytes, and the same bits in float32."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from fourcc.arrays import Array
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import encoded, random_parts

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(find_spec("compressed_tensors") is None, reason="compressed-tensors is not installed"),
]
FORMAT = registry[as_tag("NV4T")]
SHAPE = (64, 256)
PROGRAM = Path(__file__).with_name("nvfp4.py")
KINDS = ("small", "heavy", "whole", "sparse", "sizes", "zero", "denormal")


def weights(kind: str) -> Array:
    """Weights (rows, cols), float32."""
    random = np.random.default_rng(3)
    normal = random.standard_normal(SHAPE)
    made = {
        "small": normal / 50,
        "heavy": random.standard_t(2, SHAPE) * 3,
        "whole": random.integers(-9, 9, SHAPE),
        "sparse": normal * (random.random(SHAPE) < 0.02),
        "sizes": normal * np.exp2(random.integers(-20, 0, SHAPE)),
        "zero": np.zeros(SHAPE),
        "denormal": normal * 1e-39,
    }
    return made[kind].astype(np.float32)


def any_parts() -> dict[str, Array]:
    """Random codes and scales, and a divisor."""
    return {**random_parts("NV4T", *SHAPE, seed=5), "second": np.array([1, 1234.5], np.float32)}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Array]:
    """All weights by compressed-tensors, in a process that knows nothing of fourcc."""
    folder = tmp_path_factory.mktemp("nvfp4")
    parts = any_parts()
    given = {f"{kind}.w": weights(kind) for kind in KINDS}
    for kind in KINDS:
        given |= {f"{kind}.q": parts["q"], f"{kind}.s": parts["scales"], f"{kind}.d": parts["second"][1:]}
    np.savez(folder / "in.npz", **given)
    command = [sys.executable, str(PROGRAM), str(folder / "in.npz"), str(folder / "out.npz")]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return dict(np.load(folder / "out.npz"))


@pytest.mark.parametrize("kind", KINDS)
def test_encodes_as_compressed_tensors(theirs: dict[str, Array], kind: str) -> None:
    parts = encoded("NV4T", weights(kind))
    assert parts["second"].tolist() == [1, theirs[f"{kind}.divisor"].item()]
    np.testing.assert_array_equal(parts["scales"], theirs[f"{kind}.scales"])
    np.testing.assert_array_equal(parts["q"], theirs[f"{kind}.codes"])


def test_decodes_any_bytes_as_compressed_tensors(theirs: dict[str, Array]) -> None:
    ours, other = FORMAT.decode(any_parts(), Geometry(*SHAPE)), theirs["small.decoded"]
    nan = np.isnan(ours)
    assert nan.any()
    np.testing.assert_array_equal(nan, np.isnan(other))
    np.testing.assert_array_equal(ours.view(np.int32)[~nan], other.view(np.int32)[~nan])
