"""The memory lane of calibrating and measuring: a model that is larger than the cap, and the peak of the process.

    python tests/lanes/calibration_memory.py --layers 24 --memory 500MB

Makes a model of random weights, calibrates it with Hessians and measures an option under the cap, each in a process of
its own, and prints the peaks that Linux reports. Exits with 1 where one is above the cap. The short form runs with the
other tests.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fourcc.bench.models.making import write_model
from fourcc.bench.models.shapes import ModelShape
from fourcc.policy.amounts import amount

MB = 10**6
EXAMPLE = Path(__file__).resolve().parents[2] / "fourcc" / "example"
TOKENIZER, TEXT = EXAMPLE / "tiny_tokenizer.bin", EXAMPLE / "training.txt"
SCRIPT = """
import sys
from fourcc.cli.app import main
from fourcc.resident import peak_resident_bytes

code = main(sys.argv[1:])
print(peak_resident_bytes())
sys.exit(code)
"""


def shape(layers: int) -> ModelShape:
    """A network of 12.6 million weights a layer, 50 MB as float32."""
    heads = {"n_heads": 16, "n_kv_heads": 16, "head_dim": 64}
    sizes = {"dim": 1024, "hidden_dim": 2730 // 2 * 2, "n_layers": layers, "vocab_size": 512, **heads}
    return ModelShape("lane", "llama", sizes)


def peak(arguments: Sequence[object]) -> int:
    """Bytes at most of a command's process. Raises CalledProcessError where it fails."""
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return int(ended.stdout.split()[-1])


def measure(folder: Path, layers: int, cap: str, tokens: int) -> dict[str, int]:
    """Bytes of the model, and at most of each command."""
    model = write_model(folder / "model.bin", shape(layers), "F32", 256)
    common = (model, "--text", TEXT, "-z", TOKENIZER, "--tokens", tokens, "--context", 128, "--memory", cap, "-q")
    calibrate = ("calibrate", *common, "--hessian", "-o", folder / "model.calib")
    options = ("--options", "Q8_0", "--group", "q+k+v,gate+up", "-o", folder / "model.costs")
    peaks = {"model": model.stat().st_size}
    for name, command in (("calibrate", calibrate), ("measure", ("measure", *common, *options))):
        peaks[name] = peak(command)
    return peaks


def main() -> int:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--memory", default="500MB")
    parser.add_argument("--tokens", type=int, default=600)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), args.layers, args.memory, args.tokens)
    for name, nbytes in found.items():
        print(f"{name}: {nbytes / MB:.0f} MB")
    return int(max(found["calibrate"], found["measure"]) > amount(args.memory))


if __name__ == "__main__":
    sys.exit(main())
