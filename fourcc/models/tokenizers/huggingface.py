"""A tokenizer.json, read by the package tokenizers.

The file does not say which token is BOS. It is the first that the post-processor puts before a text, whatever
``add_bos_token`` in another file says, and the others that it puts there follow; what it puts behind a text is left
out. EOS is the special token with a usual name. Names of special tokens in a text are text.

The package leaves out, without a word, bytes for which a vocabulary of byte pairs has no token. Such a text is refused.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import attrs

from fourcc.errors import InputError
from fourcc.models.tokenizers.ends import named_ends
from fourcc.models.tokenizers.gguf_bpe import ALPHABET
from fourcc.models.tokenizers.packages import package, translated, without_panic
from fourcc.models.tokenizers.tokenizer import MAX_TOKENS, checked, no_token, text_of, utf8

_TRIED = 64  # texts of tokens, of which one surely has a token


@attrs.define
class HuggingFaceStream:
    """Decodes tokens one by one, by the package's own decoder."""

    tokenizer: HuggingFaceTokenizer
    _decoder: Any = attrs.field(init=False, repr=False)
    _ids: list[int] = attrs.field(factory=list, init=False)
    _given: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        decoders = package("tokenizers.decoders", self.tokenizer.file)
        self._decoder = decoders.DecodeStream(skip_special_tokens=True)

    def push(self, token: int) -> str:
        """See `TextStream`."""
        self._ids.append(checked(token, self.tokenizer.vocab_size))
        with translated("the tokenizer cannot decode a token", self.tokenizer.file):
            text: str = self._decoder.step(self.tokenizer.package, token) or ""
        self._given += len(text)
        return text

    def finish(self) -> str:
        """See `TextStream`."""
        with translated("the tokenizer cannot decode a text", self.tokenizer.file):
            text: str = self.tokenizer.package.decode(self._ids, skip_special_tokens=True)
        return text[self._given :]


@attrs.frozen
class HuggingFaceTokenizer:
    """A tokenizer.json.

    Attributes:
        package: the package's tokenizer.
        vocab_size: number of tokens.
        bos: the first token before a text, where the file puts special ones there.
        eos: the token behind a text, where a special token has a usual name.
        file: the file that messages name.
        specials: special tokens by name.
        added: tokens by name that are found in every text before it is cut into words.
        ends: tokens that end a text, by their names.
        padding: numbers that no token has.
        before: all tokens that stand before a text.
        alphabet: characters that have a token, where the package leaves out others; None where it leaves out none.
        bytewise: whether the characters of the alphabet stand for bytes.
    """

    package: Any
    vocab_size: int
    bos: int | None
    eos: int | None
    file: object
    specials: Mapping[str, int] = attrs.field(factory=dict, repr=False)
    added: Mapping[str, int] = attrs.field(factory=dict, repr=False)
    ends: frozenset[int] = frozenset()
    padding: frozenset[int] = attrs.field(default=frozenset(), repr=False)
    before: tuple[int, ...] = ()
    alphabet: frozenset[str] | None = attrs.field(default=None, repr=False)
    bytewise: bool = False
    _parsing: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False, eq=False)

    def special(self, name: str) -> int | None:
        """A special token; see `Tokenizer`."""
        return self.specials.get(name)

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """The tokens of a text; see `Tokenizer`."""
        utf8(text)
        with translated("the tokenizer cannot encode a text", self.file):
            with self._parsing:
                ids: list[int] = self.package.encode(text, add_special_tokens=False).ids
            if self.alphabet is not None:
                self._refuse_losses(text, ids)
        return [*self.before, *ids] if bos else ids

    def encode_parsed(self, text: str) -> list[int]:
        """The tokens of a text in which names of special tokens stand for these, as the package cuts it."""
        utf8(text)
        with translated("the tokenizer cannot encode a text", self.file), self._parsing:
            self.package.encode_special_tokens = False
            try:
                ids: list[int] = self.package.encode(text, add_special_tokens=False).ids
            finally:
                self.package.encode_special_tokens = True
        return ids

    def refuse_losses(self, text: str, ids: list[int]) -> None:
        """Raises UsageError where a part of a text without special tokens has no token.

        Args:
            text: the text.
            ids: its tokens.
        """
        with translated("the tokenizer cannot decode a text", self.file):
            if self.alphabet is not None:
                self._refuse_losses(text, ids)

    def _refuse_losses(self, text: str, ids: list[int]) -> None:
        """Raises UsageError where a part of the text has no token."""
        normalizer = self.package.normalizer
        normal: str = normalizer.normalize_str(text) if normalizer else text
        at = self._lost(normal)
        # A text that decodes as it was has lost nothing: longer tokens cover its characters.
        if at is not None and self.package.decode(ids, skip_special_tokens=False) != text:
            raise no_token(normal, at)

    def _lost(self, text: str) -> int | None:
        """Offset, in a text's bytes, of the first character or byte that has no token by itself; None: all have one."""
        assert self.alphabet is not None
        if self.bytewise:
            return next((at for at, byte in enumerate(text.encode()) if ALPHABET[byte] not in self.alphabet), None)
        before = self.package.pre_tokenizer
        pieces = before.pre_tokenize_str(text) if before else [(text, (0, len(text)))]
        places = (min(start + at, end - 1) for piece, (start, end) in pieces for at in self._without_token(piece))
        place = next(places, None)
        return None if place is None else len(text[:place].encode())

    def _without_token(self, piece: str) -> list[int]:
        """Places of characters without a token in a piece of a text."""
        assert self.alphabet is not None
        return [at for at, character in enumerate(piece) if character not in self.alphabet]

    def name(self, token: int) -> str:
        """See `Tokenizer`."""
        text: str | None = self.package.id_to_token(checked(token, self.vocab_size))
        return text or ""

    def stream(self) -> HuggingFaceStream:
        """A decoder for one run of tokens; see `Tokenizer`."""
        return HuggingFaceStream(self)

    def text(self, ids: Iterable[int]) -> str:
        """The text of a run of tokens."""
        return text_of(self.stream(), ids)


