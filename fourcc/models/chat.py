"""A talk with a model: messages and answers, up to the context's length.

A template may write earlier messages anew with every message (many drop what a model thought before an answer). The
model keeps what it has read up to the first token that differs, and reads the rest.

The model spends a random number for each token that it reads, as in llama2.c's chat mode, so that a seed gives the same
answers in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import UsageError
from fourcc.models.answers import message_of
from fourcc.models.generate import Piece, Speed, check_new_tokens, tokens_after
from fourcc.models.jinja.marked import GIVEN, OWN, Marked, join

if TYPE_CHECKING:
    from fourcc.models.sampling import Sampler
    from fourcc.models.talk import ChatTemplate, Message
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
        tools: descriptions of functions that the model may ask for, in JSON's terms.
        options: further variables of the template, such as ``enable_thinking``.
        notes: sentences on the template, and on what was done with messages for its sake.
        max_tokens: tokens of an answer; None: as many as the context has room for.
        messages: all so far, without the system's: maps with "role" and "content". A caller who carries out what a
            model asks for may add "tool_calls" to an answer, in the way of its template.
        seen: the tokens that the network has read.
    """

    network: Transformer
    tokenizer: Tokenizer
    template: ChatTemplate
    sampler: Sampler
    system: str = ""
    ends: frozenset[int] = frozenset()
    speed: Speed = attrs.field(factory=Speed)
    tools: Sequence[Mapping[str, object]] = ()
    options: Mapping[str, object] = attrs.field(factory=dict)
    notes: list[str] = attrs.field(factory=list)
    max_tokens: int | None = None
    messages: list[Message] = attrs.field(factory=list, init=False)
    seen: list[int] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        check_new_tokens(self.max_tokens)

    @property
    def over(self) -> bool:
        """Whether the context is full, so that no further message fits."""
        return self.speed.ended == "length" and self.network.position >= self.network.context

    def __repr__(self) -> str:
        seen = f"{self.network.position} of {self.network.context} tokens"
        return f"<Conversation by the template {self.template.name}, {seen}>"

    def say(self, text: str, role: str = "user") -> Iterator[Piece]:
        """The answer to a message, piece by piece; the first piece is the message as the model reads it.

        An answer that the caller does not read to its end counts as ended there.

        Args:
            text: the message. The names of special tokens in it are text.
            role: whose it is; ``tool`` for what a function gave.

        Raises:
            UsageError: the message does not fit, the template refuses it, or the tokenizer lacks a token of the
                template.
        """
        self.messages.append({"role": role, "content": text})
        try:
            prompt = self.template.prompt(self.tokenizer, self)
            kept = self._kept(prompt)
            ends = self.template.ends(self.tokenizer) | self.ends
        except BaseException:
            self.messages.pop()  # so that another message may follow
            raise
        yield from self._answer(text, prompt[kept:], kept, ends)

    def _kept(self, prompt: list[int]) -> int:
        """The number of positions that the network keeps; the last token of a prompt is always read.

        Raises:
            UsageError: the prompt does not fit.
        """
        pairs = enumerate(zip(prompt, self.seen, strict=False))
        same = next((at for at, (one, other) in pairs if one != other), min(len(prompt), len(self.seen)))
        kept = max(min(same, len(prompt) - 1), 0)
        room = self.network.context - kept
        if len(prompt) - kept > room:
            expected = f"at most {room}, the positions that are left"
            raise UsageError("the message does not fit", found=f"{len(prompt) - kept} tokens", expected=expected)
        if not prompt:
            raise UsageError(f"the chat template {self.template.name} gives nothing for the model to read")
        return kept

    def _answer(self, text: str, ids: list[int], kept: int, ends: frozenset[int]) -> Iterator[Piece]:
        """Reads tokens behind those that are kept, and answers."""
        self.network.reset(kept)
        self.sampler.skip(len(ids) - 1)
        said: list[int] = []
        pieces: list[Marked] = []
        stream = self.tokenizer.stream()
        try:
            yield Piece(text, tuple(ids), prompt=True)
            room = self.network.context - kept - len(ids) + 1
            most = room if self.max_tokens is None else min(room, self.max_tokens)
            for token in tokens_after(self.network, ids, self.sampler, most, ends, self.speed):
                new = stream.push(token)
                said.append(token)
                pieces.append(self._marked(new, token))
                yield Piece(new, (token,))
            new = stream.finish()
            pieces.append(Marked(new, GIVEN))
            yield Piece(new)
        finally:
            self.seen = [*self.seen[:kept], *ids, *said][: self.network.position]
            self.messages.append(message_of(self.tokenizer, said, join("", pieces)))

    def _marked(self, text: str, token: int) -> Marked:
        """The text of a token of an answer: an added one, such as those around a thought, stays one later on."""
        name = self.tokenizer.name(token)
        own = len(name) if self.tokenizer.added.get(name) == token and text.endswith(name) else 0
        given = len(text) - own
        return Marked(text, bytes([GIVEN]) * given + bytes([OWN]) * own)

    def answer(self, text: str, role: str = "user") -> str:
        """The whole answer to a message. Raises as `say` does."""
        return "".join(piece.text for piece in self.say(text, role) if not piece.prompt)
