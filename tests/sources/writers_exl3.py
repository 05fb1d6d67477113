"""EXL3's layout in plain Python, a bit and a number at a time, written from the sources of exllamav3."""

import struct
from random import Random

import numpy as np

BOOKS = {"3inst": (89226354, 64248484), "mcg": (0xCBAC1FED, 0)}


def half(bits: int) -> float:
    """The float16 of these bits."""
    return struct.unpack("<e", struct.pack("<H", bits))[0]


def rounded(x: float) -> float:
    """The nearest float16."""
    return struct.unpack("<e", struct.pack("<e", x))[0]


def number(state: int, book: str) -> float:
    """The number that a state stands for."""
    if book == "mul1":
        total = 0x6400 + sum((state * 0x83DCD12D % 2**32).to_bytes(4, "little"))
        return rounded(half(total) * half(0x1EEE) + half(0xC931))
    factor, addend = BOOKS[book]
    mixed = (state * factor + addend) % 2**32 & 0x8FFF8FFF ^ 0x3B603B60
    return rounded(half(mixed & 0xFFFF) + half(mixed >> 16))


def steps(halves: int) -> list[int]:
    """The bits that each of 256 weights adds."""
    return [halves // 2 + (halves % 2 if n % 2 else 0) for n in range(256)]


def tile(halves: int, random: Random) -> tuple[list[int], str]:
    """A tile's words, and its ring of bits as text."""
    ring = "".join(random.choice("01") for _ in range(sum(steps(halves))))
    words = [int(ring[at : at + 16], 2) for at in range(0, len(ring), 16)]
    return [words[at ^ 1] for at in range(len(words))], ring  # halves of 32-bit words are swapped


def decoded(ring: str, halves: int, book: str) -> list[list[float]]:
    """The tile's weights, [input][output]."""
    w, end = [[0.0] * 16 for _ in range(16)], 0
    for n, step in enumerate(steps(halves)):
        end += step
        state = int((ring + ring)[len(ring) + end - 16 : len(ring) + end], 2)
        lane, item = n // 8, n % 8
        row = (lane % 4) * 2 + (item & 1) + (8 if item & 2 else 0)
        col = lane // 4 + (8 if item & 4 else 0)
        w[row][col] = number(state, book)
    return w


def exl3(
    outs: int, ins: int, halves: int, book: str, seed: int = 1, spread: float = 2
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The tensors of a matrix by their endings, and its weights, float64 (out, in), by dense Hadamard matrices."""
    random = Random(seed)
    trellis = np.empty((ins // 16, outs // 16, 8 * halves), np.uint16)
    v = np.empty((ins, outs))
    for i in range(ins // 16):
        for j in range(outs // 16):
            trellis[i, j], ring = tile(halves, random)
            v[16 * i : 16 * i + 16, 16 * j : 16 * j + 16] = decoded(ring, halves, book)
    inner = np.array([random.uniform(-2, 2) for _ in range(ins)], np.float16)
    outer = np.array([random.uniform(-spread, spread) for _ in range(outs)], np.float16)
    sylvester = np.array([[(-1) ** (i & j).bit_count() for j in range(128)] for i in range(128)], np.float64)
    w = (np.kron(np.eye(ins // 128), sylvester) @ v @ np.kron(np.eye(outs // 128), sylvester)) / 128
    w = inner.astype(np.float64)[:, None] * w * outer.astype(np.float64)
    tensors = {"trellis": trellis.view("<i2"), "suh": inner, "svh": outer}
    marker = {"mcg": 0xCBAC1FED, "mul1": 0x83DCD12D}.get(book)
    if marker is not None:
        tensors[book] = np.array(marker, np.uint32).view("<i4")
    return tensors, w.T
