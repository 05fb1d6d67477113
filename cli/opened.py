"""Opening what is to be run, as options say; notes on it go to stderr."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.cli import terminal
from fourcc.cli.rules import rules_of

if TYPE_CHECKING:
    from contextlib import ExitStack

    from fourcc.models.model import Model


def opened(
    source: Path, tokenizer: Path | None, policy: Path | None, formats: str | None, stack: ExitStack, *, quiet: bool
) -> Model:
    """The model of a file.

    Args:
        source: a model.bin, or a checkpoint.
        tokenizer: of a checkpoint.
        policy: what its tensors become; a model.bin is converted then, too.
        formats: the same in short.
        stack: closes it, and removes the temporary file.
        quiet: no notes.
    """
    from fourcc.models.opening import open_any

    rules = None if policy is None and formats is None else rules_of(policy, formats)
    model, notes = open_any(source, stack, tokenizer=tokenizer, policy=rules)
    terminal.notes(notes, quiet=quiet)
    return model
