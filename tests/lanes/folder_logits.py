"""Logits of transformers for folders that fourcc wrote, each loaded as its model card says, in float32.

python tests/lanes/folder_logits.py TOKENS.npy FOLDER...    needs transformers, torch and compressed-tensors
"""

import re
import sys
from pathlib import Path

import numpy as np
import torch
import transformers


def logits(folder: Path, tokens: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Logits behind each token, float32 (tokens, vocabulary)."""
    card = (folder / "README.md").read_text()
    dequantize = re.search(r"CompressedTensorsConfig\(dequantize=True\)", card) is not None
    more = {"quantization_config": transformers.CompressedTensorsConfig(dequantize=True)} if dequantize else {}
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **more).eval()
    with torch.no_grad():
        found: np.ndarray = model(torch.tensor(tokens[None])).logits[0].numpy()  # type: ignore[type-arg]
    return found


def main() -> None:
    """Writes ``logits.npy`` beside each folder's name."""
    tokens = np.load(sys.argv[1])
    for name in sys.argv[2:]:
        np.save(f"{name}.npy", logits(Path(name), tokens))


if __name__ == "__main__":
    main()
