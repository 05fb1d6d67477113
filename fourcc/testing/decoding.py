"""Checks of decoding parts that no encoder made: it gives weights or an error, and reads nothing but the parts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial

import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.block_layout import codes_of
from fourcc.format import Format
from fourcc.geometry import Geometry
from fourcc.packing import pack
from fourcc.qmatrix import QMatrix
from fourcc.testing.causes import parts_of
from fourcc.testing.finding import Finding, FoundError, attempt, defined, shown_kind
from fourcc.testing.memory import PLACES, Guarded, guards_work
from fourcc.testing.subject import Subject, random_parts
from fourcc.testing.weights import bell, described

SEEDS = 12


def decodes(subject: Subject) -> Iterator[Finding]:
    """Encoded parts decode to a finite weight for each place, in the declared dtype; twice the same."""
    for each in subject.variants():
        for shape in each.matrices():
            w = bell(shape)
            parts = {name: _frozen(part) for name, part in parts_of(each, w).items()}
            tried = f"decode{each.settled()} {described(w)}, encoded"
            found = list(_decodes(each, parts, shape, tried))
            yield from found
            if found:
                return
        for other in set(each.shapes()) - set(each.matrices()):
            each.roundtrip(bell(other), "normal weights")


def _decodes(subject: Subject, parts: Parts, shape: tuple[int, int], tried: str) -> Iterator[Finding]:
    geom = Geometry(*shape, subject.params)
    first, second = (attempt(partial(decoded, subject.format, parts, geom), tried=tried) for _ in range(2))
    wrong = list(_of_declared_kind(subject, first, shape, tried))
    yield from wrong
    if wrong:
        return
    if not np.isfinite(first).all():
        row, col = np.argwhere(~np.isfinite(first))[0]
        yield Finding(
            what=f"decoding gives {first[row, col]} for finite parts of the format's own encoder",
            tried=tried,
            found=f"row {row}, column {col}: {_entries_at(subject, parts, row, col)}{_decoder(subject.format)}",
            expected="finite weights",
            cause="a division by 0, an infinite intermediate, or a root of a negative number",
            advice="Decode that block by hand.",
        )
    elif not same_numbers(first, second):
        yield Finding(
            what="the same parts give other weights the second time",
            tried=tried,
            cause="a random generator, or state that outlives a call",
            advice="Weights follow from the parts alone.",
        )


def _decoder(fmt: Format) -> str:
    """The place of a format's decoder, for a finding."""
    name, function = ("decode_block", fmt.decode_block) if fmt.derived else ("decode", fmt.decode)
    place = defined(function)
    return f"; `{name}`, {place}" if place else ""


def _entries_at(subject: Subject, parts: Parts, row: int, col: int) -> str:
    """The entries of the parts that a weight is made of, as far as they belong to its block or to itself."""
    fmt, texts = subject.format, []
    tall, wide = fmt.block[0], fmt.width(subject.params)
    down, across = row // tall if tall else None, col // wide if wide else None
    for part in fmt.parts:
        at: tuple[int, ...] = tuple(each for each in (down, across) if each is not None)
        if part.reach == "block" and not part.fields:
            texts.append(f"{part.name} = {parts[part.name][at]}")
        elif part.reach == "weight":
            codes = codes_of(part, parts[part.name], Geometry(parts[part.name].shape[0], col + 1, subject.params))
            texts.append(f"{part.name} = {codes[row, col]}")
    return ", ".join(texts) or "its parts"


def _frozen(part: Array) -> Array:
    """A view that may not be written to, as parts in a mapped file are."""
    view = part.view()
    view.flags.writeable = False
    return view


def shape_and_dtype(subject: Subject) -> Iterator[Finding]:
    """For any bytes, `decode` gives the declared dtype and a weight for each place; twice the same."""
    for each in subject.variants():
        for shape in each.matrices():
            geom, parts = Geometry(*shape, each.params), each.random_parts(shape, seed=1)
            before = {name: part.tobytes() for name, part in parts.items()}
            tried = f"decode{each.settled()} random bytes as {shape[0]} x {shape[1]} weights"
            try:
                first, second = (decoded(each.format, parts, geom) for _ in range(2))
            except Exception:  # noqa: BLE001, S112 - to raise is an answer, too
                continue
            yield from _of_declared_kind(each, first, shape, tried)
            if not same_numbers(first, second):
                yield Finding(what="the same parts give other weights the second time", tried=tried)
            if {name: part.tobytes() for name, part in parts.items()} != before:
                yield Finding(what="decoding changed the parts", tried=tried)


