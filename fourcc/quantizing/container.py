"""The container that an output's name asks for: a model.bin, a file of another project, or a folder."""

from __future__ import annotations

import os
from pathlib import Path

import attrs

from fourcc.errors import UsageError
from fourcc.exporters import FOLDERS, KINDS, PLUGGED, kind_of
from fourcc.exporters.folder_options import FolderOptions, folder_options
from fourcc.exporters.layout import ExportKind
from fourcc.policy import Policy

OWN, OWN_SUFFIX = "model.bin", ".bin"
QUANTIZED_FOLDER = "compressed-tensors"


@attrs.frozen
class Container:
    """An output, and the kind of file or folder that it is.

    Attributes:
        spelled: the output as the user gave it, perhaps with a slash at its end.
        kind: of the export; None: a model.bin.
        shard: bytes of tensors in one file, as it was asked for.
    """

    spelled: str
    kind: ExportKind | None
    shard: str | int | None = None

    @property
    def output(self) -> Path:
        """The output's path."""
        return Path(self.spelled)

    @property
    def name(self) -> str:
        """For people."""
        return OWN if self.kind is None else self.kind.name

    @property
    def folder(self) -> bool:
        """Whether it is a folder."""
        return self.kind is not None and self.kind.folder


def container_of(
    output: str | Path, to: str | None, shard: str | int | None = None, rules: Policy | None = None, measured: str = ""
) -> Container:
    """The container that an output and the options ask for.

    Args:
        output: ``.gguf`` and other suffixes name a file of their kind, ``.bin`` a model.bin; an existing folder, a name
            without a suffix, or one with a slash at its end is a folder.
        to: the kind, as `fourcc.export` takes it; None: the output tells.
        shard: bytes of tensors in one file, such as ``5GB``; None: one file, or a folder as huggingface_hub cuts it.
        rules: that give the formats, for a folder's card.
        measured: a line on the quality of the whole model, likewise.

    Raises:
        UsageError: the two contradict each other, or nothing tells what is wanted.
        PluginError: the kind is that of a plugin that is broken.
    """
    path = Path(output)
    options = folder_options(shard, path, rules, measured)
    container = Container(str(output), _kind(str(output), path, to, options), shard)
    if container.folder and path.suffix.lower() in _suffixes() and not path.is_dir():
        what = f"{container.name} is a folder, and the output's name ends with {path.suffix}"
        raise UsageError(what, file=path, hint="Name a folder.")
    return container


def _kind(spelled: str, path: Path, to: str | None, options: FolderOptions) -> ExportKind | None:
    if to == OWN:
        return None
    if to is not None:
        return kind_of(path, to, options)
    if path.suffix.lower() == OWN_SUFFIX and not path.is_dir():
        return None
    if spelled.endswith(("/", os.sep)) or path.is_dir() or not path.suffix:
        return kind_of(path, QUANTIZED_FOLDER, options)
    if path.suffix.lower() in _suffixes():
        return kind_of(path, None, options)
    what = "the output's name does not tell what it should be"
    known = ", ".join([OWN, *KINDS, *FOLDERS, *PLUGGED.names()])
    hint = f"End it with .gguf, {OWN_SUFFIX}, or a slash for a folder; or add --to with one of {known}."
    raise UsageError(what, file=spelled, found=path.suffix, hint=hint)


def _suffixes() -> set[str]:
    """Suffixes that name a file of a kind."""
    plugged = [kind.suffix for kind, _ in PLUGGED.working()]
    return {OWN_SUFFIX, *(kind.suffix for kind in KINDS.values()), *plugged} - {""}
