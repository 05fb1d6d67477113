"""The message for a mapped file that is cut while it is read. It is prepared, since no Python can run then."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from fourcc.cli.render import failures, terminal

if TYPE_CHECKING:
    from fourcc.container.reader import ModelFile


def watched(model: ModelFile, *, as_json: bool) -> AbstractContextManager[None]:
    """Within the block, a read beyond the end of a model's file ends the process as its error would.

    Args:
        model: opened.
        as_json: whether errors are objects on stdout, too.
    """
    from fourcc.kernels.signals import bus_error

    failure = failures.failure(model.cut_error())
    out = f"{failure.line}\n" if as_json else ""
    begun = "\n" if terminal.on_terminal(sys.stderr) else ""  # ends a line of text or progress that has begun
    err = f"{begun}{failure.text}\n"
    return bus_error.watched(model.file.fd, model.file.size, failure.exit_code, out.encode(), err.encode())
