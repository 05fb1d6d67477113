"""llama.cpp's older importance matrix, a ``.dat``, which ik_llama.cpp still writes.

::

    i32 entries, entries, i32 last chunk, i32 length, name of the text    (what follows the entries may be missing)
    entry: i32 length, name, i32 calls, i32 values, float32 each: mean square times calls

All numbers are little-endian. The number of tokens of a call is not stored. A stack of matrices is one entry: its
columns follow each other, and one number of calls counts for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fourcc.calibration.calibration import Calibration, CalibrationText
from fourcc.calibration.imatrix import own_name
from fourcc.calibration.statistics import InputStatistics
from fourcc.errors import InputError
from fourcc.sources.gguf_cursor import Cursor
from fourcc.sources.gguf_header import MAX_TENSORS

if TYPE_CHECKING:
    from fourcc.files.read import ReadFile

KIND = "imatrix .dat"
MAX_NAME, MAX_TEXT = 256, 4096  # bytes; names of ggml have at most 63
LEAST_ENTRY = 4 + 1 + 4 + 4 + 4
WHAT = "no calibration: neither an imatrix in GGUF, nor one of the older kind"


def read_legacy(file: ReadFile) -> Calibration:
    """The calibration in a ``.dat``.

    Raises:
        InputError: it is none, or damaged.
    """
    cursor = Cursor(file, limit=file.size)
    count = _bounded(cursor, "the number of entries", 1, min(MAX_TENSORS, file.size // LEAST_ENTRY), WHAT)
    statistics: dict[str, InputStatistics] = {}
    for _ in range(count):
        start = cursor.at
        name, entry = _entry(cursor)
        if name in statistics:
            raise InputError("two entries have this name", file=file.path, tensor=name, offset=start)
        statistics[name] = entry
    return Calibration(file.path, KIND, None, _texts(cursor), None, None, statistics)


def _entry(cursor: Cursor) -> tuple[str, InputStatistics]:
    """An entry's name and statistics."""
    start, length = cursor.at, _bounded(cursor, "the length of a name", 1, MAX_NAME, WHAT)
    raw = cursor.take(length, "a name")
    try:
        name = raw.decode()
    except UnicodeDecodeError as error:
        raise InputError(WHAT, file=cursor.file.path, offset=start, found=repr(raw[:64])) from error
    calls = _bounded(cursor, "the number of calls", 0, 2**31 - 1)
    values = _bounded(cursor, "the number of values", 1, (cursor.file.size - cursor.at - 4) // 4)
    start = cursor.at
    squares = np.frombuffer(cursor.take(4 * values, "the values"), "<f4").astype(np.float64)
    if not (np.isfinite(squares).all() and (squares >= 0).all()):
        found, expected = "one that is negative or not finite", "mean squares times calls"
        raise InputError(
            "the calibration is damaged",
            file=cursor.file.path,
            tensor=name,
            offset=start,
            found=found,
            expected=expected,
        )
    return own_name(name), InputStatistics(squares[None], np.array([max(1, calls)], np.int64))


def _texts(cursor: Cursor) -> tuple[CalibrationText, ...]:
    """The text that it was made from, where the file says so."""
    if cursor.at == cursor.file.size:
        return ()
    cursor.number("i", "the last chunk")
    if cursor.at == cursor.file.size:
        return ()
    length = _bounded(cursor, "the length of the text's name", 0, MAX_TEXT)
    name = cursor.take(length, "the text's name").decode(errors="replace")
    if cursor.at != cursor.file.size:
        raise cursor.refusal("the file does not end here", f"{cursor.file.size - cursor.at} more bytes")
    return (CalibrationText(name),) if name else ()


def _bounded(cursor: Cursor, what: str, least: int, most: int, problem: str = "") -> int:
    """A number between two bounds."""
    value: int = cursor.number("i", what)
    if not least <= value <= most:
        raise cursor.refusal(problem or f"{what} cannot be true", value, f"{least} to {most}", back=4)
    return value
