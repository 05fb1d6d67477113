"""The facts that a model's numbers on a text depend on, besides its tensors: unfinished work is known by them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fourcc.files.facts import Facts
    from fourcc.models.windows import Window
    from fourcc.sources.source import Source

DIGEST_BYTES = 16


def network_facts(source: Source) -> Facts:
    """The facts of a network whose tensors are known: two folders with the same weights may turn heads otherwise."""
    return {"architecture": source.architecture, "hyper-parameter": dict(source.hyper)}


def windows_digest(windows: Iterable[Window]) -> str:
    """BLAKE2b-128 of the tokens of windows, in hex: another tokenizer cuts the same text into others."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for window in windows:
        digest.update(np.array([len(window.tokens), *window.tokens], "<i8").tobytes())
    return digest.hexdigest()
