"""From untrusted bytes to an `Index`: every field is checked for its type, every number for its range.

No length is trusted: maps and arrays are counted while they are unpacked, sizes are Python integers, and the parts must
follow one another, without hole or overlap, from the head to the index.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from math import isfinite, prod
from typing import Any

from fourcc.container.fields import ARRAY, BYTES, DTYPE, MAP, MAX_HYPER, NUMBER, REAL, TEXT, Fields, Schema, unpack
from fourcc.container.index import (
    BlobRecord,
    ErrorRecord,
    FeedbackRecord,
    Index,
    PartRecord,
    Provider,
    Scalar,
    ShardRecord,
    SourceRecord,
    TensorRecord,
)
from fourcc.container.layout import HEAD_BYTES, aligned
from fourcc.dtypes import itemsize
from fourcc.errors import IndexDamageError, TableError, UnknownVersionError
from fourcc.tags import FourCC

SHARDS = "shards"  # the feature of a file that holds a part of a model
FEATURES = frozenset({SHARDS})  # what `requires` may name
DIGEST_BYTES = 16  # XXH3-128
ID_BYTES = 32  # BLAKE2b-256
MOST_SHARDS = 99_999  # five digits

# Every key of every map of the index, as in the tables of specs/container.md.

PART: Schema = {"name": TEXT, "dtype": DTYPE, "shape": ARRAY, "offset": NUMBER, "nbytes": NUMBER, "sums": BYTES}
BLOB: Schema = {"name": TEXT, "offset": NUMBER, "nbytes": NUMBER, "sums": BYTES}
ERROR: Schema = {"relative_rmse": REAL.or_nil(), "sqnr_db": REAL.or_nil(), "max_error": REAL}
SOURCE: Schema = {"kind": TEXT, "nbytes": NUMBER, "digest": BYTES}
PROVIDER: Schema = {"distribution": TEXT, "version": TEXT}
TENSOR: Schema = {
    "name": TEXT,
    "source_name": TEXT,
    "tag": TEXT,
    "shape": ARRAY,
    "params": MAP,
    "options": MAP,
    "parts": ARRAY,
    "rule": NUMBER.or_nil(),
    "encoder_version": NUMBER.or_nil(),
    "error": MAP.or_nil(),
    "aids": BYTES.or_nil(),
    "provider": NUMBER.or_nil(),
}
FEEDBACK: Schema = {"method": TEXT, "damping": REAL, "order": TEXT, "hessian": BYTES}
OF_SOME: Schema = {"feedback": MAP}  # keys that only some tensors have
INDEX: Schema = {
    "tensors": ARRAY,
    "blobs": ARRAY,
    "architecture": TEXT.or_nil(),
    "hyper": MAP,
    "sources": ARRAY,
    "providers": ARRAY,
    "requires": ARRAY,
}
SHARD: Schema = {"number": NUMBER, "count": NUMBER, "whole": BYTES}
OF_SHARDS: Schema = {"shard": MAP}  # keys that only files have which require the feature


def parse_index(data: bytes, end: int, file: object) -> Index:
    """The index of a file.

    Args:
        data: msgpack.
        end: offset at which the index starts; the payload must end there.
        file: for messages.

    Raises:
        IndexDamageError: the data are not the msgpack of an index.
        TableError: the description of a tensor or blob cannot be true.
    """
    tree = unpack(data, file)
    if isinstance(tree.get("hyper"), dict) and len(tree["hyper"]) > MAX_HYPER:
        found, expected = f"{len(tree['hyper'])} of them", f"at most {MAX_HYPER}"
        raise TableError("too many hyper-parameters", file=file, found=found, expected=expected)
    _check_features(Fields(tree, {"requires": ARRAY}, file, "index"), file)
    root = Fields(tree, INDEX, file, "index")
    index = Index(
        tensors=tuple(map(_tensor, root.maps("tensors", TENSOR))),
        blobs=tuple(map(_blob, root.maps("blobs", BLOB))),
        architecture=tree["architecture"],
        hyper={name: _setting(root, name, value) for name, value in tree["hyper"].items()},
        sources=tuple(map(_source, root.maps("sources", SOURCE))),
        providers=tuple(_provider(fields.tree) for fields in root.maps("providers", PROVIDER)),
        requires=tuple(tree["requires"]),
        shard=_shard(root, file) if SHARDS in tree["requires"] else None,
        extra=root.unknown({**INDEX, **(OF_SHARDS if SHARDS in tree["requires"] else {})}),
    )
    _check_names(index, file)
    _check_offsets(index, end, file)
    return index


def _check_features(root: Fields, file: object) -> None:
    """Refuses a file that needs a newer reader, before anything else is read."""
    features = root.tree["requires"]
    if any(type(feature) is not str for feature in features):
        root.fail("requires", features, "an array of texts")
    for feature in features:
        if feature not in FEATURES:
            raise UnknownVersionError(
                f"the file requires the feature {feature!r}, which this version does not know",
                file=file,
                hint="Upgrade fourcc.",
            )


def _shard(root: Fields, file: object) -> ShardRecord:
    """The place of a file that requires the feature of shards."""
    Fields(root.tree, OF_SHARDS, file, "index")
    fields = root.map("shard", SHARD)
    number, count, whole = (fields.tree[name] for name in SHARD)
    if not 1 <= count <= MOST_SHARDS:
        fields.fail("count", count, f"1 to {MOST_SHARDS}")
    if not 1 <= number <= count:
        fields.fail("number", number, f"1 to {count}")
    if len(whole) != ID_BYTES:
        fields.fail("whole", whole, f"{ID_BYTES} bytes")
    return ShardRecord(number, count, whole)


def _provider(tree: Mapping[str, Any]) -> Provider:
    return Provider(tree["distribution"], tree["version"])


def _tensor(fields: Fields) -> TensorRecord:
    tree, name = fields.tree, fields.name()
    fields.tensor = name
    return TensorRecord(
        name=name,
        source_name=tree["source_name"],
        tag=_tag(fields),
        shape=fields.shape(),
        params=_settings(fields, "params"),
        options=_settings(fields, "options"),
        parts=tuple(map(_part, fields.maps("parts", PART, tensor=name))),
        rule=tree["rule"],
        encoder_version=tree["encoder_version"],
        error=None if tree["error"] is None else _error(fields.map("error", ERROR, tensor=name).tree),
        aids=tree["aids"],
        provider=tree["provider"],
        feedback=_feedback(fields) if "feedback" in tree else None,
        extra=fields.unknown({**TENSOR, **OF_SOME}),
    )


def _feedback(fields: Fields) -> FeedbackRecord:
    if type(fields.tree["feedback"]) is not dict:
        fields.fail("feedback", fields.tree["feedback"], MAP.words)
    tree = fields.map("feedback", FEEDBACK, tensor=fields.tensor or "").tree
    return FeedbackRecord(tree["method"], tree["damping"], tree["order"], tree["hessian"])


def _error(tree: Mapping[str, Any]) -> ErrorRecord:
    return ErrorRecord(tree["relative_rmse"], tree["sqnr_db"], tree["max_error"])


def _tag(fields: Fields) -> FourCC:
    code = fields.tree["tag"]
    try:
        return _known_tag(code)
    except ValueError:
        fields.fail("tag", code, "four of A-Z a-z 0-9 _, the first a letter, spaces only at the end")


@functools.lru_cache(256)  # a file has a handful
def _known_tag(code: str) -> FourCC:
    return FourCC(code.encode("ascii", "replace"))


def _part(fields: Fields) -> PartRecord:
    name, dtype, nbytes = fields.name(), fields.dtype(), fields.tree["nbytes"]
    shape = fields.shape(itemsize(dtype))
    expected = prod(shape) * itemsize(dtype)
    if nbytes != expected:
        fields.fail("nbytes", nbytes, f"{expected}, which its shape {shape} and dtype give")
    return PartRecord(name, dtype, shape, fields.tree["offset"], nbytes, fields.sums(nbytes))


def _blob(fields: Fields) -> BlobRecord:
    nbytes = fields.tree["nbytes"]
    return BlobRecord(fields.name(), fields.tree["offset"], nbytes, fields.sums(nbytes))


def _source(fields: Fields) -> SourceRecord:
    digest = fields.tree["digest"]
    if len(digest) != DIGEST_BYTES:
        fields.fail("digest", digest, f"{DIGEST_BYTES} bytes")
    return SourceRecord(fields.tree["kind"], fields.tree["nbytes"], digest)


def _settings(fields: Fields, name: str) -> dict[str, Scalar]:
    return {key: _scalar(fields, f"{name}.{key}", value) for key, value in fields.tree[name].items()}


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
    """Refuses parts and blobs that do not follow one another, each at the next multiple of 64, up to the index."""
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
            "the payload does not end where the index begins",
            file=file,
            found=f"index at {end}",
            expected=f"index at {offset}",
        )
