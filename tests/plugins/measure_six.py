"""The size, the bits and the divergence of the six formats of `fourcc-six`: ``python -m tests.plugins.measure_six``.

Lines of code are neither blank, comment nor docstring. Bits and KLD are those of the model tales5M with all its
matrices in the format, against its float32 original: the first 1535 scored tokens of the held-out stories, each read by
itself, in windows of 512. The importance of all columns is 1. ``FOURCC_DATA`` names the folder with the model.
With ``--write`` the table goes into the package's README.
"""

import argparse
import ast
import importlib
import os
import sys
import tempfile
import tokenize
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import fourcc
from fourcc import compute
from fourcc.format import Format
from fourcc.models.evaluation import Evaluation
from fourcc.plugins.registry import registry
from tests.markdown import filled

PACKAGE = Path(__file__).resolve().parent / "fourcc-six"
NAMES = ("lg4x", "cb3k", "hd4r", "ol4s", "tr5p", "im4n")
SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
HEAD = "| format | lines | bits | KLD | products |\n|---|--:|--:|--:|---|"


def load(name: str) -> Format:
    """A format of the package, which need not be installed."""
    if str(PACKAGE) not in sys.path:
        sys.path.insert(0, str(PACKAGE))
    fmt: Format = getattr(importlib.import_module(f"fourcc_six.{name}"), name.upper())
    return fmt


def code_lines(path: Path) -> int:
    """Lines of a module that are neither blank, comment nor docstring."""
    text = path.read_text(encoding="utf-8")
    documented = (ast.Module, ast.FunctionDef, ast.ClassDef)
    bodies = [node.body for node in ast.walk(ast.parse(text)) if isinstance(node, documented)]
    strings = [body[0] for body in bodies if body and isinstance(body[0], ast.Expr) and _is_text(body[0].value)]
    docstrings = {line for each in strings for line in range(each.lineno, (each.end_lineno or each.lineno) + 1)}
    with path.open("rb") as file:
        tokens = [token for token in tokenize.tokenize(file.readline) if token.type not in SKIPPED]
    taken = {line for token in tokens[1:] for line in range(token.start[0], token.end[0] + 1)}
    return len(taken - docstrings)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def evaluated(fmt: Format, data: Path) -> tuple[float, Evaluation]:
    """Bits per weight of the model in the format, and how it does beside its original."""
    source, tokenizer = data / "tales5M.bin", data / "tok512.bin"
    with registry.trying(fmt), tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "model.bin"
        with fourcc.open(source) as model:
            matrices = {name: model[name].shape[-1] for name in model if len(model[name].shape) == 2}
        aids = {name: fourcc.Aids(importance=np.ones(cols, np.float32)) for name, cols in matrices.items()}
        made = fourcc.convert(source, output, format=str(fmt.tag), tokenizer=tokenizer, aids=aids if fmt.sees else None)
        text = data / "tinystories_val_1k.txt"
        reading = {"context": 512, "tokens": 1535, "documents": True}
        found = fourcc.evaluate(output, text, reference=source, tokenizer=tokenizer, **reading)
        return float(made.index.bits_per_weight), found


def rows(data: Path) -> Iterator[str]:
    """The table, line by line."""
    yield HEAD
    for name in NAMES:
        fmt = load(name)
        bits, found = evaluated(fmt, data)
        kld = found.divergence
        assert kld is not None
        lines, level = code_lines(PACKAGE / "fourcc_six" / f"{name}.py"), compute.kernel_of(fmt).level
        link = f"[`{fmt.tag}`](fourcc_six/{name}.py)"
        yield f"| {link} | {lines} | {bits:.2f} | {kld.mean:.3g} ± {kld.half:.1g} | {level} |"


def main() -> None:
    """Prints the table, or writes it into the README."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into the package's README")
    chosen = parser.parse_args()
    text = "\n".join(rows(Path(os.environ["FOURCC_DATA"])))
    if chosen.write:
        page = PACKAGE / "README.md"
        page.write_text(filled(page.read_text(encoding="utf-8"), "measures", text), encoding="utf-8")
    else:
        sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
