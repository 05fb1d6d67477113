"""Arguments and options that several commands share, each with its help."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from fourcc.cli.shared import completion
from fourcc.errors import OutputError, UsageError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for errors too.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, notes or summary.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an output that exists.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="File to write.")]


def existing_folder(text: str) -> Path:
    """The path that a text spells. Raises OutputError where a slash ends it, and no such folder is there."""
    path = Path(text)
    if text.endswith(("/", os.sep)) and not path.is_dir():
        raise OutputError("the folder does not exist", file=text, hint="Create it first.")
    return path


ModelOutput = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="File to write; in a folder, model.bin.", parser=existing_folder
    ),
]
Source = Annotated[
    Path,
    typer.Argument(
        metavar="SRC",
        help="A model: folder or file of safetensors, GGUF, llama2.c, npz or ggjt, a model.bin, or ORG/NAME on a hub.",
    ),
]
Model = Annotated[Path, typer.Argument(metavar="FILE", help="A model.bin, whole or in shards.")]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="GLOB",
        help="Only tensors whose names match; may be repeated.",
        autocompletion=completion.tensor,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="GLOB",
        help="No tensors whose names match; may be repeated.",
        autocompletion=completion.tensor,
    ),
]
Role = Annotated[
    list[str] | None,
    typer.Option(
        "--role", metavar="GLOB", help="Only tensors of these roles; may be repeated.", autocompletion=completion.role
    ),
]
Layers = Annotated[str, typer.Option("--layers", metavar="SLICES", help="Only these layers, such as '0:4, -1'.")]
Sample = Annotated[
    int, typer.Option("--sample", metavar="N", help="Weights of a tensor that formats are tried on; 0: all.")
]
DEFAULT_SAMPLE = 1 << 18  # `fourcc.analysis.samples.SAMPLE`, which loads numpy
Tokenizer = Annotated[
    Path | None, typer.Option("-z", "--tokenizer", metavar="FILE", help="Tokenizer file to store with the model.")
]
Pre = Annotated[
    str | None,
    typer.Option(
        "--pre", metavar="NAME", help="How the tokenizer cuts texts first, as in tokenizer.ggml.pre; or 'none'."
    ),
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="Rules that give each tensor its format.")
]
Recipe = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        metavar="NAME",
        help="Rules that come with fourcc: see `policy recipes`.",
        autocompletion=completion.recipe,
    ),
]
Formats = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="TAG[,TAG]",
        help="One format for all, others where it does not fit; TAG:group=64 sets.",
        autocompletion=completion.tags,
    ),
]
Feedback = Annotated[
    str | None,
    typer.Option(
        "--feedback",
        metavar="gptq|none",
        help="Choose codes whose errors make up for each other, by Hessians.",
        autocompletion=completion.feedback,
    ),
]
Damping = Annotated[
    float | None, typer.Option("--damping", metavar="D", help="With --feedback: above 0, at most 1.  [default: 0.01]")
]
NoFeedbackFor = Annotated[
    list[str] | None,
    typer.Option(
        "--no-feedback-for",
        metavar="ROLE",
        help="With --feedback: not for tensors of these roles, such as 'ffn.*'; may be repeated.",
        autocompletion=completion.role,
    ),
]
StaticActivations = Annotated[
    Literal["static"] | None,
    typer.Option("--activations", metavar="static", help="Store ranges of activations, from the calibration."),
]
Activations = Annotated[
    Literal["dynamic", "static", "exact"],
    typer.Option(
        "--activations",
        metavar="HOW",
        help="Rounding of activations: dynamic, by each block's range; static, by stored ranges; exact, none.",
    ),
]
CalibrationFile = Annotated[
    Path | None,
    typer.Option(
        "--calibration", metavar="FILE", help="Weigh errors by what `fourcc calibrate` wrote, or by an imatrix."
    ),
]
Threads = Annotated[
    int | None, typer.Option("--threads", metavar="N", help="Threads.  [default: FOURCC_THREADS, or all cores]")
]


def check_sample(sample: int) -> None:
    """Raises UsageError where no sample can have so many weights."""
    if sample < 0:
        raise UsageError("bad value of --sample", found=sample, expected="a number of weights, or 0 for all")


ShardSize = Annotated[
    str | None,
    typer.Option(
        "--shard-size", metavar="BYTES", help="Cut the output into files of at most so many bytes of tensors: 5GB."
    ),
]
WindowContext = Annotated[
    int,
    typer.Option(
        "--context",
        metavar="N",
        help="Tokens of a window.  [default: 512, or the model's context if less]",
        show_default=False,
    ),
]
Documents = Annotated[bool, typer.Option("--documents", help="Empty lines part documents, each read by itself.")]
ModelTokenizer = Annotated[
    Path | None, typer.Option("-z", "--tokenizer", metavar="FILE", help="Tokenizer to use in place of the model's.")
]
