"""Saves the model of a GGUF file as a folder in BF16, by transformers: the start of the road that folders come by.

python tests/lanes/save_folder.py MODEL.gguf FOLDER     needs transformers, torch and gguf; fourcc is not needed
"""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig


def main() -> None:
    """Loads every weight decoded, and saves model and tokenizer."""
    path, folder = Path(sys.argv[1]), sys.argv[2]
    home, plain = str(path.parent), GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        home, gguf_file=path.name, dtype=torch.bfloat16, quantization_config=plain
    )
    model.hf_quantizer = None  # else it counts as quantized, which cannot be saved
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(home, gguf_file=path.name).save_pretrained(folder)


if __name__ == "__main__":
    main()
