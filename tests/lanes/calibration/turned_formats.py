"""Made-up formats that tell what a rotation and a scaling of columns gain: Q4_0's blocks of turned weights.

::

    Pl4x    W = V: Q4_0 itself, which takes no importance into account
    Ro4x    W = (V H) D    D: a random sign for each column, H: a Hadamard matrix for each 64 columns
    Sc4x    W = V / s      s: a scale for each column, as AWQ has them (Lin et al., 2023, arXiv:2306.00978)

V is encoded as Q4_0 encodes weights without an importance. The scales are (E x^2)^(a/2), where E x^2 is the importance
of the column; of the a of 0, .25 and .5 the one is taken whose weights have the least output error, the sum of
importance * error^2. AWQ puts its scales into the norm before the matrix; here they are stored, 32 bits a column.
The formats are no part of the package: `fourcc.registry.trying` has them for a while.
"""

import random
from functools import cache

import attrs
import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Original, Parts, Turn, per_column, registry

SEED = 7  # of the signs
MIXED = 64  # columns that a Hadamard matrix mixes
LEAST = 1e-6  # of the mean importance: what a column counts that had no inputs
Q4_0 = registry["Q4_0"]
BLOCK = 32  # weights along a row


def _made_up(tag: str, summary: str, **changed: object) -> Format:
    """Q4_0, without what would no longer hold, and with something else."""
    plain: dict[str, object] = {"uses": frozenset(), "foreign": {}, "kernel": None, "bound": None}
    return attrs.evolve(Q4_0, tag=tag, name=tag, summary=summary, **{**plain, **changed})  # type: ignore[arg-type]


def _encoded(blocks: Blocks, v: Floats) -> dict[str, Array]:
    """Q4_0's parts of other weights (rows, cols) in place of those that the blocks hold."""
    assert Q4_0.encode is not None
    return dict(Q4_0.encode(attrs.evolve(blocks, w=v.reshape(-1, BLOCK), rows=v, importance=None)))


# -- rotated


@cache
def signs(cols: int) -> Floats:
    """A random sign for each column, float32 (cols,); those of Python's generator, which are the same everywhere."""
    chance = random.Random(SEED)
    return np.array([1 if chance.random() < 0.5 else -1 for _ in range(cols)], np.float32)


def mixed(rows: Floats) -> Floats:
    """Each 64 numbers of each row (n, cols) times the Hadamard matrix in Sylvester's order, by 8.

    Sums are made two by two, so their order is the same everywhere. What is left at the end of a row stays.
    """
    whole = rows.shape[1] // MIXED * MIXED
    found, half = rows[:, :whole], 1
    while half < MIXED:
        pairs = found.reshape(len(rows), -1, 2, half)
        one, other = pairs[:, :, 0], pairs[:, :, 1]
        found, half = np.stack([one + other, one - other], axis=2), 2 * half
    scaled = found.reshape(len(rows), whole) / np.float32(np.sqrt(MIXED))
    return np.concatenate([scaled, rows[:, whole:]], axis=1)


def rotated(x: Floats, parts: Parts, geom: Geometry) -> Floats:
    """(x D) H."""
    return mixed(x * signs(geom.cols))


def rotated_back(v: Floats, parts: Parts, geom: Geometry) -> Floats:
    """(v H) D: H is symmetric and its own inverse, and so is D."""
    return mixed(v) * signs(geom.cols)


def _encode_rotated(blocks: Blocks) -> Parts:
    return _encoded(blocks, rotated(blocks.rows, {}, blocks.geom))


# -- scaled


def scales(importance: Floats) -> tuple[Floats, ...]:
    """The scales that are tried, float32 (cols,): the a of 0, .25 and .5, each with a median of 1.

    Args:
        importance: E x^2 of each column, (cols,). Roots alone are taken of it, which all machines round alike.
    """
    squares = importance.astype(np.float64)
    squares = np.maximum(squares, LEAST * squares.mean()) if squares.any() else np.ones(len(squares))
    half = np.sqrt(np.sqrt(squares))
    return tuple((each / np.median(each)).astype(np.float32) for each in (np.ones(len(half)), np.sqrt(half), half))


def best_scales(original: Original) -> Floats:
    """The scales whose weights have the least output error; the first of equal ones."""
    w, importance = original.rows(0, original.geom.rows), original.aids.importance
    assert importance is not None
    tried = scales(importance)
    errors = [_output_error(original, w, each, importance) for each in tried]
    return tried[int(np.argmin(errors))]


@np.errstate(over="ignore", invalid="ignore")  # of weights that are too large for float16, no scales are best
def _output_error(original: Original, w: Floats, columns: Floats, importance: Floats) -> float:
    """The sum of importance * error^2 of scaled, encoded and decoded weights, from left to right."""
    scaled = w * columns
    blocks = Blocks(scaled.reshape(-1, BLOCK), original.geom, {}, None, None, original.aids, scaled)
    parts = _encoded(blocks, scaled)
    d = parts["d"].astype(np.float16).astype(np.float32)[:, None]
    decoded = (d * (parts["q"].astype(np.float32) - 8)).reshape(w.shape) / columns
    errors = importance * np.square(w.astype(np.float64) - decoded)
    return float(errors.ravel().cumsum()[-1])


def _encode_scaled(blocks: Blocks) -> Parts:
    columns = np.asarray(blocks.shared)
    return {**_encoded(blocks, blocks.rows * columns), "divisors": columns}


def divided(rows: Floats, parts: Parts, geom: Geometry) -> Floats:
    """Both ways of the turn: numbers of the columns (n, cols) divided by the columns' scales."""
    return np.divide(rows, parts["divisors"], dtype=np.float32)


PLAIN = _made_up("Pl4x", "Q4_0, without importance")
ROTATED = _made_up(
    "Ro4x",
    "Q4_0 of weights that random signs and a Hadamard matrix for each 64 columns have rotated",
    turn=Turn(rotated, rotated_back),
    encode=_encode_rotated,
)
SCALED = _made_up(
    "Sc4x",
    "Q4_0 of weights whose columns are scaled as AWQ does",
    parts=(*Q4_0.parts, per_column("divisors", "<f4")),
    needs=frozenset({"importance"}),
    turn=Turn(divided, divided, ("divisors",)),
    prepare=best_scales,
    encode=_encode_scaled,
)
FORMATS = {"plain": PLAIN, "rotated": ROTATED, "scaled": SCALED}
