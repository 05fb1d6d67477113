"""Measures every format on the shipped model: the table of `specs/example-formats.md`.

    python -m tests.models.measure_formats [--tokens N] [--write]

Each line is the shipped model with all matrices in one format (F16 where rows of 176 do not fit; a format that does not
fit rows of 96 either has no line), or with the policy `mixed.toml`, against the float32 original on the held-out
stories: bits per weight, perplexity ratio, KL divergence, top-1 agreement.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import fourcc
from fourcc.bench.machine import machine, versions
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry
from tests.markdown import filled

PAGE = Path(__file__).parents[2] / "specs" / "example-formats.md"
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


def measure(models: list[Path], tokens: int) -> list[dict[str, Any]]:
    """The report of `fourcc eval` on them."""
    command = [sys.executable, "-m", "fourcc", "eval", *map(str, models), "--text", str(TEXT), "--documents", "--json"]
    command += ["--reference", str(MODEL), "-z", str(TOKENIZER), "--tokens", str(tokens), "-q"]
    printed = subprocess.check_output(command, text=True)
    found: list[dict[str, Any]] = json.loads(printed)["models"]
    return found


def table(tokens: int) -> str:
    """The table, in Markdown, with the machine and the versions."""
    with tempfile.TemporaryDirectory() as folder:
        models = []
        for number, policy in enumerate(candidates().values()):
            path = Path(folder) / f"{number}.bin"
            fourcc.convert(MODEL, path, policy=policy, tokenizer=TOKENIZER)
            models.append(path)
        found = measure(models, tokens)
        rows = [row(*each) for each in zip(candidates(), models, found, strict=True)]
    known = ", ".join(f"{name} {number}" for name, number in versions().items())
    scored = f"{found[0]['tokens']:,} tokens; {machine().cpu}; {known}."
    return "\n".join([scored, "", *HEAD, *rows])


def row(label: str, path: Path, found: dict[str, Any]) -> str:
    """Figures of one file."""
    with fourcc.open(path) as model:
        assert isinstance(model, fourcc.Model)
        bits = float(model.index.bits_per_weight)
    ratio, divergence, agreement = (found[key]["mean"] for key in KEYS)
    return f"| {label} | {bits:.3g} | {ratio:.5f} | {divergence:.2g} | {100 * agreement:.2f} % |"


def main() -> None:
    """Prints the table, or writes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tokens", type=int, default=0, help="tokens to score at most; 0: all")
    parser.add_argument("--write", action="store_true", help="write the table into specs/example-formats.md")
    asked = parser.parse_args()
    body = table(asked.tokens)
    if asked.write:
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), "quality", body), encoding="utf-8")
    else:
        print(body)


HEAD = ("| format | bits/weight | perplexity ratio | KL divergence | top-1 |", "|---|--:|--:|--:|--:|")
KEYS = ("perplexity_ratio", "kl_divergence", "top1_agreement")

if __name__ == "__main__":
    main()
