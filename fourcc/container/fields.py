"""Untrusted msgpack: unpacked within bounds, and each field read with the type and the range that it must have."""

from __future__ import annotations

import functools
import reprlib
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import attrs

from fourcc.container.layout import CHUNK
from fourcc.dtypes import DType, Field, itemsize
from fourcc.errors import IndexDamageError, TableError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Node = TypeVar("Node", dict[str, object], list[object])

MAX_DIMENSIONS = 8
MAX_NAME_BYTES = 512
MAX_NUMBER = 2**63 - 1
MAX_DEPTH = 16  # of maps and arrays in a key that is not known here
BYTES_PER_NODE = 12  # an honest index spends more on each map or array; fewer is an attempt to fill the memory
BYTES_PER_ITEM = 4  # and more than this on each of their items


def unpack(data: bytes, file: object) -> Mapping[str, Any]:
    """The root map of an index.

    Raises:
        IndexDamageError: not valid msgpack, no map, or more maps, arrays and items than an honest index can have.
    """
    import msgpack

    hooks = _Budget(len(data))
    try:
        root = msgpack.unpackb(
            data,
            object_pairs_hook=hooks.pairs,
            list_hook=hooks.count,
            ext_hook=_refuse_extension,
            strict_map_key=False,
            max_array_len=max(1024, len(data) // BYTES_PER_ITEM),
            max_map_len=max(1024, len(data) // BYTES_PER_ITEM),
        )
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
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
        tree = dict(items)
        if len(tree) != len(items) or not set(map(type, tree)) <= {str}:
            raise ValueError("a key twice in one map, or a key that is no text")
        self.count(tree)
        return tree


def _refuse_extension(code: int, _: bytes) -> NoReturn:
    raise ValueError(f"extension type {code}")


@attrs.frozen
class Fields:
    """The keys of one map, each read with the type that it must have.

    Listing a file costs little more than this: each method makes one look-up, and asks what is wrong only if it is.
    """

    tree: Mapping[str, Any]
    file: object
    tensor: str | None
    where: str

    def fail(self, name: str, found: object, expected: str) -> NoReturn:
        """Raises TableError; what was found is shown cut short, since it may be anything."""
        raise TableError(
            f"{self.where}: bad {reprlib.repr(name)}",
            file=self.file,
            tensor=self.tensor,
            found=reprlib.repr(found),
            expected=expected,
        )

    def get(self, name: str) -> Any:  # noqa: ANN401 - what an untrusted file holds
        """The value of a key that must be there."""
        try:
            return self.tree[name]
        except KeyError:
            self.fail(name, "nothing", "the key to be there")

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        """None for nil, else what `read` makes of the key."""
        return read(name) if self.tree.get(name, "") is not None else None

    def text(self, name: str) -> str:
        """A text."""
        value = self.tree.get(name)
        if type(value) is not str:
            self.fail(name, self.get(name), "text")
        return value

    def name(self) -> str:
        """The key ``name``: the text that a tensor, part or blob is known by."""
        value = self.text("name")
        if not value or "\0" in value or (4 * len(value) > MAX_NAME_BYTES and len(value.encode()) > MAX_NAME_BYTES):
            self.fail("name", value, f"1 to {MAX_NAME_BYTES} bytes without NUL")
        return value

    def number(self, name: str) -> int:
        """A count, length or offset."""
        value = self.tree.get(name)
        if type(value) is not int or not 0 <= value <= MAX_NUMBER:
            self.fail(name, self.get(name), "a whole number from 0 to 2^63 - 1")
        return value

    def real(self, name: str) -> float:
        """A finite float."""
        value = self.get(name)
        if type(value) is not float or not isfinite(value):
            self.fail(name, value, "a finite float")
        return value

    def binary(self, name: str, length: int | None = None) -> bytes:
        """Bytes, of a given length or of any."""
        value = self.tree.get(name)
        if type(value) is not bytes or (length is not None and len(value) != length):
            self.fail(name, self.get(name), "bytes" if length is None else f"{length} bytes")
        return value

    def array(self, name: str) -> list[Any]:
        """An array of anything."""
        value = self.tree.get(name)
        if type(value) is not list:
            self.fail(name, self.get(name), "an array")
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        """A map of anything."""
        value = self.tree.get(name)
        if type(value) is not dict:
            self.fail(name, self.get(name), "a map")
        return value

    def maps(self, name: str) -> Iterable[Fields]:
        """The maps of an array, one by one."""
        for number, item in enumerate(self.array(name)):
            if type(item) is not dict:
                self.fail(name, item, "an array of maps")
            yield Fields(item, self.file, self.tensor, f"{name}[{number}]")

    def texts(self, name: str) -> list[str]:
        """An array of texts."""
        values = self.array(name)
        if any(type(value) is not str for value in values):
            self.fail(name, values, "an array of texts")
        return values

    def shape(self) -> tuple[int, ...]:
        """The key ``shape``."""
        return self.dimensions("shape", self.array("shape"), least=0)

    def dimensions(self, name: str, dims: object, *, least: int) -> tuple[int, ...]:
        """Dimensions of at least `least` each."""
        expected = "at most {} whole numbers from {}"
        if type(dims) is not list or len(dims) > MAX_DIMENSIONS:
            self.fail(name, dims, expected.format(MAX_DIMENSIONS, least))
        weights = 1
        for dim in dims:
            if type(dim) is not int or dim < least:
                self.fail(name, dims, expected.format(MAX_DIMENSIONS, least))
            weights *= dim or 1
        if weights > MAX_NUMBER:
            self.fail(name, dims, "fewer than 2^63 weights")
        return tuple(dims)

    def dtype(self) -> DType:
        """A dtype's text, or the fields of a record: [name, dtype, [dimensions]] each."""
        value = self.get("dtype")
        dtype: DType = value if isinstance(value, str) else self._record(self.array("dtype"))
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

    def unknown(self, record: type[attrs.AttrsInstance]) -> dict[str, object]:
        """The keys that a record does not have, to be kept as they are."""
        known = _field_names(record)
        if self.tree.keys() <= known:
            return {}
        extra = {name: value for name, value in self.tree.items() if name not in known}
        for name, value in extra.items():
            if not _plain(value, MAX_DEPTH):
                self.fail(
                    name, value, f"texts, bytes and finite numbers, in at most {MAX_DEPTH} levels of maps and arrays"
                )
        return extra


@functools.cache
def _field_names(record: type[attrs.AttrsInstance]) -> frozenset[str]:
    return frozenset(field.name for field in attrs.fields(record)) - {"extra"}


def _plain(value: object, depth: int) -> bool:
    """Whether a tree has at most `depth` levels, and leaves that can be written again: no NaN, no timestamp."""
    if isinstance(value, (dict, list)):
        items = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_plain(item, depth - 1) for item in items)
    if isinstance(value, float):
        return isfinite(value)
    return value is None or isinstance(value, (bool, int, str, bytes))
