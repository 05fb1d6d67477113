"""model.bin as a source: ordinary reads, and the sums of a tensor are checked before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from math import prod
from pathlib import Path

import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.container.declared_parts import fitting_shapes
from fourcc.container.index import PartRecord, TensorRecord
from fourcc.container.layout import CHUNK
from fourcc.container.reader import ModelFile
from fourcc.dtypes import itemsize, numpy_dtype
from fourcc.errors import PluginError
from fourcc.geometry import split_shape
from fourcc.networks import NETWORKS
from fourcc.part import Part
from fourcc.plugins.registry import registry
from fourcc.sources.model_tensors import incomplete
from fourcc.sources.source import Source, SourceTensor
from fourcc.threads import Once

POLICY_BLOB = "policy.toml"


def open_model_bin(path: Path, fd: int | None = None) -> Source:
    """A container as a source. Takes and raises what `fourcc.container.reader.ModelFile` does."""
    model = ModelFile(path, fd=fd)
    try:
        return _source(path, model)
    except BaseException:
        model.close()
        raise


def _source(path: Path, model: ModelFile) -> Source:
    blobs = {blob.name: model.blob(blob.name) for blob in model.index.blobs}
    policy = blobs.pop(POLICY_BLOB, None)
    tensors = tuple(_tensor(model, record) for record in model.index.tensors)
    network = NETWORKS.get(model.index.architecture or "")
    gap = incomplete(network, tensors, model.index.hyper) if tensors and network is not None else None
    return Source(
        path=path,
        kind="model.bin",
        tensors=tensors,
        files=model.files,
        companions=() if model.listed is None else (model.listed.path,),
        architecture=model.index.architecture,
        hyper=model.index.hyper,
        blobs=blobs,
        notes=() if gap is None else (gap,),
        policy=policy,
        close=model.close,
    )


def _tensor(model: ModelFile, record: TensorRecord) -> SourceTensor:
    reader = _TensorReader(model, record)
    provider = None if record.provider is None else model.index.providers[record.provider]
    return SourceTensor(
        name=record.name,
        source_name=record.source_name,
        shape=record.shape,
        tag=record.tag,
        params=record.params,
        read=reader.rows,
        record=record,
        provider=provider,
        copy=reader.copy,
    )


class _TensorReader:
    """Reads one tensor; its format is needed only when rows are read."""

    def __init__(self, model: ModelFile, record: TensorRecord) -> None:
        self._model = model
        self._record = record
        self._intact = Once(self._refuse_damage)

    def copy(self, part: PartRecord) -> Iterator[bytes]:
        """A part's bytes, in runs."""
        if self._record.tag in registry:
            with suppress(PluginError):  # broken: then as if it were not installed
                fitting_shapes(self._record, registry[self._record.tag], self._model.path)
        self._intact()
        for start in range(0, part.nbytes, CHUNK):
            yield bytes(self._model.file.read(part.offset + start, min(CHUNK, part.nbytes - start)))

    def rows(self, matrix: int, first: int, last: int) -> Parts:
        """Parts of the rows first..last of a matrix."""
        self._intact()
        spec = registry[self._record.tag]
        shapes = fitting_shapes(self._record, spec, self._model.path)
        stored = {part.name: part for part in self._record.parts}
        return {
            part.name: self._run(part, stored[part.name], shapes[part.name], matrix, first, last) for part in spec.parts
        }

    def _run(self, part: Part, stored: PartRecord, shape: tuple[int, ...], matrix: int, first: int, last: int) -> Array:
        """Entries of one part."""
        lead, _, _ = split_shape(self._record.shape)
        one = stored.shape if part.variable else shape[len(lead) :]  # one matrix's
        if part.rows is None or part.variable:
            start, one_run = 0, one
        else:
            start = first // part.rows
            one_run = (-(-last // part.rows) - start, *one[1:])
        size = itemsize(part.dtype)
        begin = stored.offset + size * (matrix * prod(one) + start * prod(one[1:]))
        data = self._model.file.read(begin, size * prod(one_run))
        return np.frombuffer(data, numpy_dtype(part.dtype)).reshape(one_run)

    def _refuse_damage(self) -> None:
        self._model.refuse_damage(self._record)
