"""Factors of Hessians, each computed once for all matrices that share it, on whichever thread asks first."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from math import prod
from threading import Lock

import numpy as np

from fourcc.arrays import Floats
from fourcc.feedback.factor import Factor
from fourcc.files.mapped import runs_of_rows
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

    def forget(self) -> None:
        """Forgets the factors that are known, so that their memory is free once nobody uses them."""
        with self._lock:
            self._known.clear()


def hessian_digest(hessian: Floats) -> bytes:
    """BLAKE2b-128 over the bytes of a Hessian, float32 (cols, cols) or (matrices, cols, cols)."""
    digest = hashlib.blake2b(digest_size=16)
    for _, rows in runs_of_rows(hessian.reshape(prod(hessian.shape[:-1]), hessian.shape[-1])):
        digest.update(np.ascontiguousarray(rows, "<f4").data)
    return digest.digest()
