"""The message for a mapped file that is cut while it is read. It is prepared, since no Python can run then."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from fourcc.cli.render import failures, terminal

if TYPE_CHECKING:
    from fourcc.container.reader import ModelFile


@contextmanager
def watched(model: ModelFile, *, as_json: bool) -> Iterator[None]:
    """Within the block, a read beyond the end of one of a model's files ends the process as its error would.

    Args:
        model: opened.
        as_json: whether errors are objects on stdout, too.
    """
    from fourcc.container.reader import cut_error
    from fourcc.kernels.signals import bus_error

    begun = "\n" if terminal.on_terminal(sys.stderr) else ""  # ends a line of text or progress that has begun
    with ExitStack() as stack:
        for file in model.file.files:
            failure = failures.failure(cut_error(file.path))
            out = f"{failure.line}\n" if as_json else ""
            err = f"{begun}{failure.text}\n"
            watch = bus_error.watched(file.fd, file.size, failure.exit_code, out.encode(), err.encode())
            stack.enter_context(watch)
        yield
