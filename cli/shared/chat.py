"""A conversation with a model: messages from a terminal or from a file, one a line."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from fourcc.cli.render import terminal
from fourcc.cli.shared.signals import TerminatedError

if TYPE_CHECKING:
    from fourcc.cli.render.run_output import Output
    from fourcc.models.chat import Conversation


def ask(guide: str) -> str | None:
    """The next line of standard input without its end, or None if there is none left.

    On a terminal the guide is shown, and the line can be edited.
    """
    if sys.stdin is None:
        return None
    if not terminal.on_terminal(sys.stdin):
        return _line()
    if terminal.on_terminal(sys.stdout):
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 - once imported, `input` has a line editor
        try:
            return input(guide)
        except EOFError:
            terminal.write("\n")
            return None
    if sys.stderr is not None:
        sys.stderr.write(guide)
        sys.stderr.flush()
    return _line()


def talk(conversation: Conversation, first: str | None, output: Output, *, quiet: bool) -> str:
    """Takes messages and gives answers until there are no more messages, or no room for an answer.

    Args:
        conversation: at its start.
        first: the first message; None: it is asked for like the others.
        output: receives the answers.
        quiet: whether notes are left out.

    Returns:
        The reason of the end: ``input`` or ``length``.
    """
    message = first
    while not conversation.over:
        if message is None:
            message = ask("User: ")
        if message is None:
            return "input"
        if message.strip():
            output.turn(_answer(conversation, message, output, quiet=quiet))
        message = None
    return "length"


def _answer(conversation: Conversation, message: str, output: Output, *, quiet: bool) -> str:
    """Gives the answer to a message. Ctrl-C stops the answer, not the conversation."""
    told = len(conversation.notes)
    try:
        for piece in conversation.say(message):
            if piece.prompt:
                terminal.notes(conversation.notes[told:], quiet=quiet)
            output.piece(piece)
    except KeyboardInterrupt as error:
        if isinstance(error, TerminatedError) or not terminal.on_terminal(sys.stdin):
            raise
        return "interrupted"
    return conversation.speed.ended


def _line() -> str | None:
    line = sys.stdin.readline()
    return line.removesuffix("\n").removesuffix("\r") if line else None
