"""ggml: graphs of products with many weight tensors, as llama.cpp computes them, and its coding of blocks.

Weights are measured as they are stored and, if the CPU backend repacks them, in that form too; the faster one is shown.
The activations are quantized inside each product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np

from fourcc.arrays import Array
from fourcc.bench.codecs import FEW, rows_of_a_sample
from fourcc.bench.matrices import aligned
from fourcc.bench.peers import ggml_trial
from fourcc.bench.peers.ggml_graph import Products, weights_in
from fourcc.bench.peers.ggml_library import FLOAT, Library, folder, library
from fourcc.bench.peers.peer import NOT_INSTALLED, Candidate, Coder, PeerSubject
from fourcc.bench.products import MANY, shortened
from fourcc.bench.timing import Series
from fourcc.qmatrix import QMatrix

BLOCKS = (2, 3, 6, 7, 8)  # ids of ggml's types with blocks of 32: 4, 5 and 8 bits, one scale, some with a minimum
SUPERBLOCKS = (10, 11, 12, 13, 14)  # 2 to 6 bits, blocks of 256
LEVELS = (20, 23, 39)  # 4-bit codes of levels that are not evenly spaced
TYPES = (*BLOCKS, *SUPERBLOCKS, *LEVELS, 1, 30, FLOAT)  # at last float16, bfloat16 and float32


class Ggml:
    """The peer."""

    name = "ggml"
    package = "llama-cpp-python"

    def missing(self) -> str | None:
        """Why it cannot be measured."""
        home = folder()
        if home is None:
            return f"llama-cpp-python {NOT_INSTALLED}"
        return None if any(home.glob("*ggml-cpu*")) else f"no ggml library in {home.name} of llama-cpp-python"

    def products(self, subject: PeerSubject) -> Iterator[Candidate]:
        """Products of each type that is measured, in each type of buffer where weights may lie."""
        ggml = library()
        places = [each for number, each in enumerate(ggml.buffer_types()) if self._works(ggml, number, subject)]
        for kind in TYPES:
            matrix = subject.foreign("ggml", kind)
            if matrix is None:
                continue
            for buffer_type in places:
                if ggml.supports(kind, subject.rows, subject.cols, buffer_type):
                    yield from self._placed(ggml, subject, matrix, kind, buffer_type)

    def _works(self, ggml: Library, number: int, subject: PeerSubject) -> bool:
        """Whether products run with weights in a buffer type; adds a note if they do not."""
        reason = ggml_trial.why_not(number)
        if reason is not None:
            name = ggml.base.ggml_backend_buft_name(ggml.buffer_types()[number]).decode()
            subject.notes.append(f"ggml's {name} buffers are left out: a process that tried one ended ({reason})")
        return reason is None

    def _placed(
        self, ggml: Library, subject: PeerSubject, matrix: QMatrix, kind: int, buffer_type: int
    ) -> Iterator[Candidate]:
        rows, cols = matrix.shape
        weights = weights_in(ggml, matrix, kind, subject.copies(matrix.nbytes), buffer_type)
        for count in subject.counts:
            some = shortened(len(weights.tensors), rows * cols, count)
            compute = Products(ggml, weights, some, count)
            for threads in subject.threads:
                yield Candidate(
                    ggml.name(kind),
                    str(matrix.tag),
                    count,
                    threads,
                    some,
                    Series(
                        f"{self.name} {ggml.name(kind)} {rows} x {cols}, n = {count}",
                        compute,
                        ready=partial(ggml.cpu.ggml_backend_cpu_set_n_threads, ggml.backend, threads),
                        repeats=3 if count < MANY else 1,
                    ),
                )

    def coders(self, subject: PeerSubject) -> Iterator[Coder]:
        """Coding of each type of blocks; threads share the rows, as in llama.cpp's own quantizing."""
        ggml = library()
        for kind in TYPES:
            matrix = subject.foreign("ggml", kind)
            if matrix is None or kind == FLOAT:
                continue
            for threads in subject.threads:
                encoded = _encoded(ggml, subject, kind, threads)
                decode, encode = _coding(ggml, subject, matrix, kind, threads, encoded)
                yield Coder(ggml.name(kind), str(matrix.tag), threads, decode, encode, encoded)


def _encoded(ggml: Library, subject: PeerSubject, kind: int, threads: int) -> int:
    """Number of rows that a sample of encoding has time for."""
    few = min(subject.rows, FEW)
    floats = aligned(subject.values()[:few])
    out = np.empty((few, ggml.row_bytes(kind, subject.cols)), np.uint8)
    quantize = partial(ggml.quantize, kind, floats.ctypes.data, out.ctypes.data, few, subject.cols)
    return rows_of_a_sample(quantize, few, subject.rows, threads)


def _coding(
    ggml: Library, subject: PeerSubject, matrix: QMatrix, kind: int, threads: int, encoded: int
) -> tuple[Series, Series]:
    """Decoding of all rows and encoding of the first ones, shared among threads."""
    rows, cols = matrix.shape
    (part,) = matrix.parts.values()
    blocks, floats = aligned(part), aligned(subject.values())
    read = ggml.to_float(kind)
    pool = ThreadPoolExecutor(threads)

    def shared(task: Callable[[Array, Array, int], object], total: int) -> Callable[[], None]:
        cuts = [total * index // threads for index in range(threads + 1)]

        def work() -> None:
            pieces = pairwise(cuts)
            runs = [pool.submit(task, blocks[a:b], floats[a:b], b - a) for a, b in pieces]
            for each in runs:
                each.result()

        return work

    def decode(some: Array, out: Array, count: int) -> None:
        read(some.ctypes.data, out.ctypes.data, count * cols)

    def encode(out: Array, some: Array, count: int) -> None:
        ggml.quantize(kind, some.ctypes.data, out.ctypes.data, count, cols)

    name = f"ggml {ggml.name(kind)} {rows} x {cols}, coding"
    return Series(name, shared(decode, rows), repeats=2), Series(name, shared(encode, encoded), repeats=2)


PEER = Ggml()
