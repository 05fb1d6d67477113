"""The model that fourcc ships: a tiny Llama that writes stories, its tokenizer in two forms, two texts and a policy."""

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
HF = "hf"  # folder with the same model as Hugging Face's library writes it
HF_FILES = tuple(f"{HF}/{name}" for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"))
