"""A talk with a model: messages and answers, up to the context's length.

The model spends a random number for each token that it reads, as in llama2.c's chat mode, so that a seed gives the same
answers in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import UsageError
from fourcc.models.generate import Piece, Speed, tokens_after

if TYPE_CHECKING:
    from fourcc.models.sampling import Sampler
    from fourcc.models.templates import Template
    from fourcc.models.tokenizers import Tokenizer
    from fourcc.models.transformer import Transformer


@attrs.define(eq=False, repr=False)
class Conversation:
    """A talk.

    Attributes:
        network: the network, which has seen no other tokens.
        tokenizer: the model's tokenizer.
        template: how messages are written for the model.
        sampler: chooses tokens.
        system: the instructions before the first message; may be empty.
        ends: tokens of the model's file that end an answer, beside those of the template and the tokenizer.
        speed: filled in as the model reads and writes.
    """

    network: Transformer
    tokenizer: Tokenizer
    template: Template
    sampler: Sampler
    system: str = ""
    ends: frozenset[int] = frozenset()
    speed: Speed = attrs.field(factory=Speed)
    _owed: list[int] = attrs.field(factory=list, init=False)  # tokens behind the last answer that were not read yet

    @property
    def over(self) -> bool:
        """Whether the context is full, so that no further message fits."""
        return self.speed.ended == "length"

    def __repr__(self) -> str:
        seen = f"{self.network.position} of {self.network.context} tokens"
        return f"<Conversation by the template {self.template.name}, {seen}>"

    def say(self, text: str) -> Iterator[Piece]:
        """The answer to a message, piece by piece; the first piece is the message as the model reads it.

        An answer that the caller does not read to its end counts as ended there.

        Raises:
            UsageError: the message does not fit, or the tokenizer lacks a token of the template.
        """
        message = self.template.message(self.tokenizer, text, self.system, first=self.network.position == 0)
        ids = self._owed + message
        room = self.network.context - self.network.position
        if len(ids) > room:
            expected = f"at most {room}, the positions that are left"
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
