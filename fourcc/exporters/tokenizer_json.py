"""A tokenizer.json as far as a GGUF vocabulary can say the same: read from the JSON alone, without a package.

The format is that of Hugging Face's tokenizers: a model (BPE, Unigram, WordPiece, WordLevel), a normalizer, a
pre-tokenizer and a post-processor, each an object with a ``type``, and tokens that were added to the model's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import attrs

from fourcc.errors import InputError, SourceError
from fourcc.files.json_text import parse_object
from fourcc.models.tokenizers.tokenizer import MAX_TOKENS
from fourcc.models.tokenizers.vocabulary import TokenKind, pad_name

_CHILDREN = ("normalizers", "pretokenizers", "processors")  # of a Sequence


@attrs.frozen
class AddedToken:
    """A token that was added to the model's.

    Attributes:
        token: its number.
        text: its text.
        special: whether it comes from no text.
        strips: whether it takes spaces beside it along, or stands only between words: GGUF cannot say so.
    """

    token: int
    text: str
    special: bool
    strips: bool


@attrs.frozen(eq=False)
class TokenizerJson:
    """A tokenizer.json.

    Attributes:
        tree: the JSON.
        file: the file that messages name.
        texts: texts of the model's tokens by their numbers.
        added: the tokens that were added, by their numbers.
        scores: scores by number, of Unigram's tokens.
    """

    tree: Mapping[str, Any]
    file: object
    texts: Mapping[int, str]
    added: Mapping[int, AddedToken]
    scores: Mapping[int, float]

    @property
    def model(self) -> Mapping[str, Any]:
        """The model."""
        return object_of(self.tree.get("model"))

    @property
    def count(self) -> int:
        """The number of tokens: the highest token plus 1."""
        return max([*self.texts, *self.added], default=-1) + 1

    def parts(self, key: str) -> list[Mapping[str, Any]]:
        """The objects of a key such as ``normalizer``, those of a sequence one by one."""
        return list(_flat(self.tree.get(key)))

    def types(self, key: str) -> list[str]:
        """Their types."""
        return [str(part.get("type")) for part in self.parts(key)]

    def text(self, token: int) -> str | None:
        """A token's text, None where no token has the number."""
        return self.added[token].text if token in self.added else self.texts.get(token)

    def token(self, text: object) -> int | None:
        """The token of a text, None where there is none."""
        added = next((each.token for each in self.added.values() if each.text == text), None)
        return added if added is not None else next((token for token, one in self.texts.items() if one == text), None)

    def table(self) -> tuple[list[str], list[TokenKind]]:
        """Texts and kinds of all tokens; a number without a token is called ``[PAD7]``."""
        texts, kinds = [], []
        for token in range(self.count):
            text = self.text(token)
            texts.append(pad_name(token) if text is None else text)
            kinds.append(self._kind(token))
        return texts, kinds

    def _kind(self, token: int) -> TokenKind:
        if token in self.added:
            return TokenKind.CONTROL if self.added[token].special else TokenKind.USER_DEFINED
        return TokenKind.NORMAL if token in self.texts else TokenKind.UNUSED


@lru_cache(maxsize=1)
def read_tokenizer_json(data: bytes, file: object) -> TokenizerJson:
    """The contents of a tokenizer.json.

    Raises:
        InputError: it is no JSON, or a token's number or text is no such thing.
    """
    tree = parse_object(data, file)
    vocab = object_of(tree.get("model")).get("vocab")
    pairs = list(_model_tokens(vocab, file))
    added = {each.token: each for each in _added(tree.get("added_tokens"), file)}
    scores = {token: float(score) for token, _, score in pairs if score is not None}
    return TokenizerJson(tree, file, {token: text for token, text, _ in pairs}, added, scores)


def object_of(value: object) -> Mapping[str, Any]:
    """A JSON object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def special_names(configuration: bytes | None, special_map: bytes | None) -> dict[str, str]:
    """Use -> name of the special token: ``bos`` -> ``<s>``, from the files beside a tokenizer; the first counts."""
    names: dict[str, str] = {}
    for data in (configuration, special_map):
        try:
            tree = parse_object(data, "") if data else {}
        except SourceError:  # whoever reads the file for itself says so
            continue
        for key, value in tree.items():
            text = value.get("content") if isinstance(value, dict) else value
            if key.endswith("_token") and isinstance(text, str):
                names.setdefault(key.removesuffix("_token"), text)
    return names


def around(described: TokenizerJson) -> tuple[list[str], list[str]]:
    """Names of the tokens that the post-processor puts before and behind a text."""
    before: list[str] = []
    behind: list[str] = []
    for part in described.parts("post_processor"):
        if part.get("type") == "TemplateProcessing":
            names = [_template_name(each) for each in part.get("single") or ()]
            text = names.index(None) if None in names else len(names)
            before += [name for name in names[:text] if name]
            behind += [name for name in names[text:] if name]
        elif part.get("type") in ("BertProcessing", "RobertaProcessing"):
            before += [str(each) for each in (part.get("cls") or ())[:1]]
            behind += [str(each) for each in (part.get("sep") or ())[:1]]
    return before, behind


def _template_name(piece: object) -> str | None:
    """The name of a special token in a template; None for the text's own place."""
    return object_of(object_of(piece).get("SpecialToken")).get("id")


def _flat(value: object) -> Iterator[Mapping[str, Any]]:
    part = object_of(value)
    if part.get("type") != "Sequence":
        yield from [part] if part else []
        return
    for child in next((part[name] for name in _CHILDREN if isinstance(part.get(name), list)), ()):
        yield from _flat(child)


def _model_tokens(vocab: object, file: object) -> Iterator[tuple[int, str, float | None]]:
    """Numbers, texts and scores of the model's tokens."""
    if isinstance(vocab, dict):
        yield from ((_number(token, file), text, None) for text, token in vocab.items())
    for token, pair in enumerate(vocab if isinstance(vocab, list) else ()):
        if (
            not isinstance(pair, list)
            or len(pair) != 2
            or type(pair[0]) is not str
            or type(pair[1]) not in (int, float)
        ):
            raise InputError(f"token {token} is no pair of text and score", file=file, found=f"{pair!r:.40}")
        yield token, pair[0], pair[1]


def _added(tokens: object, file: object) -> Iterator[AddedToken]:
    for each in tokens if isinstance(tokens, list) else ():
        fields = object_of(each)
        text = fields.get("content")
        if type(text) is not str:
            raise InputError("an added token has no text", file=file, found=f"{each!r:.60}", expected="'content'")
        strips = any(fields.get(key) is True for key in ("lstrip", "rstrip", "single_word"))
        yield AddedToken(_number(fields.get("id"), file), text, fields.get("special") is True, strips)


def _number(token: object, file: object) -> int:
    if type(token) is not int or not 0 <= token < MAX_TOKENS:
        raise InputError(
            "a token has no valid number", file=file, found=f"{token!r:.40}", expected=f"0 to {MAX_TOKENS - 1}"
        )
    return token
