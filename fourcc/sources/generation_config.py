"""The tokens that begin and end a text, from ``config.json`` and ``generation_config.json`` beside it.

The ends of both files count. The token that begins a text is the latter file's, as in transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fourcc.container.index import Scalar
from fourcc.errors import SourceError
from fourcc.files.beside import contents, file_in
from fourcc.files.json_text import parse_object
from fourcc.sources.source import HyperParams

GENERATION = "generation_config.json"
MAX_GENERATION = 1 << 20
_BOS, _EOS = "bos_token_id", "eos_token_id"


def generation_of(folder: Path) -> tuple[Path | None, dict[str, Any]]:
    """The path and contents of a folder's ``generation_config.json``; (None, {}) where there is none.

    Raises:
        SourceError: it is damaged, or too long.
    """
    path = file_in(folder, GENERATION)
    if path is None:
        return None, {}
    return path, parse_object(contents(path, MAX_GENERATION, "a config"), path)


def special_tokens(config: Mapping[str, Any], path: Path) -> HyperParams:
    """The hyper-parameters of the tokens that begin and end a text; several ends are a list.

    Args:
        config: the contents of ``config.json``.
        path: its path.

    Raises:
        SourceError: a value that is no token and no list of tokens, or a damaged file beside it.
    """
    generation = generation_of(path.parent)[1]
    both = [(config, path), (generation, path.with_name(GENERATION))]
    ends: list[Scalar] = list(dict.fromkeys(token for said, file in both for token in _tokens(said, _EOS, file)))
    begins = [token for said, file in reversed(both) for token in _tokens(said, _BOS, file)]
    hyper: HyperParams = {_BOS: begins[0]} if begins else {}
    if ends:
        hyper[_EOS] = ends[0] if len(ends) == 1 else ends
    return hyper


def _tokens(said: Mapping[str, Any], key: str, file: Path) -> list[int]:
    """The tokens under a key, one or a list; a number below 0 stands for none."""
    value = said.get(key)
    tokens = value if isinstance(value, list) else [] if value is None else [value]
    if any(type(token) is not int or token >= 2**31 for token in tokens):
        found, expected = f"{value!r:.40}", "the number of a token, or a list of them"
        raise SourceError(f"the key {key!r} cannot be read", file=file, found=found, expected=expected)
    return [token for token in tokens if token >= 0]
