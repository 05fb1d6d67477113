"""The result of a conversion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from fourcc.container.index import Index
from fourcc.container.tensor_mapping import tensor_fields
from fourcc.records import Records


@attrs.frozen(repr=False)
class Result(Records):
    """The result of a conversion.

    Attributes:
        path: the output.
        digest: the file's id.
        index: the output's index.
        notes: the plan's notes, and one on tensors of which hardly anything is left.
        files: the files that hold the model: the output, or its shards, whose list the output then is.
    """

    path: Path
    digest: bytes
    index: Index
    notes: tuple[str, ...]
    files: tuple[Path, ...]

    def records(self) -> list[dict[str, Any]]:
        """The output's tensors, with the fields of `fourcc.open(path).records()`."""
        tied = bool(self.index.hyper.get("tied_embeddings", False))
        return [
            tensor_fields(each.name, each.shape, str(each.tag), each.nbytes, each, tied=tied)
            for each in self.index.tensors
        ]

    def _repr_html_(self) -> str:
        """HTML for notebooks: the output's tensors as a map of layers and kinds."""
        from fourcc.drawing import notebook

        notes = {f"note {number}": note for number, note in enumerate(self.notes, 1)}
        return notebook.output(
            notebook.heading(repr(self).strip("<>").replace(str(self.path), self.path.name)),
            notebook.known_facts(notes),
            notebook.tensors(self.records()),
        )

    def __repr__(self) -> str:
        tensors, bits = len(self.index.tensors), float(self.index.bits_per_weight)
        return f"<Result {self.path}: {tensors} tensors, {self.index.weights} weights, {bits:.4g} bits per weight>"
