"""numpy: products of float32 by its BLAS, which is OpenBLAS in the wheels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np

from fourcc.arrays import Array
from fourcc.bench.matrices import activations, aligned
from fourcc.bench.peers.peer import Candidate, Coder, PeerSubject, absent
from fourcc.bench.products import MANY, shortened
from fourcc.bench.timing import Series


class Numpy:
    """The peer."""

    name = "numpy"
    package = "threadpoolctl"  # numpy's own version is shown in any case

    def missing(self) -> str | None:
        """Why it cannot be measured: the number of threads must be set, or the comparison would mean nothing."""
        return absent("threadpoolctl")

    def products(self, subject: PeerSubject) -> Iterator[Candidate]:
        """Products of float32."""
        matrix = subject.foreign("numpy", "<f4")
        if matrix is None:
            return
        controller = import_module("threadpoolctl").ThreadpoolController()
        values = subject.values()
        copies = [aligned(values) for _ in range(subject.copies(values.nbytes))]
        for count in subject.counts:
            some = copies[: shortened(len(copies), values.size, count)]
            x = activations(count, subject.cols)
            for threads in subject.threads:
                name = f"numpy {subject.rows} x {subject.cols}, n = {count}, {threads} threads"
                series = Series(name, _work(controller, threads, x, some), repeats=3 if count < MANY else 1)
                yield Candidate("float32", str(matrix.tag), count, threads, len(some), series)

    def coders(self, subject: PeerSubject) -> Iterator[Coder]:  # noqa: ARG002 - a peer's signature
        """No coding: numpy has no blocks."""
        return iter(())


def _work(controller: Any, threads: int, x: Array, weights: list[Array]) -> Callable[[], None]:  # noqa: ANN401 - no types
    """A function that computes all products, with some threads of BLAS; one activation is multiplied as a vector."""
    out = np.empty((len(x), len(weights[0])), np.float32)

    def work() -> None:
        with controller.limit(limits=threads, user_api="blas"):
            for each in weights:
                if len(x) == 1:
                    np.matmul(each, x[0], out=out[0])
                else:
                    np.matmul(x, each.T, out=out)

    return work


PEER = Numpy()
