"""The model that fourcc ships: a tiny Llama that writes stories, its tokenizer, two texts and a policy."""

from pathlib import Path

FOLDER = Path(__file__).parent
