"""Notes on tensors with unknown names that would be known without a prefix, or that belong to an adapter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized

from fourcc.naming import to_fourcc

_ADAPTER = (".lora_A.", ".lora_B.")
_DEEPEST = 3  # words of a prefix


def notes_on_names(names: Iterable[str], spelling: str) -> Iterator[str]:
    """A note with an example for every prefix that hides known names; one note on tensors of an adapter.

    Args:
        names: of all tensors; known ones are passed over.
        spelling: `fourcc.naming`'s.
    """
    behind: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        prefix, known = _known_behind(name, spelling)
        if known is not None:
            behind.setdefault(prefix, []).append((name, known))
    for prefix, pairs in sorted(behind.items()):
        (name, known), begin = min(pairs), f" that begin with {prefix!r}" if prefix else ""
        yield f"{_counted(pairs)} unknown names{begin}: {name} would be known as {known}"
    adapters = [name for name in names if any(word in name for word in _ADAPTER)]
    if adapters:
        yield f"{_counted(adapters)} the names of a LoRA adapter's: merge it into the model first"


def _counted(tensors: Sized) -> str:
    return "1 tensor has" if len(tensors) == 1 else f"{len(tensors)} tensors have"


def _known_behind(name: str, spelling: str) -> tuple[str, str | None]:
    """The prefix to be removed, and the name that is known without it; None where there is no such prefix."""
    words = name.split(".")
    for cut in range(min(_DEEPEST, len(words) - 1) + 1):
        rest = ".".join(words[cut:])
        for meant in (rest, f"model.{rest}"):
            if to_fourcc(meant, spelling) is not None:
                return "".join(f"{word}." for word in words[:cut]), meant
    return "", None