def _of_declared_kind(subject: Subject, weights: object, shape: tuple[int, int], tried: str) -> Iterator[Finding]:
    wanted = np.dtype(subject.format.decoded)
    if (getattr(weights, "shape", None), getattr(weights, "dtype", None)) != (shape, wanted):
        yield Finding(
            what="decode gives another shape or dtype than declared",
            tried=tried,
            found=shown_kind(weights),
            expected=f"{shape} {wanted}",
            cause=subject.trouble(shape) or "numpy gave float64 where a Python float was used, or padding was kept",
            advice="Cut to `geom.cols`, and give `.astype(np.float32)`.",
        )


def quiet(subject: Subject) -> Iterator[Finding]:
    """Decoding gives no warnings: the contents of a damaged file do not belong on the terminal."""
    shape = subject.plain_shape()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for seed in range(SEEDS):
            parts = subject.random_parts(shape, seed)
            try:
                subject.format.decode(parts, Geometry(*shape, subject.params))
            except Exception:  # noqa: BLE001, S112 - to raise is an answer, too
                continue
    if caught:
        yield Finding(
            what="decoding warns",
            tried=f"decode random bytes as {shape[0]} x {shape[1]} weights",
            found=f"{caught[0].category.__name__}: {caught[0].message}",
            advice="Put `@np.errstate(over='ignore', invalid='ignore')` on `decode`: a file may hold any scale.",
            note=True,
        )


def codes(subject: Subject) -> Iterator[Finding]:
    """`codes` gives an integer for each place."""
    codes_of = subject.format.codes
    if codes_of is None:
        return
    for shape in subject.matrices()[:6]:
        parts = subject.encode(bell(shape)).parts
        geom = Geometry(*shape, subject.params)
        tried = f"codes of {shape[0]} x {shape[1]} weights"
        codes = attempt(partial(codes_of, parts, geom), tried=tried)
        kind = getattr(codes, "dtype", np.dtype("f4")).kind
        if getattr(codes, "shape", None) != shape or kind not in "iu":
            expected = f"integers {shape}"
            yield Finding(
                what="the codes are not integers of the matrix's shape",
                tried=tried,
                found=shown_kind(codes),
                expected=expected,
            )


def every_code(subject: Subject) -> Iterator[Finding]:
    """Every code that a packed part can hold decodes to a finite weight, though the encoder may never give it."""
    shape = subject.plain_shape()
    parts, geom = parts_of(subject, bell(shape)), Geometry(*shape, subject.params)
    for part in subject.format.parts:
        if part.packing is None:
            continue
        codes = (np.arange(shape[0] * shape[1]) % (part.packing.top + 1)).astype(np.uint8).reshape(shape)
        tried = f"decode {shape[0]} x {shape[1]} weights with the codes 0 .. {part.packing.top} in part {part.name!r}"
        some = {**parts, part.name: pack(codes, part.packing)}
        weights = attempt(partial(decoded, subject.format, some, geom), tried=tried)
        if not np.isfinite(weights).all():
            row, col = np.argwhere(~np.isfinite(weights))[0]
            yield Finding(
                what=f"the code {codes[row, col]} decodes to {weights[row, col]}",
                tried=tried,
                found=f"row {row}, column {col}{_decoder(subject.format)}",
                advice="A damaged file may hold it. Give it some finite weight, if the layout leaves it free.",
                note=True,
            )


