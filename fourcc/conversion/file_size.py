"""The length of the model.bin that a conversion makes, before a weight is read.

All but the contents of parts is known: where parts and blobs lie, and the length of every field of the index. So the
index is made with stand-ins of the same length, and packed. The result is exact, but for two things:

* The measured error of an encoded tensor is taken for numbers of 9 bytes. A measure that is not finite, such as the
  SQNR of a tensor that loses nothing, is stored as nil, 8 bytes shorter. So the file may be shorter by up to 16 bytes
  for each encoded tensor, and never longer.
* A part of variable length is taken to share what the format's nominal bits leave. That is an estimate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod

from fourcc.container.index import BlobRecord, ErrorRecord, Index, PartRecord, Provider, SourceRecord, TensorRecord
from fourcc.container.layout import HEAD_BYTES, SUM_BYTES, TAIL_BYTES, aligned, sum_count
from fourcc.container.writer import packed_index
from fourcc.conversion.pipeline import Step, copied_record, feedback_record, new_record, number_of, provider_of
from fourcc.dtypes import itemsize
from fourcc.plugins.registry import registry
from fourcc.policy import Decision
from fourcc.sources.source import Source

DIGEST = bytes(16)  # stands for the digest of calibration data, and of a source's file
ERROR = ErrorRecord(1.0, 1.0, 1.0)


def file_bytes(source: Source, blobs: Mapping[str, bytes], steps: Iterable[Step]) -> int:
    """The length in bytes of the model.bin that a conversion makes.

    Args:
        source: the opened checkpoint.
        blobs: the file's, by name.
        steps: the tensors in their order. Steps that will have calibration data have some, whatever their values.

    Raises:
        OSError: a file of the source is gone.
        PluginError: a format is missing or broken.
        TableError: the index would hold a value that a file cannot store.
    """
    offset, tensors, providers = HEAD_BYTES, [], dict[Provider, int]()
    for step in steps:
        parts = parts_from(step, offset)
        offset = aligned(parts[-1].offset + parts[-1].nbytes) if parts else offset
        provider = number_of(providers, provider_of(step))
        tensors.append(copied_record(step, parts, provider) if step.copied else _record(step, parts, provider))
    stored, end = _blobs(blobs, offset)
    index = Index(
        tensors=tuple(tensors),
        blobs=tuple(stored),
        architecture=source.architecture,
        hyper=source.hyper,
        sources=tuple(SourceRecord(source.kind, path.stat().st_size, DIGEST) for path in source.files),
        providers=tuple(providers),
    )
    return end + len(packed_index(index)) + TAIL_BYTES


def _record(step: Step, parts: tuple[PartRecord, ...], provider: int | None) -> TensorRecord:
    """The record of a tensor that is not copied, with stand-ins."""
    error = None if step.decision.keep else ERROR
    return new_record(step, parts, error, _aids(step), provider, feedback_record(step, lambda _: DIGEST))


def parts_from(step: Step, offset: int) -> tuple[PartRecord, ...]:
    """The parts of a tensor, one after the other from an offset on, as the container's writer places them.

    Their checksums are stand-ins, and the length of a part of variable length is an estimate. The next tensor begins
    behind the last part, at a multiple of `ALIGNMENT`.
    """
    records = []
    for part in _copied_parts(step) if step.copied else _new_parts(step.source.shape, step.decision):
        records.append(part._replace(offset=offset, sums=_sums(part.nbytes)))
        offset = aligned(offset + part.nbytes)
    return tuple(records)


def _copied_parts(step: Step) -> tuple[PartRecord, ...]:
    assert step.source.record is not None
    return step.source.record.parts


def _new_parts(shape: tuple[int, ...], decision: Decision) -> list[PartRecord]:
    """The parts of a tensor that a format encodes; those of variable length lie last, and are as long as estimated."""
    spec = registry[decision.tag]
    shapes = spec.part_shapes(shape, decision.params)
    known = sum(prod(shapes[part.name]) * itemsize(part.dtype) for part in spec.parts)
    loose = sum(part.variable for part in spec.parts)
    records = []
    for part in sorted(spec.parts, key=lambda part: part.variable):
        size = itemsize(part.dtype)
        entries = -(-max(0, decision.nbytes - known) // (size * loose)) if part.variable else 0
        stored = (entries,) if part.variable else shapes[part.name]
        records.append(PartRecord(part.name, part.dtype, stored, 0, prod(stored) * size, b""))
    return records


def _blobs(contents: Mapping[str, bytes], offset: int) -> tuple[list[BlobRecord], int]:
    """The records of blobs, and where the index begins."""
    records = []
    for name, data in contents.items():
        records.append(BlobRecord(name, offset, len(data), _sums(len(data))))
        offset = aligned(offset + len(data))
    return records, offset


def _sums(nbytes: int) -> bytes:
    return bytes(SUM_BYTES * sum_count(nbytes))


def _aids(step: Step) -> bytes | None:
    """A stand-in for the digest of the calibration data that the encoder sees; None where it sees none."""
    if step.decision.keep or step.aids.restricted(registry[step.decision.tag].sees).empty:
        return None
    return DIGEST
