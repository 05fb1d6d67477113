"""Checks of decoded weights: within the bound at every magnitude; NaN and infinity are refused by name, or kept."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice

import attrs
import numpy as np

from fourcc.arrays import Array, Floats
from fourcc.errors import NumericError, PluginError
from fourcc.geometry import Geometry
from fourcc.settings import complete
from fourcc.testing.finding import Finding, attempt
from fourcc.testing.subject import Subject
from fourcc.testing.weights import bell, described, heavy, integers, largest

EXPONENTS = (0, -5, -20, 8)
MOST_SHAPES = 6  # shapes that are tried at every magnitude
SMALL = (-149, -140, -128, -30, -24, -17)
WORSE_THAN_ZEROS = 1.0  # relative RMSE
USELESS = 1.0  # bound divided by the root mean square of the weights


def within_bound(subject: Subject) -> Iterator[Finding]:
    """Each decoded weight is within the declared bound of its original: normal weights and outliers, every shape."""
    for each in subject.variants():
        for index, shape in enumerate(each.shapes()):
            exponents = EXPONENTS if each is subject and index < MOST_SHAPES else EXPONENTS[:1]
            yield from islice(_drawn(each, shape, exponents), 1)


def _drawn(subject: Subject, shape: tuple[int, ...], exponents: tuple[int, ...]) -> Iterator[Finding]:
    """Findings for normal weights and outliers of a shape, times powers of two."""
    for exponent in exponents:
        times = f" times 2^{exponent}" if exponent else ""
        yield from check_bound(subject, bell(shape, exponent), f"normal weights{times}")
        yield from check_bound(subject, heavy(shape, exponent), f"weights with outliers{times}")


def small_weights(subject: Subject) -> Iterator[Finding]:
    """Small integers times small powers of two, denormals among them, come back within the bound."""
    for shape in subject.matrices()[:6]:
        for exponent in SMALL:
            yield from check_bound(subject, integers(shape, exponent), f"integers up to 50 times 2^{exponent}")


def large_weights(subject: Subject) -> Iterator[Finding]:
    """The largest float32 values come back within the bound, or are refused as too large."""
    shape = (2, subject.plain_shape()[1])
    for mixed in (False, True):
        w, what = largest(shape, mixed=mixed), f"the largest float32{', of both signs' * mixed}"
        try:
            subject.encoded(w)
        except NumericError as error:
            expected = f"too large for {subject.tag}; give the tensor another format"
            if expected not in str(error):
                tried = f"encode {described(w, what)}"
                yield Finding(what="the refusal does not say why", tried=tried, found=str(error), expected=expected)
        except PluginError:
            subject.encode(w, what)
        else:
            yield from check_bound(subject, w, what)


def zeros(subject: Subject) -> Iterator[Finding]:
    """Weights that are all 0, or all -0, come back as zeros."""
    for shape in subject.shapes():
        for zero in (0.0, -0.0):
            w = np.full(shape, zero, np.float32)
            decoded = subject.roundtrip(w, f"all {zero}")
            if decoded.shape != shape or (decoded != 0).any():
                yield Finding(
                    what="a matrix of zeros does not come back as zeros",
                    tried=f"encode{subject.settled()} and decode {described(w, f'all {zero}')}",
                    found=f"{decoded.shape}, up to {np.abs(decoded).max(initial=0):.6g}",
                    expected=f"{shape}, all 0",
                    cause="a scale of 0 is divided by, or replaced and not taken back",
                    advice="Give blocks of zeros codes that decode to 0.",
                )


def idempotence(subject: Subject) -> Iterator[Finding]:
    """Decoded weights are encoded again without loss, or at least stay within their bound."""
    for draw, exponent in ((bell, 0), (heavy, 0), (bell, -20), (heavy, -140)):
        w = draw(subject.plain_shape(), exponent)
        once = subject.roundtrip(w)
        if once.dtype != np.float32:
            once = once.astype(np.float32)
        again = subject.roundtrip(once, "weights that were decoded before")
        if np.array_equal(once, again):
            continue
        drift = np.abs(again.astype(np.float64) - once).max()
        tried = f"encode and decode {described(w)} twice"
        found = f"the second time moves {np.count_nonzero(once != again)} of {once.size} weights, by up to {drift:.3g}"
        if list(check_bound(subject, once, "weights that were decoded before")):
            cause = "the weights drift further with every generation"
            yield Finding(what="encoding again loses again, beyond the bound", tried=tried, found=found, cause=cause)
        else:
            advice = "Say on the page that blocks are not stable under encoding again, or pick codes that are."
            yield Finding(what="encoding again changes weights", tried=tried, found=found, advice=advice, note=True)
        return


def nonfinite_refused(subject: Subject) -> Iterator[Finding]:
    """NaN and infinity are refused by tensor, index and count, unless the policy lets them through."""
    cols = subject.plain_shape()[1]
    w = bell((4, cols))
    for value in (np.nan, np.inf, -np.inf):
        w[2, cols // 2] = w[3, 0] = value
        try:
            subject.encoded(w)
        except NumericError as error:
            expected = f"2 of {w.size} weights are not finite, the first at flat index {2 * cols + cols // 2}"
            if expected not in str(error):
                yield Finding(what="the refusal names another place", found=str(error), expected=expected)
        else:
            yield Finding(what=f"{value} is encoded", tried=f"encode {described(w)} with two {value}")


def nonfinite_kept(subject: Subject) -> Iterator[Finding]:
    """A format that declares `nonfinite` gives NaN and infinity back as they were."""
    shape = subject.plain_shape(4)
    w = bell(shape)
    w[1, 0], w[2, shape[1] - 1], w[3, shape[1] // 2] = np.nan, np.inf, -np.inf
    kept = attrs.evolve(subject.encoder(shape), nonfinite=True)
    tried = f"encode and decode {described(w, 'NaN, infinity and -infinity among them')}"
    parts, _ = attempt(lambda: kept.tile(w, kept.prepare(lambda a, b: w[a:b]), 0), tried=tried)
    back = attempt(lambda: subject.format.decode(parts, Geometry(*shape, subject.params)), tried=tried)
    special = ~np.isfinite(w)
    same = (np.isnan(w) == np.isnan(back)) & (np.isinf(w) == np.isinf(back))
    if not (same & (~np.isinf(w) | (np.sign(w) == np.sign(back)))).all():
        yield Finding(
            what="NaN or infinity is not given back",
            tried=tried,
            found=f"{w[special].tolist()} come back as {back[special].tolist()}",
            cause="the encoder swallows them, and the spec says `nonfinite=True`",
            advice="Store them, or declare nonfinite=False: the core then refuses them by name.",
        )


def check_bound(subject: Subject, w: Floats, what: str) -> Iterator[Finding]:
    """Findings for weights that come back too far from their originals; at most one for each matrix."""
    decoded = subject.roundtrip(w, what)
    tried = f"encode{subject.settled()} and decode {described(w, what)}"
    if decoded.shape != w.shape:
        found, expected = str(decoded.shape), str(w.shape)
        yield Finding(what="decoding gives another shape", tried=tried, found=found, expected=expected)
        return
    flat = (-1, *w.shape[-2:]) if w.ndim > 2 else (1, *np.atleast_2d(w).shape)
    for original, back in zip(w.reshape(flat), decoded.reshape(flat), strict=True):  # blocks never cross experts
        yield from _check_matrix(subject, original.astype(np.float64), back.astype(np.float64), tried)


def _check_matrix(subject: Subject, w: Array, decoded: Array, tried: str) -> Iterator[Finding]:
    """Findings for one matrix; both arrays are float64 (rows, cols)."""
    error = np.abs(decoded - w)
    defaults = complete(subject.format.options, {})
    if subject.format.bound is None or dict(subject.options) != defaults:  # nothing is promised of other options
        yield from _better_than_zeros(w, error, tried)
        return
    geom = Geometry(w.shape[0], w.shape[1], subject.params)
    given = attempt(
        partial(subject.format.bound, w, geom),
        tried=f"the declared bound of float64 {w.shape}",
        advice="`bound` takes (weights, geom) and gives float64 (rows, cols).",
    )
    bound = np.asarray(given, np.float64)
    if bound.shape != w.shape or not (bound >= 0).all():
        found = f"{bound.shape}, {bound.dtype}, NaN or negative: {np.count_nonzero(~(bound >= 0))}"
        yield Finding(what="the bound is not valid", tried=tried, found=found, expected=f"{w.shape}, 0 or more each")
        return
    wrong = ~(error <= bound)
    if wrong.any():
        yield _beyond(subject, w, decoded, wrong, bound, tried)


def _beyond(subject: Subject, w: Array, decoded: Array, wrong: Array, bound: Array, tried: str) -> Finding:
    """The finding for weights beyond their bound: the worst one, and where they lie."""
    excess, (row, col) = _worst(np.abs(decoded - w), bound)
    return Finding(
        what="decoded weights are further from their originals than the bound allows",
        tried=tried,
        found=f"{np.count_nonzero(wrong)} of {w.size}; the worst is row {row}, column {col}: {w[row, col]:.8g} came "
        f"back as {decoded[row, col]:.8g}, off by {abs(decoded[row, col] - w[row, col]):.4g}, {excess:.4g} beyond",
        expected=f"off by at most {bound[row, col]:.4g}",
        cause=_where(subject, wrong),
        advice="Compare that block's parts with the page's worked example; if encoder and decoder are right, the bound "
        "on the page is too narrow.",
    )


def _where(subject: Subject, wrong: Array) -> str:
    """A property that the places of all wrong weights share, as a likely cause."""
    spec = subject.format
    rows, cols = wrong.shape
    wide, tall = spec.width(subject.params) or cols, spec.block[0] or rows
    at_rows, at_cols = np.flatnonzero(wrong.any(axis=1)), np.flatnonzero(wrong.any(axis=0))
    last_col, last_row = (cols - 1) // wide * wide, (rows - 1) // tall * tall
    if cols > wide and at_cols[0] >= last_col:
        short = f", which is short: {cols - last_col} of {wide} columns" if cols % wide else ""
        if short and any(part.reach in {"row", "ragged", "free"} for part in spec.parts):
            short += "; zeros fill it up (a part belongs to rows, or has a tail or any length), and a mean counts them"
        return f"all of them are in the last block of their rows{short}"
    if rows > tall and at_rows[0] >= last_row:
        return f"all of them are in the last block of rows, from row {last_row} on"
    if len(at_cols) == 1 and cols > 1:
        return f"all of them are in column {at_cols[0]}"
    if len(np.unique(at_cols % wide)) == 1 and min(wide, cols) > 1:
        return f"all of them are in column {at_cols[0] % wide} of their blocks"
    return "they are spread over the matrix: the formula itself, a rounding of the scale, or the declared bound"


def _better_than_zeros(w: Array, error: Array, tried: str) -> Iterator[Finding]:
    """The finding for a format without a bound whose weights are worse than zeros."""
    signal, noise = float(np.square(w).sum()), float(np.square(error).sum())
    if signal and not noise <= WORSE_THAN_ZEROS * signal and np.abs(w).max() > 2.0**-100:
        yield Finding(
            what="decoded weights are worse than zeros would be",
            tried=tried,
            found=f"relative RMSE {np.sqrt(noise / signal):.4g}",
            expected="less than 1",
        )


def _worst(error: Array, bound: Array) -> tuple[float, tuple[int, ...]]:
    """The largest excess of an error over its bound, and its place; NaN counts as infinite."""
    with np.errstate(invalid="ignore"):
        excess = np.where(np.isfinite(error), error, np.inf) - bound
    at = np.unravel_index(int(np.argmax(excess)), excess.shape)
    return float(excess[at]), tuple(int(each) for each in at)


def wide_bound(subject: Subject) -> Iterator[Finding]:
    """The declared bound is useful: for normal weights it is smaller than the weights themselves."""
    shape = subject.plain_shape(max(5, subject.format.block[0] or 5))
    w = bell(shape).astype(np.float64)
    if subject.format.bound is None:
        return
    bound = np.asarray(subject.format.bound(w, Geometry(*shape, subject.params)))
    typical = float(np.median(bound) / np.sqrt(np.square(w).mean()))
    if typical > USELESS:
        yield Finding(
            what="the declared bound is wider than the weights themselves",
            tried=f"the bound of normal weights, {shape}",
            found=f"half of the weights may be off by {typical:.3g} times their root mean square, or more",
            advice="A worst case may be that wide; if the format is better, derive a narrower one, since this one "
            "would let a broken decoder pass.",
            note=True,
        )
