"""The file, or the shards, that workers write into: where each tensor's bytes lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from fourcc.container.index import PartRecord
from fourcc.container.layout import HEAD_BYTES, aligned
from fourcc.container.shard_files import ShardFiles
from fourcc.container.shard_writer import ShardWriter, padded_bytes
from fourcc.container.writer import Writer
from fourcc.files.part_file import PartFile


@attrs.frozen
class Home:
    """The file that a tensor lies in.

    Attributes:
        path: of the file.
        shift: added to an offset of the whole, it gives the one in the file.
    """

    path: Path
    shift: int = 0


@attrs.frozen(eq=False)
class Destination:
    """An output that is open, and its writer.

    Attributes:
        out: the output, entered.
        writer: of it; no tensor has been entered yet.
    """

    out: PartFile | ShardFiles
    writer: Writer

    @property
    def target(self) -> Path:
        """The output's path."""
        return self.out.target

    def homes(self, places: Sequence[tuple[PartRecord, ...]]) -> list[Home]:
        """The file of each tensor; shards are opened now. Asked for once, with the parts of all tensors in order."""
        if not isinstance(self.writer, ShardWriter):
            return [Home(self.out.path)] * len(places)
        assert isinstance(self.out, ShardFiles)
        sizes, offset = [], HEAD_BYTES
        for parts in places:
            sizes.append((offset, padded_bytes(parts)))
            offset = aligned(parts[-1].offset + parts[-1].nbytes) if parts else offset
        runs = self.writer.cut_ahead(sizes)
        return [Home(self.out.shard_path(run.number), run.start - run.begin) for run in runs]

    def write_at(self, offset: int, data: memoryview) -> None:
        """Writes bytes at an offset of the whole."""
        self.writer.write_at(offset, data)

    def add(self, name: str, entry: Mapping[str, Any]) -> None:
        """Notes that a tensor's bytes are written."""
        self.out.add(name, dict(entry))
