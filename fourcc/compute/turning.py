"""The linear map between a matrix's weights and those that its blocks give, bound to one matrix."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

import numpy as np

from fourcc.errors import PluginError, breaches_as

if TYPE_CHECKING:
    from fourcc.arrays import Array, Floats, Parts
    from fourcc.format import Format, Turn
    from fourcc.geometry import Geometry


class Turning:
    """A format's turn, bound to one matrix.

    Args:
        fmt: the format; it has a turn.
        parts: of the matrix.
        geom: the matrix's.
    """

    def __init__(self, fmt: Format, parts: Parts, geom: Geometry) -> None:
        assert fmt.turn is not None
        self._turn: Turn = fmt.turn
        self._tag, self._geom = fmt.tag, geom
        self._parts = {name: parts[name] for name in fmt.turn.parts}
        self._key: Hashable = None

    @property
    def key(self) -> Hashable:
        """Equal keys, equal maps: matrices that multiply the same activation share what it is turned into."""
        if self._key is None:
            sums = tuple(_digest(self._parts[name]) for name in self._turn.parts)
            self._key = self._turn, tuple(self._geom.params.items()), self._geom.cols, sums
        return self._key

    def forward(self, x: Floats) -> Floats:
        """Activations, float32 (n, cols), as the blocks' weights take them. Raises PluginError."""
        return self._applied(self._turn.forward, "forward", x)

    def back(self, rows: Floats) -> Floats:
        """Rows of the matrix, float32 (n, cols), from what the blocks give. Raises PluginError."""
        return self._applied(self._turn.back, "back", rows)

    def _applied(self, function: Callable[..., Floats], name: str, given: Floats) -> Floats:
        given = given.view()
        given.flags.writeable = False  # a function that works in place would change the caller's numbers
        what = f"turn.{name} of the format {self._tag} does not keep its contract"
        with breaches_as(lambda told: PluginError(what, found=told)), np.errstate(all="ignore"):
            turned = function(given, self._parts, self._geom)
        shape, dtype = getattr(turned, "shape", None), getattr(turned, "dtype", np.dtype("V1"))
        if shape != given.shape or dtype.kind != "f":
            found = f"a {type(turned).__name__}" if shape is None else f"{shape} {dtype}"
            raise PluginError(what, found=found, expected=f"{given.shape} float32")
        return turned.astype(np.float32, copy=False)


def _digest(part: Array) -> bytes:
    """Digest of a part's bytes."""
    return hashlib.blake2b(np.ascontiguousarray(part).tobytes(), digest_size=16).digest()
