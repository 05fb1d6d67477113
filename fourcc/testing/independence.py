"""Checks that bytes depend on the weights alone: not on other rows, tiles, threads, earlier calls, or the process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b

import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.geometry import Geometry
from fourcc.parts import cut_rows
from fourcc.qmatrix import QMatrix
from fourcc.testing.finding import Finding, attempt, defined
from fourcc.testing.process import digest_apart
from fourcc.testing.subject import Subject
from fourcc.testing.weights import bell, described, heavy
from fourcc.tiles import decode_rows

THREADS = 4
TURNS = 6  # turns that each thread takes
ROUNDING = 1e-5  # of the largest weight
SWITCH = 1e-5  # seconds after which a thread lets another one run, so that shared memory shows


def all_bytes(matrix: QMatrix) -> dict[str, bytes]:
    """The bytes of every part."""
    return {name: part.tobytes() for name, part in matrix.parts.items()}


def rows(subject: Subject) -> Iterator[Finding]:
    """Runs of whole blocks encode and decode alone as they do in the whole matrix: tiles do not show."""
    spec = subject.format
    tall = spec.block[0]
    if tall is None or spec.variable:
        return
    shape = (2 * tall + 1, subject.plain_shape()[1])
    w = bell(shape)
    encoder = subject.encoder(shape)
    tried = f"encode {described(w)} as one tile, then each {tall} rows alone"
    shared = attempt(lambda: encoder.prepare(lambda a, b: w[a:b]), tried=tried)
    whole = attempt(lambda: encoder.tile(w, shared, 0)[0], tried=tried)
    decoded = decode_rows(subject.format, whole, Geometry(*shape, subject.params))
    for first in reversed(range(0, shape[0], tall)):
        last = min(first + tall, shape[0])
        alone = attempt(partial(encoder.tile, w[first:last], shared, first), tried=tried)[0]
        cut = cut_rows(spec, whole, first, last)
        yield from _compare(subject, cut, alone, f"{tried}; rows {first} to {last - 1}")
        geom = Geometry(last - first, shape[1], subject.params)
        back = attempt(partial(decode_rows, subject.format, cut, geom), tried=tried)
        if back.tobytes() != decoded[first:last].tobytes():
            off = float(np.abs(back.astype(np.float64) - decoded[first:last]).max())
            rounded = off <= ROUNDING * float(np.abs(decoded).max())
            yield Finding(
                what="rows decode otherwise alone than among others",
                tried=f"decode all of {described(w)}, then the rows {first} to {last - 1} alone",
                found=f"{np.count_nonzero(back != decoded[first:last])} weights differ, by up to {off:.3g}",
                cause="a matrix product, whose rounding depends on the number of rows"
                if rounded
                else "the decoder looks at rows, or at a row's number, that are not its tile's",
                note=rounded,
            )
            return


def _compare(subject: Subject, expected: Parts, found: Parts, tried: str) -> Iterator[Finding]:
    whole = {part.name for part in subject.format.parts if part.rows is None}
    for name, part in found.items():
        if part.tobytes() == expected[name].tobytes():
            continue
        if name in whole:
            what = f"part {name!r} belongs to the whole matrix, and differs from run to run of rows"
            cause = "it is computed from the rows that `encode` happens to see; the first run's would be kept"
            advice = "Compute it in `prepare`, which sees all rows, and return `blocks.shared` with every call."
        else:
            what = "rows encode otherwise alone than among others"
            cause = (
                "the encoder looks beyond its block (a statistic of the whole tile), so that bytes would depend on "
                "where the core cuts"
            )
            advice = "Compute values that span blocks in `prepare`, or declare the block that is really needed."
        differs = f"part {name!r} differs; `encode`, {defined(subject.format.encode)}"
        yield Finding(what=what, tried=tried, found=differs, expected="the same bytes", cause=cause, advice=advice)
        return


def experts(subject: Subject) -> Iterator[Finding]:
    """Leading dimensions count independent matrices, each encoded alone."""
    shape = (2, 3, *subject.plain_shape(3))
    w = bell(shape)
    stack = subject.encode(w, "a stack of experts")
    for i in range(2):
        for j in range(3):
            if all_bytes(stack[i][j]) != all_bytes(subject.encode(w[i, j])):
                yield Finding(
                    what="a matrix of a stack is not what it is alone",
                    tried=f"encode {described(w)}, then [{i}][{j}] alone",
                    cause="something is kept from one matrix to the next",
                )


def repetition(subject: Subject) -> Iterator[Finding]:
    """Equal weights give equal bytes again, whatever was encoded in between; and equal parts give equal weights."""
    one, other = heavy(subject.plain_shape()), bell(subject.plain_shape(), 6, seed=3)
    before, twin = subject.encode(one), subject.encode(one)
    weights = subject.decode(before, "weights with outliers")
    subject.roundtrip(other)
    after = [subject.encode(one), subject.encode(one)]
    cause = "a random generator that is not seeded, or state that outlives a call"
    if all_bytes(before) == all_bytes(twin):
        cause = "state that outlives a call: a module's variable, a cache under the wrong key, a random generator"
    tried = f"encode {described(one)} twice, something else, and the first again, twice"
    advice = "Keep nothing between calls; seed generators from constants."
    different = next((each for each in (twin, *after) if all_bytes(each) != all_bytes(before)), None)
    if different is not None:
        found = f"{_first_difference(before, different)}; `encode`, {defined(subject.format.encode)}"
        yield Finding(what="the same weights give other bytes", tried=tried, found=found, cause=cause, advice=advice)
    if subject.decode(before, "weights with outliers").tobytes() != weights.tobytes():
        yield Finding(what="the same parts give other weights", tried=tried, cause=cause, advice=advice)


def _first_difference(one: QMatrix, other: QMatrix) -> str:
    names = [name for name, part in one.parts.items() if part.tobytes() != other.parts[name].tobytes()]
    same = one.parts[names[0]].shape == other.parts[names[0]].shape
    count = np.count_nonzero(one.parts[names[0]] != other.parts[names[0]]) if same else "all"
    return f"part {names[0]!r}: {count} of {one.parts[names[0]].size} entries"


def threads(subject: Subject) -> Iterator[Finding]:
    """Several threads at once give the same bytes, and the same weights, as one thread."""
    matrices = [heavy(subject.plain_shape(), seed=seed) for seed in range(THREADS)]
    expected = [all_bytes(subject.encode(w)) for w in matrices]
    weights = [subject.roundtrip(w).tobytes() for w in matrices]

    def work(number: int) -> bool:
        for turn in range(TURNS):
            at = (number + turn) % THREADS
            matrix = subject.encoded(matrices[at])
            if all_bytes(matrix) != expected[at] or matrix.decode().tobytes() != weights[at]:
                return False
        return True

    tried = f"encode and decode {THREADS} matrices of {described(matrices[0])} in {THREADS} threads at once"
    if not all(attempt(partial(_in_threads, work), tried=tried, cause="memory that threads share")):
        yield Finding(
            what="bytes depend on threads",
            tried=tried,
            found="other bytes than in one thread",
            cause="memory that threads share (a buffer of the module), or the thread's own number or storage",
            advice="Make arrays in the call that needs them. The core encodes tiles in several threads.",
        )


def _in_threads(work: Callable[[int], bool]) -> list[bool]:
    """Results of a function of the thread's number in each thread; threads take turns as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(work, range(THREADS)))
    finally:
        sys.setswitchinterval(before)


def processes(subject: Subject) -> Iterator[Finding]:
    """Other processes with other hash seeds give the same bytes."""
    here = digest(subject)
    assert subject.target is not None
    for seed in ("1", "2"):
        there = digest_apart(subject, {"PYTHONHASHSEED": seed})
        if there != here:
            yield Finding(
                what="another process gives other bytes",
                tried=f"encode the same weights here and in a process with PYTHONHASHSEED={seed}",
                found=f"digest {there}",
                expected=f"digest {here}",
                cause="the order of a set, `hash()` of a text, the time, an unseeded generator, or the address of an "
                "object",
                advice="Sort what comes from sets; seed generators from constants.",
            )
            return


def digest(subject: Subject) -> str:
    """BLAKE2b-64 of the bytes of some matrices in the format, and of their decoded weights."""
    digest_of_all = blake2b(digest_size=8)
    for w in (bell(subject.plain_shape()), heavy((3, subject.plain_shape()[1]))):
        matrix = subject.encode(w)
        arrays: list[Array] = [*matrix.parts.values(), subject.decode(matrix, "weights")]
        for array in arrays:
            digest_of_all.update(array.tobytes())
    return digest_of_all.hexdigest()
