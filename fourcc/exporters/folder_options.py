"""The settings of a folder that a model is exported to, or of files that are cut."""

from __future__ import annotations

from pathlib import Path

import attrs

from fourcc.container.shard_files import shard_bytes
from fourcc.policy import Policy

SHARD_BYTES = 5 * 10**9  # huggingface_hub's own limit, so that files of several sources are cut alike


@attrs.frozen
class FolderOptions:
    """The settings of a folder.

    Attributes:
        largest: bytes of tensors in one file; None: `SHARD_BYTES`.
        policy: the text that gives the formats, for the card.
        measured: lines on the quality of the whole model, for the card.
        title: of the card, where the model has no name.
    """

    largest: int | None = None
    policy: str = ""
    measured: tuple[str, ...] = ()
    title: str = "Model"


def folder_options(
    shard: str | int | None, output: Path | None, rules: Policy | None, measured: str = ""
) -> FolderOptions:
    """The options of a folder.

    Args:
        shard: bytes of its largest file, such as ``5GB``; None: `SHARD_BYTES`.
        output: the folder.
        rules: that give the formats.
        measured: a line on the quality of the whole model; empty: nothing was measured.

    Raises:
        UsageError: the bytes are misspelled.
    """
    largest = None if shard is None else shard_bytes(shard)
    title = output.name if output is not None and output.name else "Model"
    return FolderOptions(largest, "" if rules is None else rules.text, (measured,) if measured else (), title)
