"""A talk with a model: messages and answers, of which it remembers as many as its context holds.

Of random numbers one is spent for each token that the model reads, as llama2.c's chat mode does, so that a seed gives
the same answers here and there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import UsageError
from fourcc.models.generate import Piece, Speed, tokens_after

if TYPE_CHECKING:
    from fourcc.models.llama import Llama
    from fourcc.models.sampling import Sampler
    from fourcc.models.templates import Template
    from fourcc.models.tokenizers import Tokenizer


@attrs.define(eq=False, repr=False)
class Conversation:
    """A talk.

    Attributes:
        network: the model; it has seen nothing else.
        tokenizer: the model's.
        template: how messages are written for it.
        sampler: chooses.
        system: what the model is told before the first message; may be empty.
        ends: tokens that end an answer beside those of the template and the tokenizer: the model's.
        speed: filled in.
    """

    network: Llama
    tokenizer: Tokenizer
    template: Template
    sampler: Sampler
    system: str = ""
    ends: frozenset[int] = frozenset()
    speed: Speed = attrs.field(factory=Speed)
    _owed: list[int] = attrs.field(factory=list, init=False)  # what is behind the last answer, not read yet

    @property
    def over(self) -> bool:
        """Whether the context is full, so that no message fits any more."""
        return self.speed.ended == "length"

    def __repr__(self) -> str:
        seen = f"{self.network.position} of {self.network.context} tokens"
        return f"<Conversation by the template {self.template.name}, {seen}>"

    def say(self, text: str) -> Iterator[Piece]:
        """The answer to a message, piece by piece; the first piece is the message as the model reads it.

        An answer that is not taken to its end counts as ended where it was left.

        Raises:
            UsageError: the message does not fit, or the tokenizer lacks a token of the template.
        """
        message = self.template.message(self.tokenizer, text, self.system, first=self.network.position == 0)
        ids = self._owed + message
        room = self.network.context - self.network.position
        if len(ids) > room:
            expected = f"at most {room}, the room that is left"
            raise UsageError("the message does not fit", found=f"{len(ids)} tokens", expected=expected)
        ends = self.template.ends(self.tokenizer) | self.ends
        self._owed = self.template.after(self.tokenizer)
        self.sampler.skip(len(ids) - 1)
        yield Piece(text, tuple(ids), prompt=True)
        stream = self.tokenizer.stream()
        for token in tokens_after(self.network, ids, self.sampler, room - len(ids) + 1, ends, self.speed):
            yield Piece(stream.push(token), (token,))
        yield Piece(stream.finish())

    def answer(self, text: str) -> str:
        """The whole answer to a message. Raises as `say` does."""
        return "".join(piece.text for piece in self.say(text) if not piece.prompt)
