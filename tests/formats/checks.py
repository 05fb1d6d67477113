"""Checks of one format against its vectors and against `tests.naive`, shared by the tests of all formats."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fourcc import errors
from fourcc.arrays import Array, Parts
from fourcc.block_encoding import encode_rows
from fourcc.encoding import encode
from fourcc.format import Aids, Original
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.settings import Params, complete
from fourcc.tags import as_tag
from fourcc.testing import Subject
from fourcc.testing.decoding import same_numbers
from fourcc.testing.subject import random_parts as parts_of_any_bytes
from fourcc.testing.vectors import findings
from tests import naive

FOLDER = Path(__file__).resolve().parents[2] / "specs" / "vectors"


def load(stem: str) -> dict[str, Any]:
    """A format's vector file; a missing file is an error."""
    vectors: dict[str, Any] = json.loads((FOLDER / f"{stem}.json").read_text(encoding="ascii"))
    return vectors


def check_vectors(stem: str) -> None:
    """Every case of a format's file: encoding gives exactly these bytes, decoding exactly these weights."""
    subject = Subject.of(registry[as_tag(stem.upper())])
    problems = [str(finding) for finding in findings(subject, load(stem))]
    assert not problems, "\n\n".join(problems)


def check_naive(tag: str, w: Array, options: Params | None = None, params: Params | None = None) -> None:
    """A matrix has the parts and the decoded weights that plain Python, written from the page, computes."""
    parts = encoded(tag, w, options, params)
    chosen = complete(registry[as_tag(tag)].options, options or {})
    slow = naive.ENCODERS[tag](w.reshape(-1).tolist(), *w.shape, chosen | (params or {}))
    for name, data in slow.items():
        assert parts[name].tobytes() == data, f"part {name}"
    check_naive_decode(tag, parts, *w.shape, params)


def check_naive_decode(tag: str, parts: Parts, rows: int, cols: int, params: Params | None = None) -> None:
    """Parts decode to the weights that plain Python computes from their bytes."""
    fmt = registry[as_tag(tag)]
    fast = fmt.decode(parts, Geometry(rows, cols, params or {}))
    slow = naive.DECODERS[tag]({name: part.tobytes() for name, part in parts.items()}, rows, cols, **params or {})
    assert same_numbers(fast, np.array(slow, fmt.decoded).reshape(rows, cols))


def encoded(tag: str, w: Array, options: Params | None = None, params: Params | None = None) -> Parts:
    """A matrix's parts as the core stores them, without its checks: any weights (rows, cols) in, any scale out."""
    fmt = registry[as_tag(tag)]
    chosen, layout = complete(fmt.options, options or {}), complete(fmt.params, params or {})
    tile, geom = np.ascontiguousarray(w, np.float32), Geometry(*w.shape, layout)
    whole = Original(lambda first, last: tile[first:last], geom, chosen, Aids())
    return encode_rows(fmt, tile, None if fmt.prepare is None else fmt.prepare(whole), geom, chosen, Aids())


def random_parts(tag: str, rows: int, cols: int, seed: int, params: Params | None = None) -> Parts:
    """Parts of random bytes, which no encoder would give."""
    return parts_of_any_bytes(registry[as_tag(tag)], Geometry(rows, cols, params or {}), seed)


def check_carried_integers(stem: str) -> None:
    """A format of integers decodes every bit pattern to itself and takes no float weights."""
    tag = stem.upper()
    check_vectors(stem)
    parts = random_parts(tag, 16, 16, seed=1)
    check_naive_decode(tag, parts, 16, 16)
    assert registry[as_tag(tag)].decode(parts, Geometry(16, 16)).tobytes() == parts["values"].tobytes()
    with pytest.raises(errors.UsageError) as caught:
        encode(np.zeros((2, 2), np.float32), tag)
    assert str(caught.value) == f"the format {tag} has no encoder"
