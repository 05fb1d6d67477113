"""EXL3, against a plain reading of its layout (`tests/sources/writers_exl3.py`); no foreign program confirmed it.

exllamav3 runs on graphics processors alone, so that nothing else decodes its files here.
"""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from safetensors.numpy import save

import fourcc
from fourcc.errors import SourceError
from fourcc.sources import open_source
from fourcc.sources.weight_only.exl3_tiles import MULTIPLIERS, numbers, tiles
from tests.sources.writers import written
from tests.sources.writers_exl3 import decoded, exl3, number, tile

CONFIG = {"model_type": "other", "quantization_config": {"quant_method": "exl3", "version": "1.6.5", "bits": 3.0}}


def folder(path: Path, tensors: dict[str, np.ndarray], name: str = "proj") -> Path:
    """A folder that holds the module alone."""
    written(
        path,
        "model.safetensors",
        save({f"{name}.{ending}": np.ascontiguousarray(each) for ending, each in tensors.items()}),
    )
    written(path, "config.json", CONFIG)
    return path


@pytest.mark.parametrize("book", ["3inst", "mcg", "mul1"])
def test_states_stand_for_the_numbers_of_the_rules(book: str) -> None:
    """Some thousand states of each rule; all are finite, about normal, and about as often negative."""
    found = numbers(book)
    for state in range(0, 1 << 16, 17):
        assert found[state] == number(state, book)
    assert np.isfinite(found).all()
    assert abs(found.mean()) < 0.02
    assert abs(found.std() - (1 if book == "mul1" else 1.24)) < 0.06


@pytest.mark.parametrize("halves", range(2, 17))
def test_tiles_are_rings_of_bits(halves: int) -> None:
    random = Random(halves)
    made = [tile(halves, random) for _ in range(3)]
    found = tiles(np.array([words for words, _ in made], np.uint16), halves, "mul1")
    np.testing.assert_array_equal(found, [decoded(ring, halves, "mul1") for _, ring in made])


@pytest.mark.parametrize(("halves", "book"), [(6, "3inst"), (4, "mcg"), (8, "mul1"), (5, "mul1")])
def test_weights_are_those_between_two_transforms(tmp_path: Path, halves: int, book: str) -> None:
    """To the last bit but for the second rounding, of float64 to float32."""
    tensors, w = exl3(256, 128, halves, book)
    with open_source(folder(tmp_path, tensors)) as source:
        (tensor,) = source.tensors
        assert (tensor.name, tensor.shape, str(tensor.tag)) == ("proj.weight", (256, 128), "F32")
        np.testing.assert_array_equal(tensor.decode(), w.astype(np.float32))
        (rows,) = tensor.read(0, 120, 140).values()
    np.testing.assert_array_equal(rows, w[120:140].astype(np.float32))


def test_signs_of_older_files_are_bits(tmp_path: Path) -> None:
    tensors, w = exl3(128, 128, 4, "3inst")
    bits = np.random.default_rng(2).integers(0, 2, (2, 128))
    signs = 1.0 - 2.0 * bits
    packed = (bits.reshape(2, 8, 16) << np.arange(16)).sum(axis=2).astype(np.uint16).view("<i2")
    plain = w / np.outer(*(tensors.pop(name).astype(np.float64) for name in ("svh", "suh")))
    with open_source(folder(tmp_path, {**tensors, "su": packed[0], "sv": packed[1]})) as source:
        np.testing.assert_allclose(
            source.tensors[0].decode(), plain * np.outer(signs[1], signs[0]), rtol=1e-6, atol=1e-9
        )


def test_it_is_encoded_anew(tmp_path: Path) -> None:
    tensors, w = exl3(128, 128, 6, "mcg")
    fourcc.convert(folder(tmp_path, tensors), tmp_path / "m.bin", format="Q8_0")
    with fourcc.open(tmp_path / "m.bin") as model:
        np.testing.assert_allclose(model["proj.weight"].decode(), w, atol=np.abs(w).max() / 100)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"svh": None}, "the matrix is not complete: there is no proj.svh"),
        ({"svh": np.zeros(64, np.float16)}, "svh has no factor for each of 128"),
        ({"trellis": np.zeros((8, 8, 50), np.int16)}, "the trellis has a wrong shape"),
        ({"trellis": np.zeros((8, 4, 48), np.int16)}, "the trellis has a wrong shape"),
        ({"trellis": np.zeros((8, 8, 144), np.int16)}, "the trellis has a wrong shape"),
        ({"trellis": np.zeros((8, 8, 56), np.int16)}, "the rule of the states is not clear: found neither, 3.5 bits"),
        ({"mcg": np.array(7, np.int32)}, "mcg is another multiplier: found 0x7, expected 0xcbac1fed"),
        (
            {name: np.array(value, np.uint32).view(np.int32) for name, value in MULTIPLIERS.items()},
            "the rule of the states is not clear: found mcg and mul1, 3 bits",
        ),
    ],
)
def test_parts_that_do_not_go_together(tmp_path: Path, changes: dict[str, np.ndarray | None], message: str) -> None:
    tensors, _ = exl3(128, 128, 6, "3inst")
    kept = {name: each for name, each in {**tensors, **changes}.items() if each is not None}
    with pytest.raises(SourceError, match=message), open_source(folder(tmp_path, kept)):
        pass
