"""The measured errors of encoded tensors, as an index stores them, and a note on those that are too large."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from fourcc.container.index import ErrorRecord
from fourcc.errors import listed
from fourcc.metrics import ErrorSums

SHOWN = 6  # names in a note
LOST_DB = 1  # of SQNR; 2 bits a weight give some 8 dB
DIGITS = 6  # of a measured error that are stored: more would be noise


def error_record(sums: ErrorSums) -> ErrorRecord:
    """The measures of a tensor's error, rounded."""
    return ErrorRecord(_rounded(sums.relative_rmse), _rounded(sums.sqnr_db), _rounded(sums.max_error) or 0.0)


def lost(errors: Mapping[str, ErrorRecord]) -> list[str]:
    """A note on tensors of which their format keeps hardly anything, such as weights too small for its scale.

    Args:
        errors: the errors of the tensors that were encoded, by name.
    """
    names = [name for name, error in errors.items() if _is_lost(error)]
    if not names:
        return []
    count = f"{len(names)} tensor{'s' * (len(names) != 1)}"
    return [f"hardly anything is left of {count} (SQNR below {LOST_DB} dB): {listed(names, SHOWN)}; try another format"]


def _is_lost(error: ErrorRecord) -> bool:
    """Whether the error is about as large as the weights; measures that are not finite are None."""
    if error.relative_rmse is None:
        return True
    return error.sqnr_db is not None and error.sqnr_db < LOST_DB


def _rounded(value: float) -> float | None:
    """The value rounded to the digits that are stored; None where it is not finite."""
    return float(f"{value:.{DIGITS}g}") if isfinite(value) else None
