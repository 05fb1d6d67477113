"""The digest of a model's weights: one for all files that hold them as they are."""

from pathlib import Path

import pytest

import fourcc
from fourcc.calibration.model_digest import model_digest
from fourcc.sources import open_source


def digest(path: Path) -> str:
    """A file's digest."""
    with open_source(path) as source:
        return model_digest(source)


def test_files_that_keep_the_weights_have_it(root: Path, tmp_path: Path) -> None:
    """A checkpoint and a model.bin, also in a format of blocks; another tokenizer or hyper-parameter does not count."""
    tiny = root / "fourcc" / "example" / "tiny.bin"
    plain, mixed, again = tmp_path / "plain.bin", tmp_path / "mixed.bin", tmp_path / "again.bin"
    fourcc.convert(tiny, plain)
    assert digest(plain) == digest(tiny)
    fourcc.convert(tiny, mixed, format="Q8_A,F16", tokenizer=tiny.with_name("tiny_tokenizer.bin"))
    fourcc.convert(mixed, again)
    assert digest(again) == digest(mixed) != digest(tiny)
    fourcc.convert(tiny, again, exclude=["norm"], force=True)
    assert digest(again) != digest(tiny)


def test_one_weight_changes_it(root: Path, tmp_path: Path) -> None:
    """In a tensor of many."""
    tiny = root / "fourcc" / "example" / "tiny.bin"
    data = bytearray(tiny.read_bytes())
    data[len(data) // 2] ^= 1
    other = tmp_path / "tiny.bin"
    other.write_bytes(data)
    assert digest(other) != digest(tiny)


def test_how_rows_are_read_does_not_matter(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors of one tile have the digest that they have in many."""
    tiny = root / "fourcc" / "example" / "tiny.bin"
    whole = digest(tiny)
    monkeypatch.setattr("fourcc.tiles.TILE_WEIGHTS", 1000)
    assert digest(tiny) == whole
