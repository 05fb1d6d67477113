"""Finds, of several ways to write a vocabulary into a GGUF file, the one that gives the tokenizer's own tokens.

Nothing is believed of a tokenizer that its texts do not show: each way is read as this package reads such a file, and
is given some thousand probe texts and pieces of the vocabulary's own. The first that makes the same tokens of all is
taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

import attrs

from fourcc.errors import UsageError
from fourcc.exporters.gguf_entries import PREFIX
from fourcc.models.tokenizers.gguf import tokenizer_of
from fourcc.models.tokenizers.tokenizer import Tokenizer

OWN = 2000  # texts that are made of the vocabulary's tokens
_EVERY = 5  # the closest way is looked for with every fifth text


@attrs.frozen(eq=False)
class WayToWrite:
    """A way to write a vocabulary.

    Attributes:
        name: in messages.
        values: the keys' values, by the last part of their names.
        tokenizer: (nothing) -> what reads them.
    """

    name: str
    values: Mapping[str, Any]
    tokenizer: Callable[[], Tokenizer]


@attrs.frozen
class OtherTokens:
    """A text of which two tokenizers make different tokens; None in place of tokens: the text is refused."""

    text: str
    theirs: list[int] | None
    ours: list[int] | None

    def __str__(self) -> str:
        return f"of {self.text!r} it makes {_shown(self.ours)}, the tokenizer {_shown(self.theirs)}"


def encoded(tokenizer: Tokenizer, text: str) -> list[int] | None:
    """The tokens of a text, without BOS; None where the tokenizer refuses it."""
    try:
        return tokenizer.encode(text, bos=False)
    except UsageError:
        return None


def agreeing(candidates: Iterable[WayToWrite], theirs: Tokenizer, texts: Sequence[str], file: object) -> WayToWrite:
    """The first candidate that makes the same tokens of every text.

    Raises:
        UsageError: none does; names the closest, and the first text that it cuts in another way.
    """
    expected = [encoded(theirs, text) for text in texts]
    tried = []
    for candidate in candidates:
        if next(differences(candidate.tokenizer(), texts, expected), None) is None:
            return candidate
        tried.append(candidate)
    raise _refusal(tried, texts, expected, file)


def differences(ours: Tokenizer, texts: Sequence[str], expected: Sequence[list[int] | None]) -> Iterator[OtherTokens]:
    """The texts of which a tokenizer does not make the expected tokens."""
    for text, tokens in zip(texts, expected, strict=True):
        found = encoded(ours, text)
        if found != tokens:
            yield OtherTokens(text, tokens, found)


def note_on_rules(rule: str) -> str:
    """The note on a tokenizer that agrees only where its own rules change nothing in a text before it is cut."""
    what = f"the tokenizer first brings a text into another form ({rule})"
    return f"{what}: a GGUF file cannot say so, and a text that is not in that form gets other tokens"


def _refusal(
    tried: Sequence[WayToWrite], texts: Sequence[str], expected: Sequence[list[int] | None], file: object
) -> UsageError:
    few, want = texts[::_EVERY], expected[::_EVERY]
    counts = [sum(1 for _ in differences(each.tokenizer(), few, want)) for each in tried]
    best = tried[counts.index(min(counts))]
    first = next(differences(best.tokenizer(), texts, expected))
    return UsageError(
        "no vocabulary of GGUF cuts texts as the tokenizer does",
        file=file,
        found=f"closest is {best.name}, with {min(counts)} of {len(few)} texts cut in another way: {first}",
        hint="--pre NAME takes a way to cut all the same; --pre none leaves the vocabulary out.",
    )


def _shown(tokens: list[int] | None) -> str:
    return "none" if tokens is None else f"{tokens}"[:80]


def read_as_written(name: str, values: Mapping[str, Any], file: object) -> WayToWrite:
    """A candidate that is read as a file with these keys would be."""
    named = {key if key.startswith("tokenizer.") else PREFIX + key: value for key, value in values.items()}
    return WayToWrite(name, values, cache(partial(tokenizer_of, named, file)))
