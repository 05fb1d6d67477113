"""Checks of inputs: weights in any memory layout are taken, and no input is changed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from fourcc.encoding import encode
from fourcc.format import Aids, Array
from fourcc.testing.finding import Finding, attempt
from fourcc.testing.independence import all_bytes
from fourcc.testing.subject import Subject
from fourcc.testing.weights import bell, described, heavy


def layouts(w: Array) -> Iterator[tuple[str, Array]]:
    """Weights in each way in which they may lie in memory, with its name."""
    wide = np.zeros((2 * w.shape[0], 2 * w.shape[1]), w.dtype)
    wide[::2, ::2] = w
    frozen = w.copy()
    frozen.flags.writeable = False
    yield "every other row and column of a larger array", wide[::2, ::2]
    yield "reversed in memory", w[::-1, ::-1].copy()[::-1, ::-1]
    yield "in Fortran's order", np.asfortranarray(w)
    yield "read-only", frozen
    yield "at an odd address", np.frombuffer(b"\0" + w.tobytes(), np.uint8)[1:].view(w.dtype).reshape(w.shape)
    yield "byte-swapped", w.astype(w.dtype.newbyteorder(">"))
    yield "float64", w.astype(np.float64)


def memory(subject: Subject) -> Iterator[Finding]:
    """Read-only, strided, unaligned and byte-swapped weights give the same bytes."""
    w = bell(subject.plain_shape())
    expected = all_bytes(subject.encode(w))
    for what, other in layouts(w):
        if all_bytes(subject.encode(other, what)) != expected:
            yield Finding(
                what="bytes depend on how the weights lie in memory",
                tried=f"encode {described(w)}, {what}",
                cause="the encoder looks at memory instead of values",
            )


def calibration(subject: Subject) -> Iterator[Finding]:
    """The calibration data that the encoder asks for make a difference."""
    w = heavy(subject.plain_shape(9))
    plain = all_bytes(subject.encode(w))
    cols, tag = w.shape[1], subject.format.tag
    flat = Aids(np.ones(cols, np.float32), np.eye(cols, dtype=np.float32)).restricted(subject.format.needs)
    with_flat = attempt(
        partial(encode, w, tag, subject.params, subject.options, aids=flat),
        tried=f"encode {described(w)} with an importance of 1 for each column, or the identity for a Hessian",
    )
    if all_bytes(with_flat) == plain:
        yield Finding(
            what="the calibration data that the format asks for make no difference",
            tried=f"encode {described(w)} with two different {' and '.join(sorted(subject.format.needs))}",
            found="the same bytes",
            advice="Leave them out of `needs`: every user of the format would have to gather them for nothing.",
            note=True,
        )


def left_alone(subject: Subject) -> Iterator[Finding]:
    """Neither encoding nor decoding changes its input; stored parts are mapped, and cannot be written to."""
    w = bell(subject.plain_shape())
    before = w.copy()
    matrix = subject.encode(w)
    if not np.array_equal(w, before):
        yield Finding(
            what="encoding changed the weights",
            tried=f"encode {described(w)}",
            advice="Work on a copy: the tile belongs to the caller.",
        )
    kept = all_bytes(matrix)
    for part in matrix.parts.values():
        part.flags.writeable = False
    subject.decode(matrix, f"{described(w)}, from parts that are read-only")
    if all_bytes(matrix) != kept:
        yield Finding(
            what="decoding changed the parts",
            tried=f"decode {described(w)}",
            advice="Work on copies of the parts.",
        )
