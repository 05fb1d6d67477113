"""The tokens that begin and end a text, by the tokenizer and by the model's file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fourcc.errors import UsageError
from fourcc.models.tokenizers.llama2c import Llama2cTokenizer

if TYPE_CHECKING:
    from fourcc.models.tokenizers import Tokenizer

_BOS, _EOS = "bos_token_id", "eos_token_id"  # hyper-parameters


def beginning(tokenizer: Tokenizer) -> tuple[int, ...]:
    """The tokens that come before every text: a prompt, a talk or a measured window; there may be none."""
    return tuple(tokenizer.encode(""))


def start(tokenizer: Tokenizer, hyper: Mapping[str, object]) -> tuple[int, ...]:
    """The tokens that begin a text without a prompt: as before any text, else BOS of the tokenizer or the model.

    Raises:
        UsageError: neither the tokenizer nor the model has a BOS.
    """
    tokens = beginning(tokenizer) or _bos(tokenizer, hyper)
    if not tokens:
        raise UsageError("neither the tokenizer nor the model has a token to begin with", hint="Give a prompt.")
    return tokens


def ends_of(tokenizer: Tokenizer, hyper: Mapping[str, object]) -> frozenset[int]:
    """The tokens that end a text: BOS, which would begin the next text, the tokenizer's ends, and the model's.

    llama2.c stops at BOS alone, so no other end of its tokenizers counts; the ends that the model states do.
    """
    own = frozenset[int]() if isinstance(tokenizer, Llama2cTokenizer) else tokenizer.ends
    return own.union(_bos(tokenizer, hyper), said_ends(hyper))


def said_ends(hyper: Mapping[str, object]) -> frozenset[int]:
    """The tokens that end a text, as the model's file states them."""
    return frozenset(_said(hyper, _EOS))


def _bos(tokenizer: Tokenizer, hyper: Mapping[str, object]) -> tuple[int, ...]:
    return _said(hyper, _BOS) if tokenizer.bos is None else (tokenizer.bos,)


def _said(hyper: Mapping[str, object], key: str) -> tuple[int, ...]:
    """The tokens that a hyper-parameter names, by one number or a list; a negative number names none."""
    value = hyper.get(key)
    tokens = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(token for token in tokens if type(token) is int and token >= 0)
