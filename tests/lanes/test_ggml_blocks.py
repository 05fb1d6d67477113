"""ggml's own C code beside the formats that are its: by FOURCC_LLAMA_CPP, or of llama-cpp-python.

Random blocks decode to the same bits, and weights of several kinds are encoded to the same bytes.
"""

import numpy as np
import pytest

from fourcc.arrays import Array
from fourcc.bench.peers.ggml_library import folder, library
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import encoded, random_parts, same_numbers

DECODED = ("IQ1M", "IQ1S", "IQ2S", "IQ2X", "IQ2Y", "IQ3S", "IQ3Y")
CODED = ("NVF4", "Q1_0", "Q2_0", "TQ1", "TQ2")
SHAPE = (32, 2048)

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(folder() is None, reason="neither FOURCC_LLAMA_CPP nor llama-cpp-python has ggml's libraries"),
]


def kinds_of_weights() -> dict[str, Array]:
    """Weights (rows, cols), float32; some are far beyond what models have."""
    random = np.random.default_rng(1)
    normal = random.standard_normal(SHAPE)
    made = {
        "normal": normal,
        "small": normal / 50,
        "heavy": random.standard_t(2, SHAPE) * 30,
        "sizes": normal * np.exp2(random.integers(-40, 12, (SHAPE[0], 1))),
        "whole": random.integers(-9, 9, SHAPE),
        "sparse": np.where(random.random(SHAPE) < 0.02, normal, 0),
    }
    return {name: w.astype(np.float32) for name, w in made.items()}


@pytest.mark.parametrize("tag", [*DECODED, *CODED])
def test_decodes_as_ggml(tag: str) -> None:
    fmt = registry[as_tag(tag)]
    blocks = random_parts(tag, *SHAPE, seed=7)["blocks"]
    stored, w = np.ascontiguousarray(blocks), np.empty(SHAPE, np.float32)
    library().to_float(fmt.foreign["ggml"])(stored.ctypes.data, w.ctypes.data, w.size)
    assert same_numbers(fmt.decode({"blocks": blocks}, Geometry(*SHAPE)), w)


@pytest.mark.parametrize("kind", kinds_of_weights())
@pytest.mark.parametrize("tag", CODED)
def test_encodes_as_ggml(tag: str, kind: str) -> None:
    number, w = registry[as_tag(tag)].foreign["ggml"], kinds_of_weights()[kind]
    assert isinstance(number, int)
    stored = np.zeros((SHAPE[0], library().row_bytes(number, SHAPE[1])), np.uint8)
    library().quantize(number, w.ctypes.data, stored.ctypes.data, *SHAPE)
    assert encoded(tag, w)["blocks"].tobytes() == stored.tobytes()
