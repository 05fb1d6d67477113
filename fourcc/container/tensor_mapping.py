"""A file's tensors as a mapping: what a model.bin and every other opened checkpoint have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar, overload

if TYPE_CHECKING:
    from fourcc.qmatrix import QMatrix

T = TypeVar("T")


class TensorMapping(Mapping[str, "QMatrix"]):
    """Tensor name -> QMatrix. Instances are compared by identity: a Mapping's `==` would read every tensor."""

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
