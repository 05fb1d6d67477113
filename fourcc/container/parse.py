"""From untrusted bytes to an `Index`: every field checked for its type, every number for its range.

Nothing here trusts a length: maps and arrays are counted while they are unpacked, sizes are Python integers, and the
parts must lie one behind the other, without hole or overlap, from the head to the index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import isfinite, prod
from typing import Any, NoReturn, TypeVar

import attrs

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
from fourcc.container.layout import CHUNK, HEAD_BYTES, SUM_BYTES, aligned, sum_count
from fourcc.errors import FourccError, IndexDamageError, TableError
from fourcc.spec import DType, itemsize
from fourcc.tags import as_tag

T = TypeVar("T")
Node = TypeVar("Node", dict[str, object], list[object])

FEATURES: frozenset[str] = frozenset()  # what `requires` may name; version 1.0 has none
MAX_DIMENSIONS = 8
MAX_NAME_BYTES = 512
MAX_NUMBER = 2**63 - 1
BYTES_PER_NODE = 12  # an honest index spends more on each map or array; fewer is an attempt to fill the memory


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
    root = _Fields(_unpack(data, file), file, None, "index")
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


def _unpack(data: bytes, file: object) -> Mapping[str, Any]:
    import msgpack

    budget = 1024 + len(data) // BYTES_PER_NODE

    def count(node: Node) -> Node:
        nonlocal budget
        budget -= 1
        if budget < 0:
            raise ValueError("more maps and arrays than an index of its length can have")
        return node

    def pairs(items: list[tuple[object, object]]) -> dict[str, object]:
        tree = {name: value for name, value in items if isinstance(name, str)}
        if len(tree) != len(items):
            raise ValueError("a key twice in one map, or a key that is no text")
        return count(tree)

    def extension(code: int, _: bytes) -> NoReturn:
        raise ValueError(f"extension type {code}")

    try:
        root = msgpack.unpackb(data, object_pairs_hook=pairs, list_hook=count, ext_hook=extension, strict_map_key=False)
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        what = f"the index is not valid msgpack: {type(error).__name__}: {error}"
        raise IndexDamageError(what, file=file) from error
    if not isinstance(root, dict):
        raise IndexDamageError("the index is not a map", file=file, found=type(root).__name__)
    return root


@attrs.frozen
class _Fields:
    """The keys of one map, each read with the type that it must have."""

    tree: Mapping[str, Any]
    file: object
    tensor: str | None
    where: str

    def fail(self, name: str, found: object, expected: str) -> NoReturn:
        shown = repr(found)
        raise TableError(
            f"{self.where}: bad {name!r}",
            file=self.file,
            tensor=self.tensor,
            found=shown if len(shown) <= 80 else f"{shown[:77]}...",
            expected=expected,
        )

    def get(self, name: str) -> Any:  # noqa: ANN401 - what an untrusted file holds
        if name not in self.tree:
            self.fail(name, "nothing", "the key to be there")
        return self.tree[name]

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        return None if self.get(name) is None else read(name)

    def text(self, name: str) -> str:
        value = self.get(name)
        if type(value) is not str:
            self.fail(name, value, "text")
        return value

    def name(self) -> str:
        value = self.text("name")
        if not value or "\0" in value or len(value.encode()) > MAX_NAME_BYTES:
            self.fail("name", value, f"1 to {MAX_NAME_BYTES} bytes without NUL")
        return value

    def number(self, name: str) -> int:
        value = self.get(name)
        if type(value) is not int or not 0 <= value <= MAX_NUMBER:
            self.fail(name, value, "a whole number from 0 to 2^63 - 1")
        return value

    def real(self, name: str) -> float:
        value = self.get(name)
        if type(value) is not float or not isfinite(value):
            self.fail(name, value, "a finite float")
        return value

    def binary(self, name: str, length: int | None = None) -> bytes:
        value = self.get(name)
        if type(value) is not bytes or (length is not None and len(value) != length):
            self.fail(name, value, "bytes" if length is None else f"{length} bytes")
        return value

    def array(self, name: str) -> list[Any]:
        value = self.get(name)
        if type(value) is not list:
            self.fail(name, value, "an array")
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        value = self.get(name)
        if type(value) is not dict:
            self.fail(name, value, "a map")
        return value

    def maps(self, name: str) -> Iterable[_Fields]:
        for number, item in enumerate(self.array(name)):
            if type(item) is not dict:
                self.fail(name, item, "an array of maps")
            yield _Fields(item, self.file, self.tensor, f"{name}[{number}]")

    def texts(self, name: str) -> list[str]:
        values = self.array(name)
        if any(type(value) is not str for value in values):
            self.fail(name, values, "an array of texts")
        return values

    def shape(self) -> tuple[int, ...]:
        dims = self.array("shape")
        if len(dims) > MAX_DIMENSIONS or any(type(dim) is not int or dim < 0 for dim in dims):
            self.fail("shape", dims, f"at most {MAX_DIMENSIONS} whole numbers from 0")
        if prod(dim or 1 for dim in dims) > MAX_NUMBER:
            self.fail("shape", dims, "fewer than 2^63 weights")
        return tuple(dims)

    def unknown(self, record: type[attrs.AttrsInstance]) -> dict[str, object]:
        known = {field.name for field in attrs.fields(record)} - {"extra"}
        return {name: value for name, value in self.tree.items() if name not in known}


def _tensor(bare: _Fields, file: object) -> TensorRecord:
    name = bare.name()
    fields = attrs.evolve(bare, tensor=name)
    try:
        tag = as_tag(fields.text("tag"))
    except ValueError as error:
        fields.fail("tag", fields.get("tag"), str(error))
    error_fields = fields.optional("error", fields.mapping)
    return TensorRecord(
        name=name,
        source_name=fields.text("source_name"),
        tag=tag,
        shape=fields.shape(),
        params=_settings(fields, "params"),
        options=_settings(fields, "options"),
        parts=tuple(_part(attrs.evolve(part, tensor=name)) for part in fields.maps("parts")),
        rule=fields.optional("rule", fields.number),
        encoder_version=fields.optional("encoder_version", fields.number),
        error=None if error_fields is None else _error(_Fields(error_fields, file, name, "error")),
        aids=fields.optional("aids", fields.binary),
        provider=fields.optional("provider", fields.number),
        extra=fields.unknown(TensorRecord),
    )


def _part(fields: _Fields) -> PartRecord:
    dtype, shape, nbytes = _dtype(fields), fields.shape(), fields.number("nbytes")
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


def _dtype(fields: _Fields) -> DType:
    """A dtype's text, or the fields of a record: [name, dtype, [dimensions]] each."""
    value = fields.get("dtype")
    try:
        dtype: DType = value if isinstance(value, str) else tuple((str(n), str(d), tuple(s)) for n, d, s in value)
        size = itemsize(dtype)
    except (TypeError, ValueError) as error:
        fields.fail("dtype", value, f"a dtype ({error})")
    if not 0 < size <= CHUNK:
        fields.fail("dtype", value, f"entries of 1 to {CHUNK} bytes")
    return dtype


