"""Compares the tokens of two models: probabilities can be compared only if each token means the same to both."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from fourcc.errors import UsageError
from fourcc.models.tokenizers import in_use

if TYPE_CHECKING:
    from fourcc.models.model import Model
    from fourcc.models.tokenizers import Tokenizer
    from fourcc.models.windows import Cut

_HINT = "Probabilities of different tokens cannot be compared; without --reference each model reads its own."
_NO_TEXT = {"", "\ufffd"}  # texts of tokens that are no text by themselves


def check_same_tokens(one: tuple[Model, Cut], other: tuple[Model, Cut]) -> None:
    """Compares the number of tokens, without padding at the end, the tokens of the text, and the text of each token.

    Args:
        one: a model, and the text as it was cut for it.
        other: the reference, and the text as it was cut for it.

    Raises:
        UsageError: they differ; the message names both files and the first difference.
    """
    (model, text), (reference, theirs) = one, other
    counts = tuple(in_use(each.tokenizer, each.tokenizer.vocab_size) for each in (model, reference))
    if counts[0] != counts[1]:
        raise _unlike(one, other, "tokens of the vocabulary", *counts)
    pairs = zip_longest(_ids(text), _ids(theirs))
    for place, (mine, its) in enumerate(pairs):
        if mine != its:
            raise _unlike(one, other, f"token {place} of the windows", mine, its)
    texts = (_texts(each.tokenizer, counts[0]) for each in (model, reference))
    for token, (mine, its) in enumerate(zip(*texts, strict=True)):
        if mine != its and not {mine, its} & _NO_TEXT:
            raise _unlike(one, other, f"the text of token {token}", repr(mine), repr(its))


def _unlike(one: tuple[Model, Cut], other: tuple[Model, Cut], what: str, mine: object, its: object) -> UsageError:
    found, expected = (f"{'none' if each is None else each}" for each in (mine, its))
    what = f"the model and the reference {other[0].path} have different tokens: {what}"
    return UsageError(what, file=one[0].path, found=found, expected=expected, hint=_HINT)


def _ids(text: Cut) -> Iterator[int]:
    return chain.from_iterable(window.tokens for window in text.windows)


def _texts(tokenizer: Tokenizer, count: int) -> Iterator[str]:
    """The text of each token without spaces around it, which some tokenizers strip at the start of a text."""
    for token in range(count):
        yield tokenizer.text([token]).strip(" ")
