"""How long work tells how far it is: a function that is called with a name and two counts."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[str, int, int], None]  # (the tensor's name or "", units done, all units)


def counter(total: int, progress: OnProgress | None) -> Callable[[str, int], None]:
    """A function that is called with a tensor's name and the units that came to be done, and tells the sum of them."""
    done = 0

    def count(name: str, units: int) -> None:
        nonlocal done
        done += units
        if progress is not None:
            progress(name, done, total)

    return count
