"""Makes text with a model, token by token, by the rules of llama2.c."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import UsageError
from fourcc.models.begin_and_end import ends_of, start
from fourcc.models.tokenizers.specials import parsed

if TYPE_CHECKING:
    from fourcc.models.sampling import Sampler
    from fourcc.models.tokenizers import Tokenizer
    from fourcc.models.transformer import Transformer


STEPS = 256  # tokens of a text, unless the caller says otherwise


@attrs.define
class Speed:
    """Tokens and seconds of a run.

    Attributes:
        prompt_tokens, prompt_seconds: those of the prompt, which is read in batches.
        generated: tokens of the generated text.
        tokens, seconds: those that the network read of it, one after the other: not the last, with which a text ends.
        ended: why the last text ended: ``stop`` (the model ended it) or ``length`` (it has as many tokens as allowed);
            empty until then.
    """

    prompt_tokens: int = 0
    prompt_seconds: float = 0.0
    generated: int = 0
    tokens: int = 0
    seconds: float = 0.0
    ended: str = ""

    @property
    def prompt_rate(self) -> float:
        """Prompt tokens per second; 0 where there was no prompt."""
        return self.prompt_tokens / self.prompt_seconds if self.prompt_seconds else 0.0

    @property
    def rate(self) -> float:
        """Generated tokens per second; 0 where there was none."""
        return self.tokens / self.seconds if self.seconds else 0.0


@attrs.frozen
class Piece:
    """A piece of a text.

    Attributes:
        text: the part that is certain; empty where a token is only the start of a character.
        tokens: the tokens that it comes from: the whole prompt, one token, or none for text held back to the end.
        prompt: whether it was given, not generated.
    """

    text: str
    tokens: tuple[int, ...] = ()
    prompt: bool = False


def tokens_after(
    model: Transformer, prompt: Sequence[int], sampler: Sampler, most: int, stop: frozenset[int], speed: Speed
) -> Iterator[int]:
    """The tokens that follow a prompt, as they are generated.

    Args:
        model: the network; it goes on from its position.
        prompt: at least one token; the tokens are read, and not given back.
        sampler: chooses among its tokens; the model may have rows beyond them.
        most: number of tokens at most, within the model's context.
        stop: tokens that end the text; they are not given.
        speed: filled in.
    """
    begin = time.perf_counter()
    logits = model.forward(prompt)
    speed.prompt_tokens += len(prompt)
    speed.prompt_seconds += time.perf_counter() - begin
    begin, before = time.perf_counter(), speed.seconds
    for number in range(1, most + 1):
        token = sampler.sample(logits[0, : sampler.vocab_size])
        speed.seconds = before + time.perf_counter() - begin
        if token in stop:
            speed.ended = "stop"
            return
        speed.generated += 1
        yield token
        if number == most or model.position >= model.context:
            speed.ended = "length"
            return
        logits = model.forward([token])
        speed.tokens += 1


def begun(tokenizer: Tokenizer, prompt: str, hyper: Mapping[str, object], *, special: bool = False) -> list[int]:
    """The tokens that a text begins with.

    Args:
        tokenizer: the model's tokenizer.
        prompt: the start of the text; may be empty.
        hyper: the hyper-parameters of the model, which may name a token that begins a text.
        special: whether names of special tokens in the prompt stand for these tokens.

    Raises:
        UsageError: there is neither a prompt nor a token to begin with.
    """
    return list(parsed(tokenizer, prompt) if special else tokenizer.encode(prompt)) or list(start(tokenizer, hyper))


def limit(given: int, steps: int | None, max_tokens: int | None) -> int:
    """The steps of a text, as llama2.c counts them: a step reads a token and gives the next one.

    Args:
        given: tokens of the prompt.
        steps: tokens of the whole text; 0, as any number below: as many as the context holds; None: 256, or 0 where
            `max_tokens` is given.
        max_tokens: new tokens, at least 1; None: no limit.

    Returns:
        The steps; 0: as many as the context holds.

    Raises:
        UsageError: `max_tokens` is below 1, or the prompt has more tokens than the whole text may have.
    """
    check_new_tokens(max_tokens)
    if steps is None:
        steps = STEPS if max_tokens is None else 0
    if 0 < steps < given:
        hint = "The prompt counts among the tokens of the text (-n, steps); --max-tokens, max_tokens counts new ones."
        raise UsageError("the prompt is too long", found=f"{given} tokens", expected=f"at most {steps}", hint=hint)
    if max_tokens is None:
        return max(0, steps)
    most = given + max_tokens - 1
    return most if steps <= 0 else min(steps, most)


def check_new_tokens(max_tokens: int | None) -> None:
    """Raises UsageError for a number of new tokens below 1."""
    if max_tokens is not None and max_tokens < 1:
        raise UsageError("bad number of new tokens (--max-tokens, max_tokens)", found=max_tokens, expected="1 or more")


def text_after(
    model: Transformer,
    tokenizer: Tokenizer,
    ids: Sequence[int],
    *,
    sampler: Sampler,
    steps: int,
    speed: Speed,
    hyper: Mapping[str, object],
) -> Iterator[Piece]:
    """A text that begins with given tokens, piece by piece, as llama2.c's `run` makes it.

    Args:
        model: the network, with no token seen.
        tokenizer: the model's tokenizer.
        ids: the tokens of the prompt, at least one.
        sampler: chooses tokens.
        steps: tokens of the whole text; 0: as many as the context holds.
        speed: filled in.
        hyper: the hyper-parameters of the model, which may name tokens that end a text.

    Raises:
        UsageError: the prompt does not fit into the context.
    """
    steps = min(steps, model.context) if steps > 0 else model.context
    if len(ids) > steps:
        raise UsageError("the prompt is too long", found=f"{len(ids)} tokens", expected=f"at most {steps}")
    stream = tokenizer.stream()
    yield Piece("".join([stream.push(token) for token in ids]), tuple(ids), prompt=True)
    for token in tokens_after(model, ids, sampler, steps - len(ids) + 1, ends_of(tokenizer, hyper), speed):
        yield Piece(stream.push(token), (token,))
    yield Piece(stream.finish())
