"""Talks, as the templates see them that write them for a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fourcc.models.tokenizers import Tokenizer

Message = dict[str, object]  # "role", "content" and whatever else a template reads


class Talk(Protocol):
    """Messages so far, and what the model has read of them.

    Attributes:
        system: the instructions before the first message; may be empty.
        messages: without the system's; the last one is to be answered.
        tools: descriptions of functions that the model may ask for, in JSON's terms.
        options: further variables of the template.
        seen: the tokens that the network has read.
        notes: sentences on what was done with the messages; templates add to them.
    """

    system: str
    messages: list[Message]
    tools: Sequence[Mapping[str, object]]
    options: Mapping[str, object]
    seen: list[int]
    notes: list[str]


class ChatTemplate(Protocol):
    """Writes talks for a model."""

    @property
    def name(self) -> str:
        """The name in messages and events."""

    def prompt(self, tokenizer: Tokenizer, talk: Talk) -> list[int]:
        """All tokens of a talk, up to where the model's answer begins.

        Raises:
            UsageError: the template cannot write this talk, or the tokenizer lacks a token that it writes.
        """

    def ends(self, tokenizer: Tokenizer) -> frozenset[int]:
        """The tokens that end an answer. Raises as `prompt` does."""
