"""How long work reports its progress: it calls a function with a name and two counts."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[str, int, int], None]  # (the tensor's name or "", units done, all units)
DONE_BEFORE = "what was done before"  # the name with which a resumed run counts it
Count = Callable[[str, int], None]  # (the tensor's name or "", units just done)


def counter(total: int, progress: OnProgress | None) -> Count:
    """A function that takes a tensor's name and the number of units just done, and reports their sum."""
    done = 0

    def count(name: str, units: int) -> None:
        nonlocal done
        done += units
        if progress is not None:
            progress(name, done, total)

    return count
