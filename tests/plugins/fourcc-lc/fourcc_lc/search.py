"""Scales, signs, books and codes for runs of 32 weights, and books for a matrix: loops that numba compiles.

All sums are float64, in the order of the weights; ties go to the first. The functions also run uncompiled, with the
same results.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from fourcc import Array, Floats

RUN = 32  # weights with one scale, sign and book
RUNS = 8  # of a block
LEVELS = 31  # the largest magnitude of a scale
FACTORS = tuple(float(f) for f in np.arange(15, 33) / 24)  # of the scale that maps the largest weight to a book's end

Search = Callable[..., Any]


@cache
def compiled() -> tuple[Search, Search]:
    """`blocks` and `free` as machine code; numba is imported when the first matrix is encoded.

    No fastmath, so the sums keep their order; no cache, which would leave files beside the installed package.
    """
    from numba import njit

    return searchers(njit(nogil=True, error_model="numpy"))


def searchers(compile_: Callable[[Any], Any]) -> tuple[Search, Search]:
    """The two searches, each function of them treated by `compile_`."""
    fit = compile_(_fit(compile_(code_of)))
    blocks = compile_(_blocks(compile_(_best_level(fit))))
    return blocks, compile_(_free(fit, compile_(_best_free(fit))))


def code_of(x: float, borders: Array) -> int:
    """The nearest of sixteen ascending values, which is the number of borders below; ties go to the lower value."""
    code = 8 if x > borders[7] else 0
    code += 4 if x > borders[code + 3] else 0
    code += 2 if x > borders[code + 1] else 0
    return code + (1 if x > borders[code] else 0)


def _fit(code_of: Search) -> Search:
    def fit(x: Array, scale: float, book: Array, borders: Array, codes: Array) -> tuple[float, float]:
        """Fills the codes of a run; returns the sums of weight times value and of values squared."""
        inverse = 1 / scale
        products = squares = 0.0
        for k in range(len(x)):
            code = code_of(x[k] * inverse, borders)
            codes[k] = code
            products += x[k] * book[code]
            squares += book[code] * book[code]
        return products, squares

    return fit


def _best_free(fit: Search) -> Search:
    def best_free(x: Array, books: Array, borders: Array, codes: Array) -> tuple[float, int]:
        """The real scale, and the book, that explain most of a run."""
        largest = 0.0
        for k in range(len(x)):
            largest = x[k] if abs(x[k]) > abs(largest) else largest
        best, scale, chosen = 0.0, 0.0, 0
        if largest == 0:
            return scale, chosen
        for book in range(2):
            for end in (0, 15):
                unit = largest / books[book, end] if books[book, end] != 0 else largest
                for factor in FACTORS:
                    products, squares = fit(x, unit * factor, books[book], borders[book], codes)
                    if squares > 0 and products * products > best * squares:
                        best, scale, chosen = products * products / squares, products / squares, book
        return scale, chosen

    return best_free


def _free(fit: Search, best_free: Search) -> Search:
    def free(weights: Array, books: Array, borders: Array, scales: Array, chosen: Array, codes: Array) -> None:
        """Fills the real scales, books and codes of runs: float64 (n,), int64 (n,), uint8 (n, 32)."""
        for n in range(len(weights)):
            codes[n] = 0
            scales[n], chosen[n] = best_free(weights[n], books, borders, codes[n])
            if scales[n] != 0:
                fit(weights[n], scales[n], books[chosen[n]], borders[chosen[n]], codes[n])

    return free


def _best_level(fit: Search) -> Search:
    def best_level(x: Array, unit: float, wanted: float, books: Array, borders: Array, codes: Array) -> int:
        """The stored scale with the least error: a magnitude near the wanted one, either sign, either book."""
        tried, best, level = np.empty(len(x), np.uint8), 0.0, 0
        middle = int(abs(wanted) / unit + 0.5)
        for magnitude in range(max(1, middle - 2), min(LEVELS, middle + 2) + 1):
            for kind in range(4):
                scale, book = unit * magnitude * (1 - 2 * (kind & 1)), kind >> 1
                products, squares = fit(x, scale, books[book], borders[book], tried)
                gain = 2 * scale * products - scale * scale * squares
                if gain > best:
                    best, level = gain, magnitude | kind << 5
                    codes[:] = tried
        return level

    return best_level


def _blocks(best_level: Search) -> Search:
    def blocks(
        weights: Array, books: Array, borders: Array, wanted: Array, units: Array, levels: Array, codes: Array
    ) -> None:
        """Fills the stored scales and codes of blocks: uint8 (n, 8) and (n, 8, 32)."""
        for n in range(len(weights)):
            for run in range(RUNS):
                levels[n, run] = 0
                codes[n, run] = 0
                if units[n] != 0:
                    x = weights[n, run]
                    levels[n, run] = best_level(x, units[n], wanted[n, run], books, borders, codes[n, run])

    return blocks


def borders_of(books: Floats) -> Array:
    """The middles between neighbouring values, float64 (2, 15)."""
    wide = books.astype(np.float64)
    return (wide[:, 1:] + wide[:, :-1]) / 2


def learnt(books: Floats, runs: Array, rounds: int) -> Floats:
    """Books that fit the runs better, float32 (2, 16), ascending.

    In each round every run takes the best scale and book, and every value becomes the one with the least squared error:
    the sum of scale * weight over its members, divided by the sum of scale^2.

    Args:
        books: the first books, float32 (2, 16).
        runs: float64 (n, 32).
        rounds: number of rounds.
    """
    scales, chosen = np.empty(len(runs)), np.empty(len(runs), np.int64)
    codes = np.empty(runs.shape, np.uint8)
    _, free = compiled()
    for _ in range(rounds):
        free(runs, books.astype(np.float64), borders_of(books), scales, chosen, codes)
        entry = (codes + 16 * chosen[:, None]).reshape(-1)
        products = np.bincount(entry, (runs * scales[:, None]).reshape(-1), 32)  # in the order of the weights
        squares = np.bincount(entry, np.repeat(scales * scales, RUN), 32)
        values = np.where(squares > 0, products / np.where(squares > 0, squares, 1), books.reshape(-1))
        books = np.sort(values.reshape(2, 16), axis=1).astype(np.float32)
    return books
