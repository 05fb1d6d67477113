"""Tokens of a text in which some names of special tokens stand for these, and others are only text.

The text is one that a chat template has made; the caller tells which part of it may hold special tokens. Where every
name in the text may stand for its token, the tokenizer finds them itself, so that the tokens are those of any other
program. Elsewhere

* a tokenizer.json is opened once more, with private-use characters in place of the names: the text has them where a
  name stands for its token, and is cut as a whole, by all rules of the package about white space beside a token;
* the tokenizers of ours, and SentencePiece, encode the text between special tokens apart, as they do in llama.cpp.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import accumulate
from typing import Any

import attrs

from fourcc.errors import UsageError
from fourcc.models.tokenizers.huggingface import HuggingFaceTokenizer
from fourcc.models.tokenizers.packages import package, translated
from fourcc.models.tokenizers.tokenizer import Tokenizer, utf8
from fourcc.models.tokenizers.vocabulary import Cutter, OverVocabulary, TokenKind

Allowed = Callable[[int, int], bool]  # (start, end) -> whether the name there stands for its token
_PRIVATE = (range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))


@attrs.frozen(eq=False)
class SpecialNames:
    """The names that stand for tokens in the texts of one template.

    Attributes:
        tokenizer: the model's tokenizer.
        ids: name -> token: the special ones, and added ones that the template writes.
    """

    tokenizer: Tokenizer
    ids: Mapping[str, int]
    _cutter: Cutter = attrs.field(init=False, repr=False)
    _tokens: frozenset[int] = attrs.field(init=False, repr=False)
    _stand_ins: Callable[[int], StandIns] = attrs.field(init=False, repr=False)

    @_cutter.default
    def _(self) -> Cutter:
        return Cutter(dict(self.ids))

    @_tokens.default
    def _(self) -> frozenset[int]:
        return frozenset(self.ids.values())

    @_stand_ins.default
    def _(self) -> Callable[[int], StandIns]:
        return lru_cache(1)(lambda first: StandIns.of(self.tokenizer, self.ids, first))

    @classmethod
    def of(cls, tokenizer: Tokenizer, template: str) -> SpecialNames:
        """The names in the texts of a template.

        An added token that is no special one counts where the template's own text has it: it then divides messages as
        a special one does. Runs of white space do not count, which vocabularies of code have.

        Args:
            tokenizer: the model's tokenizer.
            template: the text of the template.
        """
        added = {name: token for name, token in tokenizer.added.items() if name in template and not name.isspace()}
        return cls(tokenizer, {name: token for name, token in {**tokenizer.specials, **added}.items() if name})

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Start and end of every name in a text, those that overlap, too."""
        return self._cutter.all_places(text)

    def encode(self, text: str, allowed: Allowed) -> list[int]:
        """The tokens of a text.

        Args:
            text: the text.
            allowed: whether a name may stand for its token.

        Raises:
            UsageError: the text has a lone surrogate, or a part without a token; or the tokenizer makes a special
                token of mere text.
        """
        utf8(text)
        whole = all(allowed(*place) for place in self.places(text))
        cut = list(self._cutter.places(text, allowed))
        if isinstance(self.tokenizer, HuggingFaceTokenizer):
            ids = self.tokenizer.encode_parsed(text) if whole else self._by_stand_ins(text, cut)
            ordinary = [token for token in ids if token not in self._tokens]
            self.tokenizer.refuse_losses("".join(_between(text, cut)), ordinary)
            return ids
        return self._in_parts(text, cut, self.tokenizer if whole else self._without_added())

    def _in_parts(self, text: str, cut: list[tuple[int, int]], tokenizer: Tokenizer) -> list[int]:
        """The tokens of names and of the texts between them, one after the other."""
        ids: list[int] = []
        for number, part in enumerate(_between(text, cut)):
            if part:
                ids += self._plain(tokenizer.encode(part, bos=False), part)
            if number < len(cut):
                ids.append(self.ids[text[slice(*cut[number])]])
        return ids

    def _by_stand_ins(self, text: str, cut: list[tuple[int, int]]) -> list[int]:
        """The tokens of a text that has private-use characters in place of names."""
        stand_ins = self._stand_ins(_unused(text, len(self.ids)))
        marks = [stand_ins.marks[text[slice(*place)]] for place in cut]
        marked = "".join(part + mark for part, mark in zip(_between(text, cut), [*marks, ""], strict=True))
        raw, found = stand_ins.encode(marked)
        ends = accumulate(len(part) + 1 for part in _between(text, cut))
        kept = [place for place, end in zip(cut, ends, strict=False) if end - 1 in found]
        if len(kept) < len(cut):  # some tokens count as whole words only: elsewhere their names are text
            return self._by_stand_ins(text, kept)
        self._plain([token for token in raw if token not in stand_ins.ids], marked)
        return [stand_ins.ids.get(token, token) for token in raw]

    def _plain(self, ids: list[int], text: str) -> list[int]:
        """The tokens of mere text. Raises UsageError where one is that of a name in it, and not the unknown one."""
        special = (self.tokenizer.name(token) for token in ids if token in self._tokens and token != self._unknown)
        found = next((name for name in special if name in text), None)
        if found is not None:
            what = "the tokenizer makes a special token of mere text"
            raise UsageError(what, found=found, hint="Leave it out of the text.")
        return ids

    @property
    def _unknown(self) -> int | None:
        """The token of what has none, which may come from any text."""
        if not isinstance(self.tokenizer, HuggingFaceTokenizer):
            return None
        return self.ids.get(getattr(self.tokenizer.package.model, "unk_token", None) or "")

    def _without_added(self) -> Tokenizer:
        """The tokenizer, with the added tokens among the names as special ones, which come from no text."""
        tokenizer = self.tokenizer
        names = {token for name, token in self.ids.items() if name in tokenizer.added}
        if not names or not isinstance(tokenizer, OverVocabulary):
            return tokenizer
        kinds = enumerate(tokenizer.vocabulary.kinds)
        changed = tuple(int(TokenKind.CONTROL) if token in names else kind for token, kind in kinds)
        vocabulary = attrs.evolve(tokenizer.vocabulary, kinds=changed)
        evolved: Tokenizer = attrs.evolve(tokenizer, vocabulary=vocabulary)  # type: ignore[misc] # of two kinds, with this field both
        return evolved


