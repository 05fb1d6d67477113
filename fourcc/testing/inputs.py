"""Checks of inputs: weights in any memory layout are taken, and no input is changed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from fourcc.arrays import Array
from fourcc.encoding import encode
from fourcc.format import Aids
from fourcc.testing.finding import Finding, attempt, defined
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
    w, tag, sees = heavy(subject.plain_shape(9)), subject.format.tag, subject.format.sees
    cols = w.shape[1]
    made = []
    for aids in (_made_up(cols), Aids(np.ones(cols, np.float32), np.eye(cols, dtype=np.float32))):
        call = partial(encode, w, tag, subject.params, subject.options, aids=aids.restricted(sees))
        tried = f"encode {described(w)} with made-up {' and '.join(sorted(sees))}"
        made.append(all_bytes(attempt(call, tried=tried)))
    if made[0] == made[1]:
        yield Finding(
            what="the calibration data that the format asks for make no difference",
            tried=f"encode {described(w)} with two different {' and '.join(sorted(sees))}",
            found=f"the same bytes; `encode`, {defined(subject.format.encode)}",
            advice="Use `blocks.importance` or `blocks.aids`; or leave them out of `needs` and `uses`: every user "
            "would have to gather them for nothing.",
            note=True,
        )


def settings(subject: Subject) -> Iterator[Finding]:
    """Each parameter and each option makes a difference: some other value of it gives other bytes."""
    w = heavy(subject.plain_shape(9))
    plain = all_bytes(subject.encode(w))
    idle: dict[tuple[str, str], bool] = {}
    for other in subject.variants():
        for kind, before, after in (
            ("params", subject.params, other.params),
            ("options", subject.options, other.options),
        ):
            for name in (name for name in after if after[name] != before[name]):
                same = all_bytes(other.encode(w)) == plain
                idle[kind, name] = idle.get((kind, name), True) and same
    for (kind, name), ignored in idle.items():
        if ignored:
            yield Finding(
                what=f"the {'parameter' if kind == 'params' else 'option'} {name!r} makes no difference",
                tried=f"encode {described(w)} with each other value of {name!r}",
                found=f"the same bytes; `encode`, {defined(subject.format.encode)}",
                cause=f"the encoder does not look at `blocks.{kind}[{name!r}]`",
                advice="Use it, or leave it out of the declaration.",
                note=True,
            )


def _made_up(cols: int) -> Aids:
    """Calibration data that favour some columns."""
    importance = (1 + np.arange(cols) % 7).astype(np.float32) ** 3
    x = np.random.default_rng(5).standard_normal((cols + 8, cols)) * np.sqrt(importance)
    return Aids(importance, (2 / len(x) * x.T @ x).astype(np.float32))


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
