"""Files of text that models are measured, or calibrated, on."""

from __future__ import annotations

from pathlib import Path

from fourcc.errors import UsageError


def read_text(path: Path) -> str:
    """The text in a file. Raises UsageError where it is not UTF-8, OSError where it cannot be read."""
    return as_text(path.read_bytes(), path)


def as_text(data: bytes, path: Path) -> str:
    """The text in the bytes of a file; every kind of line end becomes a line feed. Raises UsageError: not UTF-8."""
    try:
        return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        found = f"byte 0x{data[error.start]:02x}"
        raise UsageError("the text is not UTF-8", file=path, offset=error.start, found=found) from error
