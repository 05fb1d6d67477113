"""Writes files of other projects: one module for each kind of file, chosen by the output's suffix or by name."""

from __future__ import annotations

from pathlib import Path

from fourcc.errors import UsageError
from fourcc.exporters import gguf, llama2c, safetensors
from fourcc.exporters.layout import FileKind

KINDS: dict[str, FileKind] = {kind.name: kind for kind in (gguf.KIND, safetensors.KIND, *llama2c.KINDS)}


def kind_of(output: Path | None, name: str | None) -> FileKind:
    """The kind of file that the user asks for.

    Args:
        output: the output file; its suffix decides where no name is given.
        name: the kind, as ``--to`` takes it.

    Raises:
        UsageError: there is no such kind, or neither the name nor the suffix tells it.
    """
    known = ", ".join(KINDS)
    if name is not None:
        if name not in KINDS:
            raise UsageError(f"--to {name!r} is no kind of file that can be written", expected=f"one of {known}")
        return KINDS[name]
    suffix = "" if output is None else output.suffix.lower()
    kind = next((kind for kind in KINDS.values() if kind.suffix and kind.suffix == suffix), None)
    if kind is None:
        what = "the output's name does not tell what it should be"
        raise UsageError(what, file=output, hint=f"Add --to with one of {known}.")
    return kind
