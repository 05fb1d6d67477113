"""NVFP4 in GGUF with its second scale, which is a tensor of its own there."""

from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.arrays import Array
from fourcc.errors import SourceError
from fourcc.sources import open_source
from tests.sources.writers import gguf, written


def nvfp4(rows: int, cols: int, seed: int = 1) -> tuple[bytes, Array]:
    """Blocks of random codes and of all scales but 255, and their weights without a second scale."""
    random = np.random.default_rng(seed)
    scales = random.integers(0, 128, (rows, cols // 64, 4)).astype(np.uint8)
    codes = random.integers(0, 256, (rows, cols // 64, 32)).astype(np.uint8)
    data = np.concatenate([scales, codes], axis=2).tobytes()
    from gguf import GGMLQuantizationType, quants

    stored = np.frombuffer(data, np.uint8).reshape(rows, -1)
    return data, quants.dequantize(stored, GGMLQuantizationType.NVFP4)


def test_a_matrix_and_its_scale_are_one_tensor(tmp_path: Path) -> None:
    data, w = nvfp4(6, 192)
    scale = np.float32(0.37)
    tensors = [("a.weight", (6, 192), 40, data), ("a.scale", (1,), 0, scale.tobytes()), ("b", (2,), 0, bytes(8))]
    with open_source(written(tmp_path, "m", gguf([], tensors))) as source:
        found = {tensor.name: tensor for tensor in source.tensors}
        assert {name: str(tensor.tag) for name, tensor in found.items()} == {"a.weight": "NV4T", "b": "F32"}
        assert not source.notes
        # (level * e4m3) is exact, so that the order of the two products makes no difference
        np.testing.assert_allclose(found["a.weight"].decode(), w * scale, rtol=2**-23)
        part = found["a.weight"].read(0, 2, 5)
        assert part["scales"].shape == (3, 12)
        assert part["q"].shape == (3, 96)


def test_a_scale_of_one_changes_no_bit(tmp_path: Path) -> None:
    data, w = nvfp4(4, 64, seed=2)
    tensors = [("a.weight", (4, 64), 40, data), ("a.scale", (1,), 0, np.float32(1).tobytes())]
    with open_source(written(tmp_path, "m", gguf([], tensors))) as source:
        assert source.tensors[0].decode().tobytes() == w.tobytes()


def test_experts_have_a_scale_each(tmp_path: Path) -> None:
    data, w = nvfp4(3 * 2, 64, seed=3)
    factors = np.array([1, 2, 0.5], np.float32)
    tensors = [("a.weight", (3, 2, 64), 40, data), ("a.scale", (3,), 0, factors.tobytes())]
    path = written(tmp_path, "m.gguf", gguf([], tensors))
    with open_source(path) as source:
        np.testing.assert_array_equal(source.tensors[0].decode(), w.reshape(3, 2, 64) * factors[:, None, None])
    fourcc.convert(path, tmp_path / "m.bin")
    with fourcc.open(tmp_path / "m.bin") as model:
        np.testing.assert_array_equal(model["a.weight"].decode(), w.reshape(3, 2, 64) * factors[:, None, None])


def test_scales_of_other_tensors_stay(tmp_path: Path) -> None:
    """Only NVFP4 has a second scale."""
    tensors = [
        ("a.weight", (1, 32), 8, bytes(34)),
        ("a.scale", (1,), 0, bytes(4)),
        ("a.input_scale", (1,), 0, bytes(4)),
    ]
    with open_source(written(tmp_path, "m", gguf([], tensors))) as source:
        assert [tensor.name for tensor in source.tensors] == ["a.weight", "a.scale", "a.input_scale"]


def test_without_a_scale_it_is_read_as_it_is(tmp_path: Path) -> None:
    data, w = nvfp4(4, 64)
    with open_source(written(tmp_path, "m", gguf([], [("a.weight", (4, 64), 40, data)]))) as source:
        assert str(source.tensors[0].tag) == "NVF4"
        np.testing.assert_array_equal(source.tensors[0].decode(), w)


@pytest.mark.parametrize(("kind", "count"), [(0, 2), (1, 1)])
def test_a_scale_of_another_shape_or_type_is_refused(tmp_path: Path, kind: int, count: int) -> None:
    data, _ = nvfp4(4, 64)
    scale = ("a.scale", (count,), kind, bytes((4 >> kind) * count))
    with pytest.raises(
        SourceError, match=r"the second scale of a matrix has a wrong shape.*expected 1 in all, float32"
    ):
        open_source(written(tmp_path, "m", gguf([], [("a.weight", (4, 64), 40, data), scale])))


def test_a_scale_that_no_e4m3_has_is_refused(tmp_path: Path) -> None:
    data = bytes([255]) + bytes(35)
    path = written(tmp_path, "m", gguf([], [("a.weight", (1, 64), 40, data), ("a.scale", (1,), 0, bytes(4))]))
    with open_source(path) as source, pytest.raises(SourceError, match="a scale of 480"):
        source.tensors[0].decode()
