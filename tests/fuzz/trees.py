"""Changes to trees of maps, lists and numbers: what JSON, msgpack and TOML hold, and what a file's head is made of.

A file that is changed byte by byte mostly dies at its checksum, or in its parser. These changes keep it well-formed, so
that they reach what is behind.
"""

import copy
import random
from collections.abc import Callable
from typing import Any

Tree = Any
Path = tuple[str | int, ...]

EDGES = (
    0,
    1,
    2,
    3,
    7,
    8,
    31,
    32,
    33,
    64,
    255,
    256,
    2**16,
    2**31 - 1,
    2**31,
    2**32,
    2**40,
    2**53,
    2**60 - 1,
    2**60,
    2**62,
)
WIDE = (*EDGES, 2**63 - 1, 2**63, 2**64 - 1, -1, -2, -(2**31), -(2**63), 10**30, 10**400)
REALS = (0.0, -0.0, 0.5, 1.0, 4.0, 5e-324, 1e-38, 1e38, 1e308, -1e308, float("inf"), float("-inf"), float("nan"))
TEXTS = (
    "",
    "a",
    "\0",
    "\x1b[2J",
    "\u202e",
    "x" * 300,
    "\u00e9",
    "../x",
    "F32",
    "Q8_0",
    "llama",
    "weight",
    "1",
    "\u2028",
)
HARMLESS = (None, True, False, [], {}, b"", b"\0")


def place(tree: Tree, rng: random.Random) -> Path:
    """A node below the root: by ways that are drawn at each fork, so that long lists do not hide the rest."""
    at: Path = ()
    while isinstance(tree, (dict, list)) and tree and (not at or rng.random() < 0.75):
        key = rng.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
        at, tree = (*at, key), tree[key]
    return at


def node(tree: Tree, at: Path) -> Tree:
    """The value at a place."""
    for step in at:
        tree = tree[step]
    return tree


def mutate(tree: Tree, rng: random.Random, most: int = 3) -> Tree:
    """A copy with one change to `most`."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.randint(1, most)):
        if tree:
            _change(tree, place(tree, rng), rng)
    return tree


def _change(tree: Tree, at: Path, rng: random.Random) -> None:
    """Changes one node, in what holds it."""
    home, key = node(tree, at[:-1]), at[-1]
    value = home[key]
    if isinstance(value, list) and value and all(type(item) is int for item in value) and rng.random() < 0.6:
        home[key] = reshaped(value, rng)
    elif rng.random() < 0.25:
        _rearrange(home, key, rng)
    elif isinstance(value, (dict, list)) and rng.random() < 0.5:
        home[key] = copy.deepcopy(node(tree, place(tree, rng)))  # another part of the same tree
    else:
        home[key] = other(value, rng)


def _rearrange(home: Tree, key: str | int, rng: random.Random) -> None:
    """Drops, doubles or exchanges."""
    kind = rng.randrange(3)
    if isinstance(home, list):
        if kind == 0:
            del home[key]  # type: ignore[arg-type]
        elif kind == 1:
            home.insert(rng.randrange(len(home) + 1), copy.deepcopy(home[key]))  # type: ignore[index]
        else:
            rng.shuffle(home)
        return
    if kind == 0:
        del home[key]
    elif kind == 1:
        home[other(key, rng) if rng.random() < 0.5 else f"{key}_"] = home[key]
    else:
        twin = rng.choice(list(home))
        home[key], home[twin] = home[twin], home[key]


def other(value: Tree, rng: random.Random) -> Tree:
    """A value in place of another: mostly of its kind, and at an edge of it."""
    if rng.random() < 0.2:
        return copy.deepcopy(rng.choice((*HARMLESS, *WIDE, *REALS, *TEXTS)))
    if isinstance(value, (bool, int, float)):
        edges = REALS if isinstance(value, float) else (True, False, None) if isinstance(value, bool) else WIDE
        return rng.choice((*edges, value + 1, value - 1, 2 * value, value // 2, -value))
    if isinstance(value, str):
        return _text(value, rng)
    if isinstance(value, bytes):
        return noise(value, rng)
    return rng.choice(HARMLESS)


def _text(value: str, rng: random.Random) -> str:
    at = rng.randrange(len(value) + 1)
    changes: tuple[Callable[[], str], ...] = (
        lambda: rng.choice(TEXTS),
        lambda: value[:at] + rng.choice(TEXTS)[:8] + value[at:],
        lambda: value[:at] + value[at + 1 :],
        value.swapcase,
        lambda: value * 2,
    )
    return rng.choice(changes)()


def reshaped(shape: list[int], rng: random.Random) -> list[int]:
    """Another shape: a zero beside a huge size, or as many entries in other dimensions."""
    at = rng.randrange(len(shape))
    changes: tuple[Callable[[], list[int]], ...] = (
        list,
        lambda: [0, rng.choice(EDGES)],
        lambda: [rng.choice(EDGES), 0],
        lambda: shape[::-1],
        lambda: [1, *shape],
        lambda: [*shape, 1],
        lambda: [0, *shape],
        lambda: [2, *shape],
        lambda: [*shape[:at], rng.choice(WIDE), *shape[at + 1 :]],
        lambda: [*shape[:at], 0, *shape[at + 1 :]],
        lambda: shape * 4,
    )
    return rng.choice(changes)()


def noise(data: bytes, rng: random.Random, most: int = 4) -> bytes:
    """Bytes with a few replaced, or cut, or lengthened."""
    found = bytearray(data)
    for _ in range(rng.randint(1, most)):
        kind, at = rng.randrange(8), rng.randrange(len(found) + 1)
        if kind < 5 and at < len(found):
            found[at] = rng.choice((0, 1, 2, 8, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 5:
            del found[at:]
        elif kind == 6:
            found[at:at] = found[: rng.randrange(16)]
        else:
            del found[at : at + rng.randrange(8)]
    return bytes(found)
