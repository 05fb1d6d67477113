"""gguf: the Python package of llama.cpp, which encodes and decodes with numpy on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib import import_module

from fourcc.bench.peers.peer import Candidate, Coder, PeerSubject, absent
from fourcc.bench.timing import Series

TYPES = (2, 8)  # ggml's ids: 4-bit blocks, 8-bit blocks


class Gguf:
    """The peer."""

    name = "gguf"
    package = "gguf"

    def missing(self) -> str | None:
        """Why it cannot be measured."""
        return absent("gguf")

    def products(self, subject: PeerSubject) -> Iterator[Candidate]:  # noqa: ARG002 - a peer's signature
        """No products: the package only encodes and decodes."""
        return iter(())

    def coders(self, subject: PeerSubject) -> Iterator[Coder]:
        """Coding of each type that is measured."""
        quants, constants = import_module("gguf.quants"), import_module("gguf.constants")
        values = subject.values()
        for kind in TYPES:
            matrix = subject.foreign("ggml", kind)
            if matrix is None:
                continue
            named = constants.GGMLQuantizationType(kind)
            blocks = quants.quantize(values, named)
            name = f"gguf {named.name} {subject.rows} x {subject.cols}, coding"
            yield Coder(
                named.name.lower(),
                str(matrix.tag),
                1,
                Series(name, partial(quants.dequantize, blocks, named), repeats=1),
                Series(name, partial(quants.quantize, values, named), repeats=1),
            )


PEER = Gguf()
