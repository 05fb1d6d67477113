"""Factors of Hessians, each computed once for all matrices that share it, on whichever thread asks first."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

import numpy as np

from fourcc.arrays import Floats
from fourcc.feedback.factor import Factor
from fourcc.threads import Once

KEPT = 2  # factors, besides those in use; one of 4096 columns takes 134 MB


class Factors:
    """The factors that were asked for last."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: OrderedDict[Hashable, Once[Factor]] = OrderedDict()

    def of(self, key: Hashable, make: Callable[[], Factor]) -> Factor:
        """The factor of that key, made now unless it is known; what `make` raises is raised for all who ask."""
        with self._lock:
            once = self._known.setdefault(key, Once(make))
            self._known.move_to_end(key)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return once()


def hessian_digest(hessian: Floats) -> bytes:
    """BLAKE2b-128 over the bytes of a Hessian, float32 (cols, cols) or (matrices, cols, cols)."""
    return hashlib.blake2b(np.ascontiguousarray(hessian, "<f4").data, digest_size=16).digest()
