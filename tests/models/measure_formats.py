"""Measures every format on the shipped model, and prints the table of the README.

    python -m tests.models.measure_formats [--tokens N]

Each line is the shipped model with all matrices in one format (F16 where rows of 176 do not fit; a format that does not
fit rows of 96 either has no line), or with the policy `mixed.toml`, against the float32 original on the held-out
stories: bits per weight, perplexity ratio, KL divergence, top-1 agreement, and how a greedy text begins.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import fourcc
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry

EXAMPLE = Path(__file__).parents[2] / "fourcc" / "example"  # the shipped model
MODEL, TOKENIZER, TEXT = EXAMPLE / "tiny.bin", EXAMPLE / "tiny_tokenizer.bin", EXAMPLE / "heldout.txt"
WIDTHS = (96, 176)  # columns of the shipped model's matrices


def candidates() -> dict[str, fourcc.Policy]:
    """Label -> policy: each format that can encode, both methods of those that have two, the mixed policy."""
    made = {}
    for tag in registry:
        found = registry[tag]
        if registry.entry(tag).distribution != OWN or found.encode is None or not found.real:
            continue
        if all(found.misfit((1, width)) for width in WIDTHS):
            continue
        choices = [option for option in found.options if option.choices]
        if not choices:
            made[str(tag)] = fourcc.Policy.shorthand(f"{tag},F16" if found.misfit((1, WIDTHS[1])) else str(tag))
        for option in choices:
            for choice in option.choices:
                text = RULES.format(tag=tag, option=option.name, choice=choice)
                made[f"{tag} {choice}"] = fourcc.Policy.parse(text, "table")
    made["mixed.toml"] = fourcc.Policy.read(EXAMPLE / "mixed.toml")
    return made


RULES = """
version = 1
[[rule]]
role = "norm"
tag = "F32"
[[rule]]
match = "*"
tag = "{tag}"
encoder = {{ {option} = "{choice}" }}
"""


def measure(models: list[Path], tokens: int) -> list[dict[str, object]]:
    """The report of `fourcc eval` on them."""
    command = [sys.executable, "-m", "fourcc", "eval", *map(str, models), "--text", str(TEXT), "--documents", "--json"]
    command += ["--reference", str(MODEL), "-z", str(TOKENIZER), "--tokens", str(tokens), "-q"]
    printed = subprocess.check_output(command, text=True)
    found: list[dict[str, object]] = json.loads(printed)["models"]
    return found


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tokens", type=int, default=0, help="tokens to score at most; 0: all")
    tokens = parser.parse_args().tokens
    with tempfile.TemporaryDirectory() as folder:
        models = []
        for number, policy in enumerate(candidates().values()):
            path = Path(folder) / f"{number}.bin"
            fourcc.convert(MODEL, path, policy=policy, tokenizer=TOKENIZER)
            models.append(path)
        print("| format | bits/weight | perplexity ratio | KL divergence | top-1 | greedy |")
        print("|---|--:|--:|--:|--:|---|")
        for label, path, found in zip(candidates(), models, measure(models, tokens), strict=True):
            with fourcc.open(path) as model:
                bits, text = float(model.index.bits_per_weight), model.generate("Once upon a time", steps=30)
            ratio, divergence, agreement = (found[key]["mean"] for key in KEYS)  # type: ignore[index]
            print(f"| {label} | {bits:.3g} | {ratio:.5f} | {divergence:.2g} | {100 * agreement:.2f} % | {text} |")


KEYS = ("perplexity_ratio", "kl_divergence", "top1_agreement")

if __name__ == "__main__":
    main()