def parsed(tokenizer: Tokenizer, text: str) -> list[int]:
    """The tokens of a text in which every name of a special token stands for it, behind those that begin any text.

    Raises:
        UsageError: see `SpecialNames.encode`.
    """
    ids = SpecialNames.of(tokenizer, "").encode(text, lambda start, end: True) if text else []  # noqa: ARG005 - all
    before = tokenizer.encode("")
    return ids if ids[: len(before)] == before else [*before, *ids]


@attrs.frozen(eq=False)
class StandIns:
    """A tokenizer.json in which private-use characters have taken the place of names.

    Attributes:
        package: the package's tokenizer.
        marks: name -> its character.
        ids: token of this tokenizer -> that of the model's, for all that are added.
        file: the file that messages name.
    """

    package: Any
    marks: Mapping[str, str]
    ids: Mapping[int, int]
    file: object

    @classmethod
    def of(cls, tokenizer: Tokenizer, names: Mapping[str, int], first: int) -> StandIns:
        """Stand-ins for names.

        Args:
            tokenizer: one of a tokenizer.json.
            names: name -> token.
            first: the code point of the first character.
        """
        assert isinstance(tokenizer, HuggingFaceTokenizer)
        marks = {name: chr(first + number) for number, name in enumerate(names)}
        stated = json.loads(tokenizer.package.to_str())
        numbers = {}
        for added in stated["added_tokens"]:
            added["content"] = marks.get(added["content"], added["content"])
            numbers[added["content"]] = added["id"]
        with translated("the tokenizer cannot be opened again", tokenizer.file):
            again = package("tokenizers", tokenizer.file).Tokenizer.from_str(json.dumps(stated))
            ids = {again.token_to_id(name): number for name, number in numbers.items()}
        return cls(again, marks, ids, tokenizer.file)

    def encode(self, text: str) -> tuple[list[int], frozenset[int]]:
        """This tokenizer's tokens of a text, and the places of the characters that became an added token."""
        with translated("the tokenizer cannot encode a text", self.file):
            done = self.package.encode(text, add_special_tokens=False)
            ids: list[int] = done.ids
            spans = zip(ids, done.offsets, strict=True)
        return ids, frozenset(at for token, span in spans if token in self.ids for at in range(*span))


def _between(text: str, cut: list[tuple[int, int]]) -> list[str]:
    """The texts before, between and behind places."""
    starts, ends = [0, *(end for _, end in cut)], [*(start for start, _ in cut), len(text)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def _unused(text: str, count: int) -> int:
    """The first of so many private-use characters in a row that a text does not have.

    Raises:
        UsageError: it has too many of them.
    """
    for plane in _PRIVATE:
        used = sorted(point for point in set(map(ord, text)) if point in plane)
        for before, after in zip([plane.start - 1, *used], [*used, plane.stop], strict=True):
            if after - before > count:
                return before + 1
    raise UsageError("the text has too many different private-use characters", hint="Leave them out of the text.")