def read_json(data: bytes, file: object) -> HuggingFaceTokenizer:
    """The tokenizer in the bytes of a tokenizer.json.

    Raises:
        InputError: the package refuses the file.
        UsageError: the package is not installed.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError("the JSON is not UTF-8", file=file, offset=error.start) from None
    module = package("tokenizers", file)
    with translated("not a tokenizer.json", file):
        with without_panic():
            tokenizer = module.Tokenizer.from_str(text)
        _check_numbers(tokenizer, text, file)
        return _wrapped(tokenizer, module.models.BPE, file)


def _check_numbers(tokenizer: Any, text: str, file: object) -> None:  # noqa: ANN401 - of a package without types
    """Refuses added tokens to which the package gives other numbers than the file, as it does beside gaps."""
    for stated in json.loads(text).get("added_tokens") or ():
        name, number = stated["content"], stated["id"]
        given = tokenizer.token_to_id(name)
        if given != number:
            what = f"the package gives the added token {name!r:.60} another number than the file"
            hint = "Number the added tokens one after the other, behind the vocabulary."
            raise InputError(what, file=file, found=given, expected=number, hint=hint)


def _wrapped(tokenizer: Any, byte_pairs: Any, file: object) -> HuggingFaceTokenizer:  # noqa: ANN401 - the package's
    """A tokenizer of ours around the package's."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    found = {str(added): (token, added.special) for token, added in tokenizer.get_added_tokens_decoder().items()}
    special = {name: token for name, (token, control) in found.items() if control}
    others = {name: token for name, (token, control) in found.items() if not control}
    ends = named_ends(special)
    eos = ends[0] if ends else None
    tokenizer.encode_special_tokens = True
    vocab: dict[str, int] = tokenizer.get_vocab()
    before = _before(tokenizer, vocab)
    bos = before[0] if before and before[0] in special.values() else None
    count = max(vocab.values(), default=-1) + 1
    if count > MAX_TOKENS:
        text = next(text for text, token in vocab.items() if token == count - 1)
        what = f"the tokenizer gives {text!r:.60} a number that no vocabulary has"
        raise InputError(what, file=file, found=count - 1, expected=f"below {MAX_TOKENS}")
    holes = frozenset(range(count)).difference(vocab.values())
    alphabet, bytewise = _alphabet(tokenizer, byte_pairs, vocab)
    return HuggingFaceTokenizer(
        tokenizer, count, bos, eos, file, special, others, frozenset(ends), holes, before, alphabet, bytewise=bytewise
    )


def _before(tokenizer: Any, vocab: dict[str, int]) -> tuple[int, ...]:  # noqa: ANN401 - of a package without types
    """The tokens that the post-processor puts before a text; an empty one would not tell them from those behind."""
    for text in ("a", *islice(vocab, _TRIED)):
        done = tokenizer.encode(text)
        if 0 in done.sequence_ids:  # of the text itself; None of what is put beside it
            return tuple(done.ids[: done.sequence_ids.index(0)])
    return ()


def _alphabet(
    tokenizer: Any,  # noqa: ANN401 - of a package without types
    byte_pairs: Any,  # noqa: ANN401 - likewise
    vocab: dict[str, int],
) -> tuple[frozenset[str] | None, bool]:
    """Characters that have a token, where the package leaves out others, else None; whether they stand for bytes."""
    model, before = tokenizer.model, tokenizer.pre_tokenizer
    if type(model) is not byte_pairs or model.unk_token is not None or model.byte_fallback:
        return None, False
    bytewise = before is not None and ALPHABET[0x80] in "".join(piece for piece, _ in before.pre_tokenize_str("\u0080"))
    affixed = model.continuing_subword_prefix or model.end_of_word_suffix
    known = frozenset("".join(vocab) if affixed else (text for text in vocab if len(text) == 1))
    return (None if bytewise and known.issuperset(ALPHABET.values()) else known), bytewise
