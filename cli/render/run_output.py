"""The output of `fourcc run` while a text is generated: the text itself, or an event a line."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from fourcc.cli.render import json_documents, terminal

if TYPE_CHECKING:
    from fourcc.models.generate import Piece, Speed

SCHEMA = "run"


class Output(Protocol):
    """Receives the events of a run."""

    def start(self, settings: Mapping[str, object]) -> None:
        """Called when the model is open."""

    def piece(self, piece: Piece) -> None:
        """Called with a piece of the text."""

    def turn(self, reason: str) -> None:
        """Called at the end of an answer."""

    def end(self, reason: str, speed: Speed) -> None:
        """Called at the end of the run, with the reason: stop, length, input, interrupted or error."""


class Text:
    """Writes the text to stdout, and the speed to stderr.

    Args:
        talk: whether this is a conversation, of which only the answers are written.
        quiet: whether to leave out the speed.
    """

    def __init__(self, *, talk: bool, quiet: bool) -> None:
        self._talk, self._quiet = talk, quiet
        self._within = False  # whether a line has begun

    def start(self, settings: Mapping[str, object]) -> None:
        """See `Output`."""

    def piece(self, piece: Piece) -> None:
        """See `Output`."""
        if piece.prompt and self._talk:
            self._say("Assistant: " if terminal.on_terminal(sys.stdout) else "")
        else:
            self._say(piece.text)

    def turn(self, reason: str) -> None:  # noqa: ARG002 - a reader sees why
        """See `Output`."""
        self._close()

    def end(self, reason: str, speed: Speed) -> None:
        """See `Output`."""
        if self._within or not (self._talk or reason == "error"):
            self._close()
        if self._talk and reason == "length" and not self._quiet:
            terminal.err(
                "fourcc: note: the talk has all the tokens that -n or the context of the model allows, and ends"
            )
        if not self._quiet and speed.tokens:
            terminal.err(_rates(speed))

    def _say(self, text: str) -> None:
        terminal.write(text)
        self._within = True

    def _close(self) -> None:
        terminal.write("\n")
        self._within = False


class Lines:
    """Writes events to stdout, an object a line, with seconds since the start."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def start(self, settings: Mapping[str, object]) -> None:
        """See `Output`."""
        self._event("start", settings)

    def piece(self, piece: Piece) -> None:
        """See `Output`."""
        if piece.prompt:
            self._event("prompt", {"text": piece.text, "tokens": list(piece.tokens)})
        elif piece.tokens or piece.text:
            self._event("text", {"text": piece.text, "token": piece.tokens[0] if piece.tokens else None})

    def turn(self, reason: str) -> None:
        """See `Output`."""
        self._event("turn", {"reason": reason})

    def end(self, reason: str, speed: Speed) -> None:
        """See `Output`."""
        body = {
            "reason": reason,
            "prompt_tokens": speed.prompt_tokens,
            "prompt_tokens_per_second": round(speed.prompt_rate, 3),
            "tokens": speed.generated,
            "tokens_per_second": round(speed.rate, 3),
        }
        self._event("end", body)

    def _event(self, name: str, body: Mapping[str, object]) -> None:
        seconds = round(time.monotonic() - self._begin, 6)
        json_documents.line(SCHEMA, {"event": name, "seconds": seconds, **body})


def _rates(speed: Speed) -> str:
    prompt = f"prompt: {speed.prompt_tokens} tokens, {speed.prompt_rate:.1f} tok/s; " if speed.prompt_tokens > 1 else ""
    return f"{prompt}achieved tok/s: {speed.rate:.6f}"
