"""The worth of an importance: ``python -m tests.formats.measure_importance CALIBRATION TAG[:method] ...``.

The model is tales5M with all matrices in the format but for the embedding, which is in Q8_0. The importance of a column
is the mean square of the matrix's inputs in that column, over the text CALIBRATION, whose documents empty lines
separate. KLD is that of the first 20,000 scored tokens of the held-out stories, each read by itself in a window of 512,
with exact activations. ``FOURCC_DATA`` names the folder with the model and the stories.
"""

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

import fourcc
from fourcc import Aids
from fourcc.arrays import Array, Floats
from fourcc.models.opening import open_to_run
from fourcc.models.staged import StagedNetwork
from fourcc.models.windows import Protocol, cut

CONTEXT, TOKENS = 512, 20_000
DATA = Path(os.environ.get("FOURCC_DATA", "."))
MODEL, TOKENIZER, STORIES = DATA / "tales5M.bin", DATA / "tok512.bin", DATA / "tinystories_val_1k.txt"
POLICY = """version = 1
[[rule]]
role = "norm"
tag = "F32"
[[rule]]
role = "embedding"
tag = "Q8_0"
[[rule]]
match = "*"
tag = "{tag}"
{encoder}"""


def mean_squares(text: str) -> dict[str, Aids]:
    """The importance of the columns of each matrix, by its name."""
    squares: dict[str, Array] = {}
    with ExitStack() as stack:
        model, _ = open_to_run(MODEL, stack, tokenizer=TOKENIZER)
        network = StagedNetwork(model.network())
        read = cut(text, model.tokenizer, Protocol(CONTEXT, documents=True))

        def observe(names: tuple[str, ...], x: Floats) -> None:
            found = np.add.reduce(np.square(x, dtype=np.float64), axis=0)  # (cols,)
            squares.update({name: squares.get(name, 0) + found for name in names})

        for window in read.windows:
            hidden = network.embed(window.tokens)
            for number in range(network.layers):
                hidden = network.layer(number, hidden, observe=observe)
    tokens = sum(len(window.tokens) for window in read.windows)
    return {name: Aids(importance=(total / tokens).astype(np.float32)) for name, total in squares.items()}


def divergence(tag: str, method: str, aids: dict[str, Aids] | None) -> tuple[float, float]:
    """KLD of the model in a format, in nats a token, and half the width of its interval."""
    encoder = f'encoder = {{ method = "{method}" }}\n' if method else ""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "model.bin"
        policy = POLICY.format(tag=tag, encoder=encoder)
        fourcc.convert(MODEL, output, policy=policy, tokenizer=TOKENIZER, aids=aids)
        reading = {"context": CONTEXT, "tokens": TOKENS, "documents": True}
        found = fourcc.evaluate(
            output, STORIES, reference=MODEL, tokenizer=TOKENIZER, activations="exact", **reading
        ).divergence
    assert found is not None
    return found.mean, found.half


def main() -> None:
    """Prints a table, one row a format."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calibration", type=Path, help="text to collect the importance on")
    parser.add_argument("formats", nargs="+", help="tags, each with an encoder's method where that has several")
    chosen = parser.parse_args()
    aids = mean_squares(chosen.calibration.read_text(encoding="utf-8"))
    sys.stdout.write("| format | KLD | with importance | ratio |\n|---|--:|--:|--:|\n")
    for name in chosen.formats:
        tag, _, method = name.partition(":")
        (plain, half), (weighed, other) = divergence(tag, method, None), divergence(tag, method, aids)
        ratio = weighed / plain
        sys.stdout.write(f"| `{name}` | {plain:.4g} ± {half:.1g} | {weighed:.4g} ± {other:.1g} | {ratio:.2f} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
