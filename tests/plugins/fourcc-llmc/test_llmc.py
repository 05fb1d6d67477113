"""Checkpoints as llm.c's `train_gpt2.py` writes them, read back."""

from math import prod
from pathlib import Path

import numpy as np
import pytest
from fourcc_llmc import KIND, MAGIC, Sizes, open_gpt2, recognises, tensors

from fourcc.errors import SourceError

SIZES = Sizes(context=8, vocabulary=10, layers=2, heads=2, width=4, rows=16)
COUNT = sum(prod(shape) for _, shape in tensors(SIZES))


def written(path: Path, version: int = 3, sizes: Sizes = SIZES, extra: int = 0) -> np.ndarray:
    """Writes a model whose weights count up; returns them."""
    header = np.zeros(256, "<i4")
    header[:8] = [MAGIC, version, *sizes]
    weights = np.arange(COUNT + extra, dtype="<f4")
    stored = weights if version == 3 else (weights.view("<u4") >> 16).astype("<u2")
    path.write_bytes(header.tobytes() + stored.tobytes())
    return weights if version == 3 else (stored.astype("<u4") << 16).view("<f4")


@pytest.mark.parametrize("version", [3, 5])
def test_every_weight_is_where_it_belongs(tmp_path: Path, version: int) -> None:
    weights = written(tmp_path / "gpt2.bin", version)
    assert recognises(tmp_path / "gpt2.bin", (tmp_path / "gpt2.bin").read_bytes()[:4096])
    with KIND.open(tmp_path / "gpt2.bin") as source:
        assert len(source) == 4 + 12 * SIZES.layers
        assert source.kind == f"llm.c v{version}"
        read = [source["wte.weight"].decode(), source["wpe.weight"].decode()]
        names = [name for name, shape in tensors(SIZES) if "{}" in name]
        for name in names:
            read += [source[name.format(layer)].decode() for layer in range(SIZES.layers)]
        read += [source["ln_f.weight"].decode(), source["ln_f.bias"].decode()]
        np.testing.assert_array_equal(np.concatenate([each.ravel() for each in read]), weights)
        assert source["h.1.mlp.c_fc.weight"].shape == (16, 4)
        assert source.hyper["vocab_size"] == 10


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 1}, "a version that is not read: found 1, expected 3 or 5"),
        ({"sizes": SIZES._replace(layers=0)}, "sizes that no model has"),
        ({"sizes": SIZES._replace(width=8)}, "not as long as its header says"),
        ({"extra": 3}, f"found {COUNT + 3}, expected {COUNT} weights"),
    ],
)
def test_damage(tmp_path: Path, change: dict[str, int], says: str) -> None:
    written(tmp_path / "gpt2.bin", **change)
    with pytest.raises(SourceError, match=says):
        open_gpt2(tmp_path / "gpt2.bin")


@pytest.mark.parametrize("length", [4, 1023, 1024])
def test_a_cut_file(tmp_path: Path, length: int) -> None:
    written(tmp_path / "gpt2.bin")
    (tmp_path / "cut.bin").write_bytes((tmp_path / "gpt2.bin").read_bytes()[:length])
    with pytest.raises(SourceError, match="the file ends too early"):
        open_gpt2(tmp_path / "cut.bin")
