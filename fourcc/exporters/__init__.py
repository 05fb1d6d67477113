"""Writes files of other projects: one module for each kind of file, chosen by the output's suffix or by name.

Those of third parties are plugins (`fourcc.exporters.plugged`).
"""

from __future__ import annotations

from pathlib import Path

from fourcc.errors import PluginError, UsageError
from fourcc.exporters import gguf, llama2c, safetensors
from fourcc.exporters.layout import ExportKind
from fourcc.exporters.plugged import plugged_exporters
from fourcc.plugins.loading import ONE_OF_TWO

KINDS: dict[str, ExportKind] = {kind.name: kind for kind in (gguf.KIND, safetensors.KIND, *llama2c.KINDS)}
PLUGGED = plugged_exporters(KINDS)


def kind_of(output: Path | None, name: str | None) -> ExportKind:
    """The kind of file that the user asks for.

    Args:
        output: the output file; its suffix decides where no name is given.
        name: the kind, as ``--to`` takes it.

    Raises:
        UsageError: there is no such kind, or neither the name nor the suffix tells it.
        PluginError: it is that of a plugin which is broken, or of several.
    """
    kind = _of_suffix(output) if name is None else KINDS.get(name) or PLUGGED.named(name)
    if kind is not None:
        return kind
    known = ", ".join([*KINDS, *PLUGGED.names()])
    if name is not None:
        raise UsageError(f"--to {name!r} is no kind of file that can be written", expected=f"one of {known}")
    what, broken = "the output's name does not tell what it should be", PLUGGED.broken()
    unusable = "".join(f" {each.entry.name} of {each.entry.owner} cannot be used: {each.reason}." for each in broken)
    raise UsageError(what, file=output, hint=f"Add --to with one of {known}.{unusable}")


def _of_suffix(output: Path | None) -> ExportKind | None:
    """The kind that a suffix asks for, one of this package's if possible; None where there is none."""
    suffix = "" if output is None else output.suffix.lower()
    if not suffix:
        return None
    own = next((kind for kind in KINDS.values() if kind.suffix == suffix), None)
    if own is not None:
        return own
    claims = [(kind, entry) for kind, entry in PLUGGED.working() if kind.suffix == suffix]
    if len(claims) > 1:
        owners = " and by ".join(f"{kind.name} of {entry.owner}" for kind, entry in claims)
        raise PluginError(f"the suffix {suffix} is claimed by {owners}", file=output, hint=ONE_OF_TWO)
    return claims[0][0] if claims else None
