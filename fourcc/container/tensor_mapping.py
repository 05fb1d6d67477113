"""A file's tensors as a mapping: what a model.bin and every other opened checkpoint have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar, overload

from fourcc.naming import layer, roles
from fourcc.records import Records, package
from fourcc.settings import settings_text

if TYPE_CHECKING:
    from fourcc.arrays import Array
    from fourcc.container.index import TensorRecord
    from fourcc.qmatrix import QMatrix

T = TypeVar("T")


class TensorMapping(Mapping[str, "QMatrix"], Records):
    """Tensor name -> QMatrix; also a table of the tensors, of which no weight is read.

    Instances are compared by identity: a Mapping's `==` would read every tensor.
    """

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @overload
    def get(self, key: str) -> QMatrix | None: ...
    @overload
    def get(self, key: str, default: QMatrix | T) -> QMatrix | T: ...
    def get(self, key: str, default: QMatrix | T | None = None) -> QMatrix | T | None:
        """The tensor, or `default` if no tensor has the name. Raises as ``mapping[name]`` does for one that is there.

        A Mapping's `get` would make, and drop, the error for a missing name, whose search for near names takes
        milliseconds.
        """
        return self[key] if key in self else default  # noqa: SIM401 - this is `get`

    def records(self) -> list[dict[str, Any]]:
        """The tensors, in the file's order; none of their weights is read.

        Returns:
            For each tensor: ``name``, ``roles`` (texts), ``layer`` (None where it belongs to none), ``shape``, ``tag``,
            ``weights``, ``bits_per_weight``, ``bytes``; and what a model.bin knows, else None: ``settings`` of the
            format as text, ``rule`` (index of the policy's rule), and the error that was measured while it was encoded:
            ``relative_rmse``, ``sqnr_db``, ``max_error``.
        """
        return list(self._fields())

    @abstractmethod
    def _fields(self) -> Iterable[dict[str, Any]]:
        """The records, one by one; `tensor_fields` makes one."""

    def to_numpy(self) -> dict[str, Array]:
        """All tensors as arrays: plain numbers as they are stored, not copied where the file is mapped; else decoded.

        Raises:
            FourccError: as reading a tensor does.
        """
        import numpy as np

        return {name: np.asarray(self[name]) for name in self}

    def to_torch(self) -> dict[str, Any]:
        """All tensors as torch's: plain numbers in their own type, bfloat16 and 8-bit floats too; else decoded.

        Those of a model.bin share the memory of the file, which torch may write to: what is written stays in this
        process, and never reaches the file.

        Raises:
            UsageError: torch is not installed.
            FourccError: as reading a tensor does.
        """
        package("torch", "to_torch")
        return {name: self._writable(name).to_torch() for name in self}

    def _writable(self, name: str) -> QMatrix:
        """A tensor in memory that may be written to, if it can be had without a copy."""
        return self[name]

    def facts(self) -> dict[str, object]:
        """The facts of the file, for people: names and values."""
        return {}

    def _repr_html_(self) -> str:
        """HTML for notebooks: the file's facts, and its tensors as a map of layers and kinds."""
        from fourcc.drawing import notebook

        tensors = notebook.tensors(self.records())
        return notebook.output(notebook.heading(self), notebook.known_facts(self.facts()), tensors)


def tensor_fields(
    name: str, shape: tuple[int, ...], tag: str, nbytes: int | None, record: TensorRecord | None, *, tied: bool
) -> dict[str, Any]:
    """A tensor's record in the table of its file.

    Args:
        name: the tensor's.
        shape: the tensor's.
        tag: of its format; of one that cannot be read, the name of its layout.
        nbytes: bytes of its parts; None where they are not known.
        record: what a model.bin says of it.
        tied: whether the model's output is its embedding.
    """
    weights, error = prod(shape), None if record is None else record.error
    return {
        "name": name,
        "roles": list(roles(name, tied=tied)),
        "layer": layer(name),
        "shape": list(shape),
        "tag": tag,
        "weights": weights,
        "bits_per_weight": None if nbytes is None else 8 * nbytes / max(1, weights),
        "bytes": nbytes,
        "settings": None if record is None else settings_text({**record.params, **record.options}.items()) or None,
        "rule": None if record is None else record.rule,
        "relative_rmse": None if error is None else error.relative_rmse,
        "sqnr_db": None if error is None else error.sqnr_db,
        "max_error": None if error is None else error.max_error,
    }
