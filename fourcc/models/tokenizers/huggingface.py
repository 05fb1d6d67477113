"""A tokenizer.json, read by the package tokenizers.

The file does not say which tokens stand before and behind a text. The first is the one that its post-processor puts
before an empty text; the second is the special token of a usual name. Names of special tokens in a text are text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from fourcc.errors import InputError
from fourcc.models.tokenizers.packages import package, translated
from fourcc.models.tokenizers.tokenizer import checked, text_of, utf8

# Names of the token behind a text; of several in one vocabulary the first is taken.
_ENDS = (
    "</s>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<eos>",
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
    "[SEP]",
)


@attrs.define
class HuggingFaceStream:
    """The package's own decoder of tokens that come one by one."""

    tokenizer: HuggingFaceTokenizer
    _steps: Any = attrs.field(init=False, repr=False)
    _ids: list[int] = attrs.field(factory=list, init=False)
    _given: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        decoders = package("tokenizers.decoders", self.tokenizer.file)
        self._steps = decoders.DecodeStream(skip_special_tokens=True)

    def push(self, token: int) -> str:
        """See `TextStream`."""
        self._ids.append(checked(token, self.tokenizer.vocab_size))
        with translated("the tokenizer cannot decode a token", self.tokenizer.file):
            text: str = self._steps.step(self.tokenizer.package, token) or ""
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
        bos: the token before a text, where the file puts one there.
        eos: the token behind a text, where one has a usual name.
        file: for messages.
        special_ids: special tokens by name.
    """

    package: Any
    vocab_size: int
    bos: int | None
    eos: int | None
    file: object
    special_ids: dict[str, int] = attrs.field(factory=dict, repr=False)

    def special(self, name: str) -> int | None:
        """A special token; see `Tokenizer`."""
        return self.special_ids.get(name)

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """The tokens of a text; see `Tokenizer`."""
        utf8(text)
        with translated("the tokenizer cannot encode a text", self.file):
            ids: list[int] = self.package.encode(text, add_special_tokens=False).ids
        return [self.bos, *ids] if bos and self.bos is not None else ids

    def stream(self) -> HuggingFaceStream:
        """A decoder for one run of tokens; see `Tokenizer`."""
        return HuggingFaceStream(self)

    def text(self, ids: Iterable[int]) -> str:
        """The text of a run of tokens."""
        return text_of(self.stream(), ids)


def read_json(data: bytes, file: object) -> HuggingFaceTokenizer:
    """The tokenizer in the bytes of a tokenizer.json.

    Raises:
        InputError: the package does not take it.
        UsageError: the package is not installed.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError("the JSON is not UTF-8", file=file, offset=error.start) from None
    module = package("tokenizers", file)
    with translated("not a tokenizer.json", file):
        tokenizer = module.Tokenizer.from_str(text)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        before = tokenizer.encode("").ids
        special = {str(added): token for token, added in tokenizer.get_added_tokens_decoder().items() if added.special}
        eos = next((special[name] for name in _ENDS if name in special), None)
        bos = before[0] if before and before[0] in special.values() and before[0] != eos else None
        tokenizer.encode_special_tokens = True
        count = max(tokenizer.get_vocab().values(), default=-1) + 1
        return HuggingFaceTokenizer(tokenizer, count, bos, eos, file, special)
