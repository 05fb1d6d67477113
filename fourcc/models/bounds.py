"""Where a text begins and where it ends: the tokens, by the tokenizer and by what the model's file says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.models.tokenizers import Tokenizer

_BOS, _EOS = "bos_token_id", "eos_token_id"  # hyper-parameters


def beginning(tokenizer: Tokenizer) -> tuple[int, ...]:
    """The tokens that come before every text, of a prompt, a talk or a window that is measured; may be none."""
    return tuple(tokenizer.encode(""))


def start(tokenizer: Tokenizer, hyper: Mapping[str, object]) -> tuple[int, ...]:
    """What a text without a prompt begins with: as any other one, else with BOS, the tokenizer's or the model's.

    Raises:
        UsageError: neither has one.
    """
    found = beginning(tokenizer) or _bos(tokenizer, hyper)
    if not found:
        raise UsageError("neither the tokenizer nor the model has a token to begin with", hint="Give a prompt.")
    return found


def ends_of(tokenizer: Tokenizer, hyper: Mapping[str, object]) -> frozenset[int]:
    """The tokens that end a text: BOS, with which the next one would begin, the tokenizer's ends, and the model's.

    llama2.c stops at BOS alone, and of its tokenizers no other end is taken; what a model says counts even so.
    """
    from fourcc.models.tokenizers.llama2c import Llama2cTokenizer

    own = frozenset[int]() if isinstance(tokenizer, Llama2cTokenizer) else tokenizer.ends
    return own.union(_bos(tokenizer, hyper), said_ends(hyper))


def said_ends(hyper: Mapping[str, object]) -> frozenset[int]:
    """The tokens that end a text, as the model says."""
    return frozenset(_said(hyper, _EOS))


def _bos(tokenizer: Tokenizer, hyper: Mapping[str, object]) -> tuple[int, ...]:
    return _said(hyper, _BOS) if tokenizer.bos is None else (tokenizer.bos,)


def _said(hyper: Mapping[str, object], key: str) -> tuple[int, ...]:
    """A hyper-parameter's tokens: one, or a list; numbers below 0 stand for none."""
    found = hyper.get(key)
    each = found if isinstance(found, (list, tuple)) else (found,)
    return tuple(token for token in each if type(token) is int and token >= 0)
