"""Values and results as JSON, on their way to the process that runs templates and back.

A text of users is a JSON string; a marked one ``{"text": ..., "runs": [[origin, count], ...]}``; a map
``{"map": [[key, value], ...]}``, so that no map of users looks like a marked text. A text with a lone surrogate is
refused: it is not Unicode.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import attrs

from fourcc.errors import UsageError
from fourcc.models.jinja.marked import GIVEN, Marked, from_runs, origin_of, plain, runs_of, texts_in

_DEEPEST = 64  # lists and maps in each other


@attrs.frozen
class Rendered:
    """The result of a template.

    Attributes:
        text: the characters.
        origin: a byte for each: `GIVEN`, `OWN` or `UNKNOWN`.
        refusal: the template's words where it refuses what it is given, by ``raise_exception``; then there is no text.
    """

    text: str
    origin: bytes
    refusal: str | None = None


def packed(value: object, depth: int = 0) -> object:
    """A value in JSON's terms.

    Raises:
        UsageError: it is none that a template takes, or a text in it is not Unicode.
    """
    if depth > _DEEPEST:
        raise UsageError("a value for a chat template is too deep", expected=f"at most {_DEEPEST} lists and maps")
    if isinstance(value, str):
        _refuse_surrogates(value)
        return {"text": plain(value), "runs": runs_of(origin_of(value))} if isinstance(value, Marked) else value
    if isinstance(value, Mapping):
        return {"map": [[packed(key, depth + 1), packed(each, depth + 1)] for key, each in value.items()]}
    if isinstance(value, (list, tuple)):
        return [packed(each, depth + 1) for each in value]
    if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise UsageError(
        "not a value for a chat template",
        found=f"{value!r:.40} ({type(value).__name__})",
        expected="texts, numbers, truth values, None, and lists and maps of them",
    )


def _refuse_surrogates(text: str) -> None:
    from fourcc.models.tokenizers.tokenizer import utf8  # the process that only unpacks is spared the import

    utf8(plain(text))


def unpacked(value: Any) -> Any:  # noqa: ANN401 - JSON's
    """The inverse of `packed`; texts without marks become `GIVEN`."""
    if isinstance(value, str):
        return Marked(value, GIVEN)
    if isinstance(value, list):
        return [unpacked(each) for each in value]
    if isinstance(value, dict):
        if "text" in value:
            return Marked(value["text"], from_runs(value["runs"]))
        return {unpacked(key): unpacked(each) for key, each in value["map"]}
    return value


def without_marks(value: Any) -> Any:  # noqa: ANN401 - what `unpacked` gives
    """A value of plain texts."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {without_marks(key): without_marks(each) for key, each in value.items()}
    return [without_marks(each) for each in value] if isinstance(value, list) else value


def given_in(value: object) -> str:
    """The texts of users in a value, one a line."""
    return "\n".join(text for text in texts_in(value) if text and (type(text) is str or GIVEN in origin_of(text)))