def _error(fields: _Fields) -> ErrorRecord:
    return ErrorRecord(
        fields.optional("relative_rmse", fields.real),
        fields.optional("sqnr_db", fields.real),
        fields.real("max_error"),
    )


def _blob(fields: _Fields, _: object) -> BlobRecord:
    nbytes = fields.number("nbytes")
    sums = fields.binary("sums", SUM_BYTES * sum_count(nbytes))
    return BlobRecord(fields.name(), fields.number("offset"), nbytes, sums)


def _source(fields: _Fields, _: object) -> SourceRecord:
    return SourceRecord(fields.text("kind"), fields.number("nbytes"), fields.binary("digest", 16))


def _provider(fields: _Fields, _: object) -> Provider:
    return Provider(fields.text("distribution"), fields.text("version"))


def _settings(fields: _Fields, name: str) -> dict[str, Scalar]:
    return {key: _scalar(fields, f"{name}.{key}", value) for key, value in fields.mapping(name).items()}


def _setting(fields: _Fields, name: str, value: object) -> Scalar | list[Scalar]:
    if isinstance(value, list):
        return [_scalar(fields, name, item) for item in value]
    return _scalar(fields, name, value)


def _scalar(fields: _Fields, name: str, value: object) -> Scalar:
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
        error: type[FourccError] = IndexDamageError
        raise error("payload and index do not meet", file=file, found=f"index at {end}", expected=f"index at {offset}")
