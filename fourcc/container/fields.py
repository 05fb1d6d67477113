"""Untrusted msgpack: unpacked within bounds, and every field checked for its type and its range."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, NamedTuple, NoReturn, TypeVar

from fourcc.container.layout import CHUNK, SUM_BYTES, sum_count
from fourcc.dtypes import MOST_BYTES, WIDEST, DType, Field, itemsize
from fourcc.errors import IndexDamageError, TableError

Node = TypeVar("Node", dict[str, object], list[object])

ABSENT = object()
MAX_DIMENSIONS = 8
MAX_NAME_BYTES = 512
MAX_NUMBER = 2**63 - 1
MAX_HYPER = 1 << 16  # hyper-parameters: as many as a GGUF file may have keys, some hundred times as many as a model has
HARMLESS_BYTES = 1 << 20  # an index of this length fills 64 MiB at the very worst
MAX_DEPTH = 16  # of maps and arrays in a key that is not known here
BYTES_PER_NODE = 12  # an honest index spends more on a map or an array; one that spends less tries to fill the memory
BYTES_PER_ITEM = 4  # likewise on one of their items


def unpack(data: bytes, file: object) -> Mapping[str, Any]:
    """The root map of an index.

    Raises:
        IndexDamageError: it is not valid msgpack, no map, or has more maps, arrays and items than an honest index.
    """
    import msgpack

    budget = _Budget(len(data))
    counted = len(data) > HARMLESS_BYTES
    try:
        root = msgpack.unpackb(
            data,
            object_pairs_hook=budget.pairs if counted else _pairs,
            list_hook=budget.count if counted else None,
            ext_hook=_refuse_extension,
            strict_map_key=False,
            max_array_len=max(1024, len(data) // BYTES_PER_ITEM),
            max_map_len=max(1024, len(data) // BYTES_PER_ITEM),
        )
    except (TypeError, ValueError, RecursionError, msgpack.UnpackException) as error:  # a list as key: TypeError
        what = f"the index is not valid msgpack: {type(error).__name__}: {error}"
        raise IndexDamageError(what, file=file) from error
    if not isinstance(root, dict):
        raise IndexDamageError("the index is not a map", file=file, found=type(root).__name__)
    return root


class _Budget:
    """Counts maps, arrays and their items while they are unpacked: a short text must not fill the memory."""

    def __init__(self, nbytes: int) -> None:
        self._nodes = 1024 + nbytes // BYTES_PER_NODE
        self._items = 1024 + nbytes // BYTES_PER_ITEM

    def count(self, node: Node) -> Node:
        self._nodes -= 1
        self._items -= len(node)
        if self._nodes < 0 or self._items < 0:
            raise ValueError("more maps, arrays and items than an index of its length can have")
        return node

    def pairs(self, items: list[tuple[str, object]]) -> dict[str, object]:
        return self.count(_pairs(items))


def _pairs(items: list[tuple[str, object]]) -> dict[str, object]:
    tree = dict(items)
    try:
        "".join(tree)  # the quickest way to see that all keys are texts
    except TypeError:
        raise ValueError("a key that is no text") from None
    if len(tree) != len(items):
        raise ValueError("a key twice in one map")
    return tree


def _refuse_extension(code: int, _: bytes) -> NoReturn:
    raise ValueError(f"extension type {code}")


class FieldKind(NamedTuple):
    """The values that a key may have: their exact types, and the words for them in a message."""

    types: frozenset[type]
    words: str

    def or_nil(self) -> FieldKind:
        """This kind, or nil."""
        return FieldKind(self.types | {type(None)}, self.words)


TEXT = FieldKind(frozenset({str}), "text")
NUMBER = FieldKind(frozenset({int}), "a whole number from 0 to 2^63 - 1")
REAL = FieldKind(frozenset({float}), "a finite float")
BYTES = FieldKind(frozenset({bytes}), "bytes")
ARRAY = FieldKind(frozenset({list}), "an array")
MAP = FieldKind(frozenset({dict}), "a map")
DTYPE = FieldKind(frozenset({str, list}), "a dtype's text, or an array of its fields")

Schema = Mapping[str, FieldKind]


class Fields:
    """The keys of one map of an index, checked against a schema when this is created.

    Attributes:
        tree: the map. It has every key of the schema, each of its kind; numbers are in their range.
        tensor: the tensor that messages name.
    """

    __slots__ = ("_file", "_number", "_where", "tensor", "tree")

    def __init__(
        self,
        tree: Mapping[str, Any],
        schema: Schema,
        file: object,
        where: str,
        number: int | None = None,
        tensor: str | None = None,
    ) -> None:
        self.tree = tree
        self._file = file
        self.tensor = tensor
        self._where = where
        self._number = number
        for name, kind in schema.items():
            value = tree.get(name, ABSENT)
            of_kind = type(value)
            if (
                of_kind not in kind.types
                or (of_kind is int and not 0 <= value <= MAX_NUMBER)
                or (of_kind is float and not isfinite(value))
            ):
                self._refuse(name, value, kind)

    def _refuse(self, name: str, value: object, kind: FieldKind) -> NoReturn:
        if value is ABSENT:
            self.fail(name, "nothing", "the key to be there")
        self.fail(name, value, kind.words)

    def fail(self, name: str, found: object, expected: str) -> NoReturn:
        """Raises TableError; the value is cut in the message, since it may be anything."""
        where = self._where if self._number is None else f"{self._where}[{self._number}]"
        raise TableError(
            f"{where}: bad {reprlib.repr(name)}",
            file=self._file,
            tensor=self.tensor,
            found=reprlib.repr(found),
            expected=expected,
        )

    def name(self) -> str:
        """The key ``name`` of a tensor, part or blob."""
        value: str = self.tree["name"]
        if not value or "\0" in value or (4 * len(value) > MAX_NAME_BYTES and len(value.encode()) > MAX_NAME_BYTES):
            self.fail("name", value, f"1 to {MAX_NAME_BYTES} bytes without NUL")
        return value

    def sums(self, nbytes: int) -> bytes:
        """The key ``sums``, the checksums of `nbytes` of payload."""
        value: bytes = self.tree["sums"]
        if len(value) != SUM_BYTES * sum_count(nbytes):
            self.fail("sums", value, f"{SUM_BYTES * sum_count(nbytes)} bytes")
        return value

    def maps(self, name: str, schema: Schema, *, tensor: str | None = None) -> Iterable[Fields]:
        """The maps in an array, one by one."""
        for number, item in enumerate(self.tree[name]):
            if type(item) is not dict:
                self.fail(name, item, "an array of maps")
            yield Fields(item, schema, self._file, name, number, tensor)

    def map(self, name: str, schema: Schema, *, tensor: str | None = None) -> Fields:
        """A map within the map."""
        return Fields(self.tree[name], schema, self._file, name, None, tensor)

    def shape(self, size: int = WIDEST) -> tuple[int, ...]:
        """The key ``shape``; an entry has `size` bytes, by default those of the widest decoded weight."""
        return self.dimensions("shape", self.tree["shape"], least=0, size=size)

    def dimensions(self, name: str, dims: object, *, least: int, size: int = 1) -> tuple[int, ...]:
        """Dimensions from `least` on, of an array that memory could hold, were no dimension 0."""
        expected = "at most {} whole numbers from {}"
        if type(dims) is not list or len(dims) > MAX_DIMENSIONS:
            self.fail(name, dims, expected.format(MAX_DIMENSIONS, least))
        nbytes = size
        for dim in dims:
            if type(dim) is not int or dim < least:
                self.fail(name, dims, expected.format(MAX_DIMENSIONS, least))
            nbytes *= dim or 1
        if nbytes > MOST_BYTES:
            self.fail(name, dims, f"fewer than 2^63 bytes, at {size} each, where a 0 counts as 1")
        return tuple(dims)

    def dtype(self) -> DType:
        """The key ``dtype``: a text, or the fields of a record, each as [name, dtype, [dimensions]]."""
        value = self.tree["dtype"]
        dtype: DType = value if type(value) is str else self._record(value)
        try:
            size = itemsize(dtype)
        except ValueError:
            self.fail("dtype", value, "a little-endian dtype such as '<f4' or '|u1', or a record of such")
        if not 0 < size <= CHUNK:
            self.fail("dtype", value, f"entries of 1 to {CHUNK} bytes")
        return dtype

    def _record(self, values: list[Any]) -> tuple[Field, ...]:
        fields: dict[str, Field] = {}
        for value in values:
            if type(value) is not list or [type(item) for item in value] != [str, str, list]:
                self.fail("dtype", value, "a name, a dtype and dimensions")
            name, dtype, dims = value
            if not name or name in fields:
                self.fail("dtype", values, "a name of its own for each field")
            fields[name] = (name, dtype, self.dimensions("dtype", dims, least=1))
        return tuple(fields.values())

    def unknown(self, known: Schema) -> dict[str, object]:
        """The keys that a schema does not have; they are kept as they are."""
        if self.tree.keys() <= known.keys():
            return {}
        extra = {name: value for name, value in self.tree.items() if name not in known}
        for name, value in extra.items():
            if not _plain(value, MAX_DEPTH):
                self.fail(
                    name, value, f"texts, bytes and finite numbers, in at most {MAX_DEPTH} levels of maps and arrays"
                )
        return extra


def _plain(value: object, depth: int) -> bool:
    """Whether a tree has at most `depth` levels and only leaves that can be written again: no NaN, no timestamp."""
    if isinstance(value, (dict, list)):
        items = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_plain(item, depth - 1) for item in items)
    if isinstance(value, float):
        return isfinite(value)
    return value is None or isinstance(value, (bool, int, str, bytes))
