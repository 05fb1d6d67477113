"""Tells whoever listens how far a download is; a program that uses the library hears nothing unless it asks."""

from __future__ import annotations

from fourcc.progress import OnProgress

_LISTENERS: list[OnProgress] = []


def listen(listener: OnProgress) -> None:
    """Has every download told to a function from now on, in place of another: the file, bytes there, all bytes."""
    _LISTENERS[:] = [listener]


def stop() -> None:
    """Tells nobody any more."""
    _LISTENERS.clear()


def tell(name: str, done: int, total: int) -> None:
    """Tells that `done` of a file's `total` bytes are here."""
    for listener in _LISTENERS:
        listener(name, done, total)
