"""Opening what is to be run: a model.bin as it is, a checkpoint by way of a temporary one."""

from __future__ import annotations

import tempfile
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
    from fourcc.container.reader import recognisable
    from fourcc.conversion import convert
    from fourcc.models.model import open_model

    if policy is None and formats is None and source.is_file() and recognisable(source):
        return stack.enter_context(open_model(source))
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fourcc-")))
    result = convert(source, folder / "model.bin", policy=rules_of(policy, formats), tokenizer=tokenizer)
    terminal.notes(result.notes, quiet=quiet)
    return stack.enter_context(open_model(folder / "model.bin", called=source))