def surroundings(subject: Subject) -> Iterator[Finding]:
    """The bytes around the parts in memory do not show in the weights."""
    shape = subject.plain_shape()
    parts, geom = subject.encode(bell(shape)).parts, Geometry(*shape, subject.params)
    weights = []
    for filler in (0x00, 0x5A):
        some = {name: _within(part, filler) for name, part in parts.items()}
        tried = f"decode {shape} weights whose parts lie among bytes {filler:#04x}"
        weights.append(attempt(partial(decoded, subject.format, some, geom), tried=tried))
    if not same_numbers(*weights):
        where = np.argwhere(weights[0] != weights[1])
        yield Finding(
            what="decode reads beyond the parts",
            tried=f"decode {shape} weights, twice, with other bytes around the parts",
            found=f"{len(where)} weights differ, the first in row {where[0][0]}, column {where[0][1]}",
            expected="the same weights",
            cause="`part.base`, `as_strided`, `ctypes`, or a compiled loop that runs past the end",
            advice="Index parts by numpy, within their shape.",
        )


def _within(part: Array, filler: int) -> Array:
    """A part's bytes in the middle of others."""
    margin = 4096
    memory = np.full(part.nbytes + 2 * margin, filler, np.uint8)
    memory[margin : margin + part.nbytes] = np.frombuffer(part.tobytes(), np.uint8)
    inside = memory[margin : margin + part.nbytes].view(part.dtype).reshape(part.shape)
    inside.flags.writeable = False
    return inside


def damaged_parts(subject: Subject) -> Iterator[Finding]:
    """Random and damaged bytes decode or raise; no read goes beyond the parts, where memory kills the process."""
    with Guarded() as guarded:
        for shape in subject.matrices():
            for seed in range(SEEDS if shape[0] * shape[1] < 1 << 16 else 2):
                parts = subject.random_parts(shape, seed)
                if seed % 2 and subject.format.encode is not None:
                    parts = _with_damage(subject, shape, seed)
                at = PLACES[seed // 2 % 2]
                held = {name: guarded.hold(part, at) if guards_work() else part for name, part in parts.items()}
                _decode_and_multiply(subject, held, shape)
    yield from ()


def _with_damage(subject: Subject, shape: tuple[int, int], seed: int) -> Parts:
    """Parts of real weights with some bits flipped; those of variable length may be cut."""
    random = np.random.default_rng(seed)
    parts = {}
    for name, part in subject.encode(bell(shape, seed=seed)).parts.items():
        data = np.frombuffer(part.tobytes(), np.uint8).copy()
        if data.size:
            data[random.integers(0, data.size, 3)] ^= (1 << random.integers(0, 8, 3)).astype(np.uint8)
        parts[name] = data.view(part.dtype).reshape(part.shape)
    for spec in subject.format.parts:
        if spec.variable:
            parts[spec.name] = parts[spec.name][: len(parts[spec.name]) // 2]
    return parts


def _decode_and_multiply(subject: Subject, parts: Parts, shape: tuple[int, int]) -> None:
    """Decodes and multiplies; an access beyond the parts ends the process, an exception is an answer."""
    matrix = QMatrix(subject.format.tag, shape, parts, subject.params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call in (
            matrix.decode,
            lambda: matrix.matmul(np.ones((1, shape[1]))),
            lambda: matrix.matmul(np.ones((3, shape[1]))),
        ):
            try:
                call()
            except Exception:  # noqa: BLE001, S112 - to raise is an answer, too
                continue


def checked(subject: Subject) -> Iterator[Finding]:
    """With NUMBA_BOUNDSCHECK=1, compiled code uses no index outside its array."""
    for shape in subject.matrices()[:6]:
        w = bell(shape)
        try:
            matrix = subject.encode(w)
            subject.decode(matrix, described(w))
            attempt(partial(matrix.matmul, np.ones((1, shape[1]))), tried=f"multiply {shape} weights")
        except FoundError as error:
            yield error.finding
            return


def decoded(fmt: Format, parts: Parts, geom: Geometry) -> Array:
    """The weights of parts, without warnings on the terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fmt.decode(parts, geom)


def same_numbers(left: Array, right: Array) -> bool:
    """Whether two arrays hold the same bits; any NaN equals any other."""
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    if left.dtype.kind != "f":
        return left.tobytes() == right.tobytes()
    nan = np.isnan(left)
    return bool((nan == np.isnan(right)).all()) and left[~nan].tobytes() == right[~nan].tobytes()


__all__ = ["random_parts", "same_numbers"]
