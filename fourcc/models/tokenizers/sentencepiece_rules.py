"""The parts of a SentencePiece model that the package does not tell: its kind, and how it normalizes texts.

The numbers of fields are those of SentencePiece's ``sentencepiece_model.proto``.
"""

from __future__ import annotations

import attrs

from fourcc.sources.protobuf import fields

_TRAINER, _NORMALIZER = 2, 3  # of the model
_KIND, _UNIGRAM = 3, 1  # of the trainer's specification, and the kind that counts where none is stated
_NAME, _CHARSMAP, _MERGES_SPACES = 1, 2, 4  # of the normalizer's


@attrs.frozen
class SentencePieceRules:
    """A model's rules.

    Attributes:
        is_unigram: whether it takes the likeliest pieces; otherwise it merges pairs, or takes words or characters.
        name: of the rule by which texts are normalized.
        charsmap: that rule.
        merges_spaces: whether a run of spaces becomes one.
    """

    is_unigram: bool = True
    name: str = ""
    charsmap: bytes = attrs.field(default=b"", repr=False)
    merges_spaces: bool = True


def rules_of(data: bytes) -> SentencePieceRules:
    """The rules in a model's bytes, which the package has read before. Raises ValueError where it is no message."""
    trainer: dict[int, int | memoryview] = {}
    normalizer: dict[int, int | memoryview] = {}
    for number, value in fields(data):
        if number in (_TRAINER, _NORMALIZER) and isinstance(value, memoryview):
            (trainer if number == _TRAINER else normalizer).update(fields(value))
    return SentencePieceRules(
        is_unigram=trainer.get(_KIND, _UNIGRAM) == _UNIGRAM,
        name=_bytes(normalizer.get(_NAME)).decode(errors="replace"),
        charsmap=_bytes(normalizer.get(_CHARSMAP)),
        merges_spaces=normalizer.get(_MERGES_SPACES, 1) != 0,
    )


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, memoryview) else b""
