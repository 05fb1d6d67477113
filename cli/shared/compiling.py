"""The note of a command that compiles kernels: it happens once, and can be done beforehand."""

from __future__ import annotations

from fourcc.cli.render import terminal
from fourcc.kernels.compiler import announcing

COMPILING = (
    "kernels are compiled for this machine, once: 10 to 60 s for a model. "
    "`fourcc cache build` compiles those of all formats beforehand."
)
FEW = 2  # kernels that are compiled without a word, if the cache has others: they take a second or so each


def tell(*, quiet: bool) -> None:
    """Tells on stderr, once a process, that kernels are being compiled."""
    compiled, told = 0, quiet

    def listen(_: str) -> None:
        nonlocal compiled, told
        compiled += 1
        if not told and compiled in {1, FEW + 1} and (notes := _notes(compiled)):
            terminal.notes(notes)
            told = True

    announcing.listener = listen


def _notes(compiled: int) -> list[str]:
    """The note when a process compiles its first kernel, or the one after a few; empty if there is nothing to tell."""
    from fourcc import compute

    why = compute.why_not_kept()
    if why is not None:
        folder = compute.cache_folder()
        return [f"compiled kernels are not kept in {folder}: {why}. FOURCC_CACHE=FOLDER keeps them elsewhere."]
    return [COMPILING] if compiled > FEW or not compute.current_entries() else []
