"""From untrusted bytes to an `Index`: every field checked for its type, every number for its range.

Nothing here trusts a length: maps and arrays are counted while they are unpacked, sizes are Python integers, and the
parts must lie one behind the other, without hole or overlap, from the head to the index.
"""

from __future__ import annotations

import functools
from math import isfinite, prod

from fourcc.container.fields import Fields, unpack
from fourcc.container.index import (
    BlobRecord,
    ErrorRecord,
    Index,
    PartRecord,
    Provider,
    Scalar,
    SourceRecord,
    TensorRecord,
)
from fourcc.container.layout import HEAD_BYTES, SUM_BYTES, aligned, sum_count
from fourcc.dtypes import itemsize
from fourcc.errors import IndexDamageError, TableError
from fourcc.tags import FourCC

FEATURES: frozenset[str] = frozenset()  # what `requires` may name; version 1.0 has none


def parse_index(data: bytes, end: int, file: object) -> Index:
    """The index of a file.

    Args:
        data: msgpack.
        end: offset at which the index starts, where the payload must end.
        file: for messages.

    Raises:
        IndexDamageError: not the msgpack of an index.
        TableError: a tensor or blob whose description cannot be true.
    """
    root = Fields(unpack(data, file), file, None, "index")
    requires = tuple(root.texts("requires"))
    for feature in requires:
        if feature not in FEATURES:
            raise IndexDamageError(
                f"the file requires the feature {feature!r}, which this version does not know",
                file=file,
                hint="Upgrade fourcc.",
            )
    index = Index(
        tensors=tuple(_tensor(item, file) for item in root.maps("tensors")),
        blobs=tuple(_blob(item, file) for item in root.maps("blobs")),
        architecture=root.optional("architecture", root.text),
        hyper={name: _setting(root, name, value) for name, value in root.mapping("hyper").items()},
        sources=tuple(_source(item, file) for item in root.maps("sources")),
        providers=tuple(_provider(item, file) for item in root.maps("providers")),
        requires=requires,
        extra=root.unknown(Index),
    )
    _check_names(index, file)
    _check_offsets(index, end, file)
    return index


def _tensor(bare: Fields, file: object) -> TensorRecord:
    name = bare.name()
    fields = Fields(bare.tree, file, name, bare.where)
    error_fields = fields.optional("error", fields.mapping)
    return TensorRecord(
        name=name,
        source_name=fields.text("source_name"),
        tag=_tag(fields),
        shape=fields.shape(),
        params=_settings(fields, "params"),
        options=_settings(fields, "options"),
        parts=tuple(map(_part, fields.maps("parts"))),
        rule=fields.optional("rule", fields.number),
        encoder_version=fields.optional("encoder_version", fields.number),
        error=None if error_fields is None else _error(Fields(error_fields, file, name, "error")),
        aids=fields.optional("aids", fields.binary),
        provider=fields.optional("provider", fields.number),
        extra=fields.unknown(TensorRecord),
    )


def _tag(fields: Fields) -> FourCC:
    code = fields.text("tag")
    try:
        return _known_tag(code)
    except ValueError:
        fields.fail("tag", code, "four of A-Z a-z 0-9 _, the first a letter, spaces only at the end")


@functools.lru_cache(256)
def _known_tag(code: str) -> FourCC:
    return FourCC(code.encode("ascii", "replace"))


def _part(fields: Fields) -> PartRecord:
    dtype, shape, nbytes = fields.dtype(), fields.shape(), fields.number("nbytes")
    expected = prod(shape) * itemsize(dtype)
    if nbytes != expected:
        fields.fail("nbytes", nbytes, f"{expected}, which its shape {shape} and dtype give")
    return PartRecord(
        fields.name(),
        dtype,
        shape,
        fields.number("offset"),
        nbytes,
        fields.binary("sums", SUM_BYTES * sum_count(nbytes)),
    )


def _error(fields: Fields) -> ErrorRecord:
    return ErrorRecord(
        fields.optional("relative_rmse", fields.real),
        fields.optional("sqnr_db", fields.real),
        fields.real("max_error"),
    )


def _blob(fields: Fields, _: object) -> BlobRecord:
    nbytes = fields.number("nbytes")
    sums = fields.binary("sums", SUM_BYTES * sum_count(nbytes))
    return BlobRecord(fields.name(), fields.number("offset"), nbytes, sums)


def _source(fields: Fields, _: object) -> SourceRecord:
    return SourceRecord(fields.text("kind"), fields.number("nbytes"), fields.binary("digest", 16))


def _provider(fields: Fields, _: object) -> Provider:
    return Provider(fields.text("distribution"), fields.text("version"))


def _settings(fields: Fields, name: str) -> dict[str, Scalar]:
    return {key: _scalar(fields, f"{name}.{key}", value) for key, value in fields.mapping(name).items()}


def _setting(fields: Fields, name: str, value: object) -> Scalar | list[Scalar]:
    if isinstance(value, list):
        return [_scalar(fields, name, item) for item in value]
    return _scalar(fields, name, value)


def _scalar(fields: Fields, name: str, value: object) -> Scalar:
    if not isinstance(value, (bool, int, float, str)) or (isinstance(value, float) and not isfinite(value)):
        fields.fail(name, value, "a truth value, a finite number or a text")
    return value


def _check_names(index: Index, file: object) -> None:
    for kind, records in (("tensor", index.tensors), ("blob", index.blobs)):
        seen: set[str] = set()
        for record in records:
            if record.name in seen:
                raise TableError(f"two {kind}s have one name", file=file, tensor=record.name)
            seen.add(record.name)
    for tensor in index.tensors:
        if len({part.name for part in tensor.parts}) != len(tensor.parts):
            raise TableError("two parts have one name", file=file, tensor=tensor.name)
        if tensor.provider is not None and tensor.provider >= len(index.providers):
            raise TableError("no such provider", file=file, tensor=tensor.name, found=tensor.provider)


def _check_offsets(index: Index, end: int, file: object) -> None:
    """Parts and blobs lie one behind the other, each at the next multiple of 64, up to the index."""
    offset = HEAD_BYTES
    regions: list[tuple[str, PartRecord | BlobRecord]] = [(t.name, part) for t in index.tensors for part in t.parts]
    regions += [(blob.name, blob) for blob in index.blobs]
    for tensor, region in regions:
        if region.offset != offset or offset + region.nbytes > end:
            raise TableError(
                f"{region.name!r} of {region.nbytes} bytes does not follow what lies before it",
                file=file,
                tensor=tensor,
                found=f"offset {region.offset}",
                expected=f"offset {offset}, ending at {end} at the latest",
            )
        offset = aligned(offset + region.nbytes)
    if offset != end:
        raise IndexDamageError(
            "payload and index do not meet", file=file, found=f"index at {end}", expected=f"index at {offset}"
        )
