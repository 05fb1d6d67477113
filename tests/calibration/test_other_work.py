"""Unfinished work is gone on with by the same work alone, whatever it is that the numbers depend on."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fourcc
from fourcc.errors import UsageError
from tests.conftest import ROOT

FOLDER = ROOT / "fourcc" / "example"
MODEL, TOKENIZER, TEXT = FOLDER / "tiny.bin", FOLDER / "tiny_tokenizer.bin", FOLDER / "heldout.txt"
WORK = {
    fourcc.calibrate: {"tokens": 300},
    fourcc.measure: {"tokens": 60, "options": "Q8_0"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model as a folder of transformers'."""
    made = tmp_path_factory.mktemp("folder") / "model"
    fourcc.export(MODEL, made, to="huggingface", tokenizer=FOLDER / "hf" / "tokenizer.json")
    return made


@pytest.fixture
def other_tokenizer(tmp_path: Path) -> Path:
    """A tokenizer with the same tokens, which cuts a text into others: what was merged first is merged last."""
    data, at = bytearray(TOKENIZER.read_bytes()), 4
    while at < len(data):
        score, length = struct.unpack_from("<fi", data, at)
        struct.pack_into("<f", data, at, -score)
        at += 8 + length
    path = tmp_path / "tokenizer.bin"
    path.write_bytes(data)
    return path


def refused(work: Callable[..., object], begun: Path, other: Path, tmp_path: Path, **changes: Any) -> str:
    """The error of work that goes on with that of another model, or with changes."""
    output = tmp_path / "out"

    def stop(name: str, done: int, total: int) -> None:
        if 2 * done > total:
            raise KeyboardInterrupt

    asked = {**WORK[work], "threads": 1} | ({"tokenizer": TOKENIZER} if begun == MODEL else {})
    with pytest.raises(KeyboardInterrupt):
        work(begun, TEXT, output, progress=stop, **asked)
    with pytest.raises(UsageError, match="the unfinished work is not the one that is asked for") as raised:
        work(other, TEXT, output, resume=True, **{**asked, **changes})
    return str(raised.value)


@pytest.mark.parametrize("work", WORK)
def test_another_config_with_the_same_weights(work: Callable[..., object], folder: Path, tmp_path: Path) -> None:
    """The tensors are the same, and yet the model computes something else."""
    other = tmp_path / "model"
    other.mkdir()
    for path in folder.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "rope_theta": 500.0}))
    assert ": hyper-parameter rope_theta is 10000.0, not 500.0. Give" in refused(work, folder, other, tmp_path)


@pytest.mark.parametrize("work", WORK)
def test_another_tokenizer(work: Callable[..., object], other_tokenizer: Path, tmp_path: Path) -> None:
    """As many tokens, and others."""
    assert ": windows is '" in refused(work, MODEL, MODEL, tmp_path, tokenizer=other_tokenizer)
