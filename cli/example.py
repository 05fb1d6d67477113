"""`fourcc example`: the shipped model, laid out to be tried."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fourcc.cli.render import json_documents, tables, terminal, units
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import options

if TYPE_CHECKING:
    from fourcc.conversion.result import Result

MODEL = "model.bin"
EXPORTED = ("model.safetensors", "config.json", "README.md")  # files of the Hugging Face folder
NEXT_LINE = " " if sys.platform == "win32" else " \\\n    "  # how a shell's command goes on in the next line
EPILOG = """\b
Examples:
  fourcc example
  fourcc example try --force

The model is a Llama of 351,072 weights that writes stories. Its files:

\b
tiny.bin, tiny_tokenizer.bin   the checkpoint and its tokenizer
training.txt, heldout.txt      texts to calibrate and to measure on
mixed.toml                     a policy: which tensor in which format
model.bin                      what `fourcc convert` makes of these
hf/                            the same model as a Hugging Face folder"""

Folder = Annotated[Path, typer.Argument(metavar="[DIR]", help="Folder to make.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(example)


def example(
    folder: Folder = Path("example"),
    *,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Copy a tiny model, convert it, and say what to try."""
    from fourcc.example.copying import whole_or_nothing

    with whole_or_nothing(folder):
        copies, made = _make(folder, force=force, quiet=quiet)
    terminal.notes(made.notes, quiet=quiet)
    if as_json:
        return json_documents.show("example", _document(folder, copies, made))
    return None if quiet else _show(folder, copies, made)


def _make(folder: Path, *, force: bool, quiet: bool) -> tuple[list[Path], Result]:
    """Copies, exports, converts: the copies, and the conversion."""
    import fourcc
    from fourcc.example import CHECKPOINT, HF, POLICY, TOKENIZER
    from fourcc.example.copying import copy_files

    copies = copy_files(folder, beside=[MODEL, *(f"{HF}/{name}" for name in EXPORTED)], force=force)
    fourcc.export(folder / CHECKPOINT, folder / HF, to="huggingface", force=True)
    with Progress("converting", (folder / CHECKPOINT).stat().st_size, quiet=quiet) as progress:
        made = fourcc.convert(
            folder / CHECKPOINT,
            folder / MODEL,
            policy=folder / POLICY,
            tokenizer=folder / TOKENIZER,
            force=force,
            progress=progress,
        )
    return copies, made


def commands(folder: Path) -> list[str]:
    """Commands to try next, as one types them; the folder's name is quoted where a shell would split it."""
    at = {name: shlex.quote((folder / name).as_posix()) for name in ("tiny.bin", "tiny_tokenizer.bin", "training.txt")}
    model, best = (shlex.quote((folder / name).as_posix()) for name in (MODEL, "best.bin"))
    checkpoint = f"{at['tiny.bin']} -z {at['tiny_tokenizer.bin']}"
    finding = f"--budget 5bpw --calibration-text {at['training.txt']} --documents"
    return [
        f"fourcc run {model} -i 'One day'",
        f"fourcc inspect {model}",
        f"fourcc quantize {checkpoint} -o {best} {finding}",
    ]


def _show(folder: Path, copies: list[Path], made: Result) -> None:
    """Says what was made, and what to try, on stdout."""
    size = made.path.stat().st_size
    original = (folder / "tiny.bin").stat().st_size
    tables.facts(
        [
            ("folder", str(folder)),
            ("copied", " ".join(path.name for path in copies if path.parent == folder)),
            ("converted", f"tiny.bin by mixed.toml: {MODEL}"),
            ("exported", "tiny.bin as a Hugging Face folder: hf"),
            ("bytes", f"{size} of {original}"),
            ("bits per weight", units.bits(made.index.bits_per_weight)),
        ]
    )
    terminal.out("\ntry next:")
    for command in commands(folder):
        words = terminal.safe(command)
        for option in ("-o", "--calibration-text"):
            words = words.replace(f" {option} ", f"{NEXT_LINE}{option} ")
        terminal.out(f"  {words}")


def _document(folder: Path, copies: list[Path], made: Result) -> dict[str, object]:
    return {
        "folder": str(folder),
        "copied": [{"name": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size} for path in copies],
        "model": str(folder / MODEL),
        "id": made.digest.hex(),
        "bits_per_weight": json_documents.bits(made.index.bits_per_weight),
        "file_bytes": made.path.stat().st_size,
        "next": commands(folder),
        "notes": list(made.notes),
    }
