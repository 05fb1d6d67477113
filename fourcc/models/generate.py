"""Text from a model, token by token, by the rules of llama2.c."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import UsageError
from fourcc.models.bounds import ends_of, start

if TYPE_CHECKING:
    from fourcc.models.llama import Llama
    from fourcc.models.sampling import Sampler
    from fourcc.models.tokenizers import Tokenizer


@attrs.define
class Speed:
    """What a run took.

    Attributes:
        prompt_tokens, prompt_seconds: of the prompt, which is read at once.
        tokens, seconds: of what was made, one token after the other.
        ended: why the last text ended: ``stop`` (the model ended it) or ``length`` (it has as many tokens as it may);
            empty until then.
    """

    prompt_tokens: int = 0
    prompt_seconds: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    ended: str = ""

    @property
    def prompt_rate(self) -> float:
        """Tokens of the prompt a second; 0 where there was none."""
        return self.prompt_tokens / self.prompt_seconds if self.prompt_seconds else 0.0

    @property
    def rate(self) -> float:
        """Tokens made a second; 0 where none was."""
        return self.tokens / self.seconds if self.seconds else 0.0


@attrs.frozen
class Piece:
    """A piece of a text.

    Attributes:
        text: what is certain of it; empty where a token is only the start of a character.
        tokens: those that it came of: the whole prompt, one token, or none for what was held back to the end.
        prompt: whether it was given, and not made.
    """

    text: str
    tokens: tuple[int, ...] = ()
    prompt: bool = False


def tokens_after(
    model: Llama, prompt: Sequence[int], sampler: Sampler, steps: int, stop: frozenset[int], speed: Speed
) -> Iterator[int]:
    """The tokens that follow a prompt, as they are made.

    Args:
        model: goes on from where it stands.
        prompt: at least one token; they are read, and not given back.
        sampler: chooses, among as many tokens as it knows of; the model may have rows beyond them.
        steps: tokens at most, and no more than the model's context holds.
        stop: tokens that end the text; they are not given.
        speed: filled in.
    """
    begin = time.perf_counter()
    logits = model.forward(prompt)
    speed.prompt_tokens += len(prompt)
    speed.prompt_seconds += time.perf_counter() - begin
    begin, before = time.perf_counter(), speed.seconds
    for made in range(steps):
        token = sampler.sample(logits[0, : sampler.vocab_size])
        speed.seconds = before + time.perf_counter() - begin
        if token in stop:
            speed.ended = "stop"
            return
        yield token
        if made + 1 == steps or model.position >= model.context:
            speed.ended = "length"
            return
        logits = model.forward([token])
        speed.tokens += 1


def text_after(
    model: Llama,
    tokenizer: Tokenizer,
    prompt: str,
    *,
    sampler: Sampler,
    steps: int,
    speed: Speed,
    hyper: Mapping[str, object],
) -> Iterator[Piece]:
    """A text that begins with the prompt, piece by piece, as llama2.c's `run` makes it.

    Args:
        model: at its start.
        tokenizer: the model's.
        prompt: may be empty.
        sampler: chooses.
        steps: tokens of the whole text; 0: as many as the context holds.
        speed: filled in.
        hyper: what the model's file says of it: of tokens that begin and end a text, too.

    Raises:
        UsageError: the prompt does not fit, or there is neither a prompt nor a token to begin with.
    """
    ids = tokenizer.encode(prompt) or list(start(tokenizer, hyper))
    steps = min(steps, model.context) if steps > 0 else model.context
    if len(ids) > steps:
        raise UsageError("the prompt is too long", found=f"{len(ids)} tokens", expected=f"at most {steps}")
    stream = tokenizer.stream()
    yield Piece("".join([stream.push(token) for token in ids]), tuple(ids), prompt=True)
    for token in tokens_after(model, ids, sampler, steps - len(ids) + 1, ends_of(tokenizer, hyper), speed):
        yield Piece(stream.push(token), (token,))
    yield Piece(stream.finish())
