"""The output of ``--json``: one object a run, or one a line for results that come bit by bit. Each names its schema."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, SupportsFloat

from fourcc.cli.render import terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fourcc.analysis.statistics import Spread, Statistics
    from fourcc.container.index import ErrorRecord, FeedbackRecord, PartRecord
    from fourcc.dtypes import DType

# Name -> version; the fields of each stand in specs/reference/schemas/.
SCHEMAS = {
    "allocate": 1,
    "bench": 1,
    "bench-models": 1,
    "cache": 1,
    "cache-build": 1,
    "calibrate": 1,
    "calibration": 1,
    "convert": 1,
    "convert --budget": 1,
    "diff": 1,
    "error": 1,
    "eval": 2,
    "example": 1,
    "export": 1,
    "extract": 1,
    "files": 1,
    "format": 2,
    "format-page": 1,
    "formats": 2,
    "inspect": 1,
    "inspect-tensor": 1,
    "join": 1,
    "measure": 1,
    "plan": 1,
    "plugin-checks": 1,
    "plugin-new": 1,
    "plugin-pin": 1,
    "plugin-test": 1,
    "policy-show": 1,
    "quantize": 1,
    "recipes": 1,
    "report": 1,
    "run": 1,
    "shootout": 1,
    "split": 1,
    "stats": 1,
    "verify": 1,
}


def show(command: str, body: Mapping[str, object]) -> None:
    """Writes the object of a command to stdout, in ASCII, whatever the file's names hold."""
    import json

    terminal.out(json.dumps(document(command, body), indent=1, allow_nan=False))


def document(kind: str, body: Mapping[str, object]) -> dict[str, object]:
    """An object with the name and version of its schema."""
    return {"schema": f"fourcc.{kind}/{SCHEMAS[kind]}", **body}


def line(kind: str, body: Mapping[str, object]) -> None:
    """Writes an object to stdout in one line, at once: for one of several in a run, and for an error's."""
    terminal.out(in_one_line(kind, body))
    terminal.flush()


def in_one_line(kind: str, body: Mapping[str, object]) -> str:
    """An object as `line` writes it."""
    import json

    return json.dumps(document(kind, body), allow_nan=False)


def bits(value: SupportsFloat) -> float:
    """Bits per weight as a JSON number."""
    return round(float(value), 6)


def number(value: float) -> float | None:
    """A measure as a JSON number; null if it is not finite."""
    return value if isfinite(value) else None


def error(record: ErrorRecord | None) -> dict[str, object] | None:
    """The error measured while encoding; null if the tensor was kept as stored.

    ``sqnr_db`` is null if nothing was lost.
    """
    if record is None:
        return None
    return {"relative_rmse": record.relative_rmse, "sqnr_db": record.sqnr_db, "max_error": record.max_error}


def feedback(record: FeedbackRecord | None) -> dict[str, object] | None:
    """The error feedback with which a tensor was encoded; null if there was none."""
    return None if record is None else {**record._asdict(), "hessian": record.hessian.hex()}


def parts(records: Iterable[PartRecord]) -> list[dict[str, object]]:
    """The parts of a tensor, with their places in the file."""
    return [
        {
            "name": part.name,
            "dtype": part.dtype,
            "shape": list(part.shape),
            "offset": part.offset,
            "bytes": part.nbytes,
        }
        for part in records
    ]


def dtype(kind: DType) -> str:
    """The name of a part's dtype, or the fields of a record with their dimensions."""
    if isinstance(kind, str):
        return kind
    return ", ".join(f"{name} {each}{list(shape) if shape else ''}" for name, each, shape in kind)


def measures(found: Statistics) -> dict[str, object]:
    """The statistics of weights, without their histogram."""
    return {
        "weights": found.weights,
        "nonfinite": found.nonfinite,
        "min": found.minimum,
        "max": found.maximum,
        "mean": found.mean,
        "std": found.std,
        "kurtosis": found.kurtosis,
        "outliers": found.outliers,
        "rms_of_rows": _spread(found.rows),
        "rms_of_columns": _spread(found.columns),
    }


def _spread(found: Spread | None) -> dict[str, float] | None:
    return None if found is None else {"min": found.low, "median": found.median, "max": found.high}
