"""The model that fourcc ships: a tiny Llama that writes stories, its tokenizer, two texts and a policy."""

from pathlib import Path

FOLDER = Path(__file__).parent
CHECKPOINT, TOKENIZER, TRAINING, HELDOUT, POLICY = (
    "tiny.bin",
    "tiny_tokenizer.bin",
    "training.txt",
    "heldout.txt",
    "mixed.toml",
)
FILES = (CHECKPOINT, TOKENIZER, TRAINING, HELDOUT, POLICY)
