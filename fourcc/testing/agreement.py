"""Checks that the functions of a format agree: its two decoders, the two ways of its turn, its extra weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.format import Format, Turn
from fourcc.geometry import Geometry
from fourcc.testing.causes import parts_of
from fourcc.testing.decoding import decoded
from fourcc.testing.finding import Finding, FoundError, attempt, defined, shown_kind
from fourcc.testing.subject import Subject
from fourcc.testing.weights import bell, described

U = 2.0**-24  # unit roundoff of float32
ROUNDINGS = 64  # of one weight, with those of a zero point that is added and subtracted
Map = Callable[[Array], Array]


def two_decoders(subject: Subject) -> Iterator[Finding]:
    """`decode` and `decode_block`, where both are given, give the same weights."""
    fmt = subject.format
    by_blocks = attrs.evolve(fmt, decode=None)  # type: ignore[arg-type]  # then it is made from the blocks
    for each in subject.variants():
        for shape in each.matrices():
            w, geom = bell(shape), Geometry(*shape, each.params)
            parts, tried = parts_of(each, w), f"decode{each.settled()} {described(w)}, encoded, both ways"
            right = attempt(partial(decoded, fmt, parts, geom), tried=tried)
            try:
                other = attempt(partial(decoded, by_blocks, parts, geom), tried=f"{tried}, with `decode_block`")
            except FoundError as error:
                advice = "The block decoder is used for nothing, then: see the check `kernel`."
                yield attrs.evolve(error.finding, what="`decode_block` cannot decode blocks", advice=advice, note=True)
                return
            near = ROUNDINGS * U * np.abs(right).max(axis=1, keepdims=True, initial=0) + 2.0**-140
            wrong = ~(np.abs(other - right.astype(np.float64)) <= near)
            if wrong.any():
                yield _disagree(each, wrong, right, other, tried)
                return


def _disagree(subject: Subject, wrong: Array, right: Array, other: Array, tried: str) -> Finding:
    row, col = np.argwhere(wrong)[0]
    inside = np.unique(np.flatnonzero(wrong.any(axis=0)) % subject.width)
    where = (
        f"column {inside[0]} of each block" if len(inside) == 1 else f"column {col % subject.width} of a block first"
    )
    return Finding(
        what="`decode` and `decode_block` give different weights",
        tried=tried,
        found=f"{where}; row {row}, column {col}: `decode_block` gives {other[row, col]:.8g}",
        expected=f"{right[row, col]:.8g}, as `decode`; `decode_block`, {defined(subject.format.decode_block)}",
        cause="two formulas for one layout",
        advice="`decode` is normative. Leave it out if `decode_block` is right: the core makes it from that.",
    )


def extra(subject: Subject) -> Iterator[Finding]:
    """`extra` gives places inside the matrix, and a finite float32 for each."""
    fmt = subject.format
    assert fmt.extra is not None
    for shape in subject.matrices():
        parts, geom = parts_of(subject, bell(shape)), Geometry(*shape, subject.params)
        tried = f"extra weights of {shape[0]} x {shape[1]} weights"
        more = attempt(partial(fmt.extra, parts, geom), tried=tried)
        found = list(_sparse(more, shape))
        yield from (attrs.evolve(each, tried=f"{tried}; `extra`, {defined(fmt.extra)}") for each in found)
        if found:
            return


def _sparse(more: object, shape: tuple[int, int]) -> Iterator[Finding]:
    rows, cols, values = (np.asarray(getattr(more, name, None)) for name in ("rows", "cols", "values"))
    if rows.ndim != 1 or not rows.shape == cols.shape == values.shape or rows.dtype.kind + cols.dtype.kind not in KINDS:
        found = f"rows {shown_kind(rows)}, cols {shown_kind(cols)}, values {shown_kind(values)}"
        yield Finding(
            what="`extra` gives no places", found=found, expected="integers (k,), integers (k,), float32 (k,)"
        )
        return
    for name, at, size in (("rows", rows, shape[0]), ("cols", cols, shape[1])):
        if at.size and (int(at.min()) < 0 or int(at.max()) >= size):
            yield Finding(
                what="`extra` gives a place outside the matrix",
                found=f"{name} {int(at.min())} .. {int(at.max())}",
                expected=f"0 .. {size - 1}",
                cause="flat indices, or places of another tile: those of a run of rows count from its first row",
            )
    if values.dtype != np.float32 or not np.isfinite(values).all():
        yield Finding(what="`extra` gives other values", found=shown_kind(values), expected="finite float32")


KINDS = {"ii", "iu", "ui", "uu"}


def turned(subject: Subject) -> Iterator[Finding]:
    """`turn` is linear, and its two ways agree: back(v) @ x == v @ forward(x), for stored and for random parts."""
    fmt, shape = subject.format, subject.plain_shape()
    assert fmt.turn is not None
    geom = Geometry(*shape, subject.params)
    stored = parts_of(subject, bell(shape))
    for what, parts in (("stored", stored), ("random", _random_floats(fmt, stored))):
        found = list(_turned(fmt.turn, parts, geom, what))
        yield from found
        if found:
            return


def _random_floats(fmt: Format, stored: Parts) -> Parts:
    """The parts, those that the turn reads replaced by random numbers where they are floats."""
    assert fmt.turn is not None
    random = np.random.default_rng(11)
    return {
        name: random.uniform(0.5, 2, part.shape).astype(part.dtype)
        if name in fmt.turn.parts and part.dtype.kind == "f"
        else part
        for name, part in stored.items()
    }


def _turned(turn: Turn, parts: Parts, geom: Geometry, what: str) -> Iterator[Finding]:
    tried = f"turn activations and weights of {geom.cols} columns, {what} parts"
    ways: dict[str, Map] = {
        name: lambda values, way=way: way(_frozen(values), parts, geom)  # type: ignore[misc]  # mypy infers no default
        for name, way in (("forward", turn.forward), ("back", turn.back))
    }
    x, v = bell((3, geom.cols), seed=7), bell((4, geom.cols), seed=8)
    gone, come = (
        attempt(partial(way, each), tried=f"{tried}: `{name}`")
        for (name, way), each in zip(ways.items(), (x, v), strict=True)
    )
    for name, given, got in (("forward", x, gone), ("back", v, come)):
        if (getattr(got, "shape", None), getattr(got, "dtype", None)) != (given.shape, given.dtype):
            expected = f"{given.shape} float32"
            yield Finding(
                what=f"`{name}` gives another shape or dtype", tried=tried, found=shown_kind(got), expected=expected
            )
            return
        if not _is_linear(ways[name], given, got):
            advice = "Products turn sums of activations: a turn may scale, rotate and permute, not add or round."
            yield Finding(
                what=f"`{name}` is not linear",
                tried=f"{tried}: a sum, and its terms",
                advice=advice,
                found=_at(turn, name),
            )
            return
    yield from _transposed(turn, (x, gone), (v, come), tried)


def _transposed(turn: Turn, forth: tuple[Array, Array], back: tuple[Array, Array], tried: str) -> Iterator[Finding]:
    """The finding where back(v) @ x is not v @ forward(x); each way is what was given, and what came of it."""
    (x, gone), (v, come) = forth, back
    right, other = come.astype(np.float64) @ x.T, v.astype(np.float64) @ gone.T
    near = _near(come, x) + _near(v, gone)
    wrong = ~(np.abs(right - other) <= near)
    if wrong.any():
        row, which = np.argwhere(wrong)[0]
        yield Finding(
            what="the two ways of the turn disagree",
            tried=tried,
            found=f"v @ forward(x) is {other[row, which]:.6g}; {_at(turn, 'forward')}",
            expected=f"back(v) @ x, {right[row, which]:.6g}; {_at(turn, 'back')}",
            cause="`forward` is not the transpose of `back`: an order or a scale that is applied, where it should be "
            "taken back",
            advice="For a matrix T, back(v) = v @ T and forward(x) = x @ T.T; a permutation's is its inverse.",
        )


def _near(left: Array, right: Array) -> Array:
    """The error that rounding may leave in left @ right.T."""
    near: Array = 8 * (left.shape[1] + 32) * U * (np.linalg.norm(left, axis=1)[:, None] * np.linalg.norm(right, axis=1))
    return near


def _is_linear(way: Map, given: Array, got: Array) -> bool:
    """Whether the map of a weighted sum is the weighted sum of the maps, up to rounding."""
    factors = np.array([[2, 1, *[0] * (len(given) - 2)]], np.float32)
    together, apart = way(factors @ given), factors @ got
    return bool(np.abs(together - apart).max() <= 1e-4 * np.abs(got).max() + 1e-30)


def _at(turn: Turn, name: str) -> str:
    return f"`{name}`, {defined(getattr(turn, name))}"


def _frozen(values: Array) -> Array:
    view = values.view()
    view.flags.writeable = False
    return view
