"""Tells whoever listens how far a download is; a program that uses the library hears nothing unless it asks."""

from __future__ import annotations

from fourcc.progress import OnProgress

listener: OnProgress | None = None  # (the file's name, bytes that are here, all bytes)


def tell(name: str, done: int, total: int) -> None:
    """Tells that `done` of a file's `total` bytes are here."""
    if listener is not None:
        listener(name, done, total)
