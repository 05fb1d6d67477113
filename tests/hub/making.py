"""Small models for the hub of the tests."""

import json
from pathlib import Path

import fourcc
from fourcc.example import CHECKPOINT, FOLDER, HF


def sharded_folder(folder: Path) -> Path:
    """The shipped model as a folder, its weights in files of at most 400 kB."""
    shorter = {"shard_size": "400KB", "tokenizer": FOLDER / HF / "tokenizer.json"}
    fourcc.export(FOLDER / CHECKPOINT, folder / "model", to="huggingface", **shorter)
    return folder / "model"


def index_of(folder: Path) -> dict[str, str]:
    """Tensor -> file, as the index says."""
    said: dict[str, dict[str, str]] = json.loads((folder / "model.safetensors.index.json").read_text())
    return said["weight_map"]
