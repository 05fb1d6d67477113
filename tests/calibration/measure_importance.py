"""Writes what the shipped model's matrices meet to a file: `python -m tests.calibration.measure_importance OUT`."""

import sys
import tempfile
from pathlib import Path

import numpy as np

import fourcc

MODELS = Path(__file__).parents[2] / "fourcc" / "example"


def main() -> None:
    """Calibrates on the first tokens of the held-out text."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer, text = MODELS / "tiny_tokenizer.bin", MODELS / "heldout.txt"
        out = Path(folder) / "model.calib"
        found = fourcc.calibrate(
            MODELS / "tiny.bin", text, out, tokenizer=tokenizer, documents=True, tokens=300, hessian=True
        )
        hessians = {f"H {name}": np.array(found.hessian(name)) for name in found.hessians}
        np.savez(sys.argv[1], **{name: each.importance for name, each in found.statistics.items()}, **hessians)


if __name__ == "__main__":
    main()
