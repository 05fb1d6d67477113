"""Logits of transformers for the models of ``tests/running/oracle_cases.py``, compared with the stored ones.

Wants an environment with transformers, torch (for processors) and safetensors; fourcc is not needed::

    python tests/lanes/transformers_logits.py            # compares with tests/vectors/transformers.json
    python tests/lanes/transformers_logits.py --write    # writes it anew
"""

import argparse
import base64
import datetime as dt
import json
import runpy
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file

TESTS = Path(__file__).parents[1]
STORED = TESTS / "vectors" / "transformers.json"
(
    CASES,
    PLACES,
    TOKENS,
    weights,
) = (  # by path: from the root, transformers would take our kernels/ for a package of its own
    runpy.run_path(str(TESTS / "running" / "oracle_cases.py"))[name]
    for name in ("CASES", "PLACES", "TOKENS", "weights")
)


def logits(name: str, folder: Path) -> np.ndarray:
    """Logits behind each place, float32 (places, vocabulary): of the whole text at once, without a cache."""
    save_file(weights(name), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({**CASES[name], "torch_dtype": "float32"}))
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        found: np.ndarray = model(torch.tensor([TOKENS]), use_cache=False).logits[0].numpy()
    return found[list(PLACES)]


def everything() -> dict[str, np.ndarray]:
    """The logits of every case."""
    found = {}
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            found[name] = logits(name, Path(folder))
    return found


def main() -> int:
    """Compares, or writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="store what transformers says")
    found = everything()
    if parser.parse_args().write:
        provenance = {
            "by": "tests/lanes/transformers_logits.py",
            "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
            "transformers": transformers.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "holds": "float32, little-endian, base64: logits (places, vocabulary) of each case",
        }
        coded = {name: base64.b64encode(array.astype("<f4").tobytes()).decode() for name, array in found.items()}
        STORED.write_text(json.dumps({"provenance": provenance, "logits": coded}, indent=1) + "\n")
        return 0
    stored = json.loads(STORED.read_text())["logits"]
    worst = 0.0
    for name, array in found.items():
        before = np.frombuffer(base64.b64decode(stored[name]), "<f4").reshape(array.shape)
        off = float(np.abs(before - array).max())
        print(f"{name}: at most {off:.3g} of {np.abs(array).max():.3g}")
        worst = max(worst, off)
    return int(worst > 1e-3)


if __name__ == "__main__":
    sys.exit(main())
