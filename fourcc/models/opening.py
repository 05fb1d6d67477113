"""Opening whatever can be run: a model.bin as it is, a checkpoint by way of a temporary one."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from fourcc.container.reader import recognisable
from fourcc.conversion import convert
from fourcc.models.model import Model, open_model
from fourcc.policy import Policy


def open_any(
    source: str | Path, stack: ExitStack, *, tokenizer: str | Path | None = None, policy: Policy | None = None
) -> tuple[Model, tuple[str, ...]]:
    """The model of a file, and what is odd about it.

    Args:
        source: a model.bin, or a checkpoint.
        stack: closes it, and removes the temporary file.
        tokenizer: of a checkpoint.
        policy: what its tensors become; a model.bin is converted then, too.

    Raises:
        FourccError: as `fourcc.convert` and `fourcc.open` do; messages name the source.
    """
    path = Path(source)
    if policy is None and path.is_file() and recognisable(path):
        return stack.enter_context(open_model(path)), ()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fourcc-")))
    result = convert(path, folder / "model.bin", policy=policy, tokenizer=tokenizer)
    return stack.enter_context(open_model(folder / "model.bin", called=path)), result.notes
