"""Writes files of other projects: one module for each kind of file, chosen by the output's suffix or by name.

Those of third parties are plugins (`fourcc.exporters.plugged`).
"""

from __future__ import annotations

from pathlib import Path

import attrs

from fourcc.errors import PluginError, UsageError
from fourcc.exporters import gguf, llama2c, safetensors
from fourcc.exporters.folder import LAYOUTS, folder_kind
from fourcc.exporters.folder import NAME as FOLDER
from fourcc.exporters.folder_options import FolderOptions
from fourcc.exporters.layout import ExportKind, FileCut
from fourcc.exporters.plugged import plugged_exporters
from fourcc.exporters.shards import STEM
from fourcc.plugins.loading import ONE_OF_TWO

KINDS: dict[str, ExportKind] = {kind.name: kind for kind in (gguf.KIND, safetensors.KIND, *llama2c.KINDS)}
FOLDERS: dict[str, ExportKind] = {name: folder_kind(name) for name in (FOLDER, *LAYOUTS)}
PLUGGED = plugged_exporters({**KINDS, **FOLDERS})


def kind_of(output: Path | None, name: str | None, options: FolderOptions | None = None) -> ExportKind:
    """The kind of file that the user asks for.

    Args:
        output: the output; where no name is given its suffix decides, and a folder, or a name without one, is a folder.
        name: the kind, as ``--to`` takes it.
        options: of a folder.

    Raises:
        UsageError: there is no such kind, or neither the name nor the suffix tells it.
        PluginError: it is that of a plugin which is broken, or of several.
    """
    kind = _of_output(output) if name is None else KINDS.get(name) or FOLDERS.get(name) or PLUGGED.named(name)
    if kind is not None:
        return folder_kind(kind.name, options) if kind.name in FOLDERS else _cut_kind(kind, output, options)
    known = ", ".join([*KINDS, *FOLDERS, *PLUGGED.names()])
    if name is not None:
        raise UsageError(f"--to {name!r} is no kind of file that can be written", expected=f"one of {known}")
    what, broken = "the output's name does not tell what it should be", PLUGGED.broken()
    unusable = "".join(f" {each.entry.name} of {each.entry.owner} cannot be used: {each.reason}." for each in broken)
    raise UsageError(what, file=output, hint=f"Add --to with one of {known}.{unusable}")


def _cut_kind(kind: ExportKind, output: Path | None, options: FolderOptions | None) -> ExportKind:
    """The kind, whose files are cut where a size is asked for. Raises UsageError where they cannot be."""
    if options is None or options.largest is None:
        return kind
    if kind.lay_out_cut is None:
        cuttable = ", ".join([*(each.name for each in KINDS.values() if each.lay_out_cut), "folders"])
        what = f"--shard-size does nothing here: {kind.name} is always one file"
        raise UsageError(what, file=output, hint=f"These are cut: {cuttable}.")
    name = STEM if output is None else output.name.removesuffix(kind.suffix)
    lay_out, cut = kind.lay_out_cut, FileCut(name, options.largest)
    return attrs.evolve(kind, lay_out=lambda source, steps: lay_out(source, steps, cut))


def _of_output(output: Path | None) -> ExportKind | None:
    """The kind that an output's name asks for, one of this package's if possible; None where there is none."""
    if output is None:
        return None
    suffix = output.suffix.lower()
    if not suffix or output.is_dir():
        return FOLDERS[FOLDER]
    own = next((kind for kind in KINDS.values() if kind.suffix == suffix), None)
    if own is not None:
        return own
    claims = [(kind, entry) for kind, entry in PLUGGED.working() if kind.suffix == suffix]
    if len(claims) > 1:
        owners = " and by ".join(f"{kind.name} of {entry.owner}" for kind, entry in claims)
        raise PluginError(f"the suffix {suffix} is claimed by {owners}", file=output, hint=ONE_OF_TWO)
    return claims[0][0] if claims else None
