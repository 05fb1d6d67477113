"""The note of a command that compiles kernels: it happens once, and can be done beforehand."""

from __future__ import annotations

from fourcc.cli.render import terminal
from fourcc.kernels.compiler import announcing

COLD = (
    "kernels are compiled for this machine, once: 10 to 60 s for a model. "
    "`fourcc cache build` compiles those of all formats beforehand."
)


def tell(*, quiet: bool) -> None:
    """Has the first kernel that this process compiles told of on stderr, where there is something to know."""
    told = quiet

    def listen(_: str) -> None:
        nonlocal told
        if not told:
            told = True
            terminal.notes(_notes())

    announcing.listener = listen


def _notes() -> list[str]:
    """The note, if the cache holds nothing of this version yet, or keeps nothing."""
    from fourcc import compute

    why = compute.why_not_kept()
    if why is not None:
        folder = compute.cache_folder()
        return [f"compiled kernels are not kept in {folder}: {why}. FOURCC_CACHE=FOLDER keeps them elsewhere."]
    return [] if compute.current_entries() else [COLD]
