"""The interface of a peer: a project whose products or coding are measured beside fourcc's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

import attrs

from fourcc.arrays import Floats
from fourcc.bench.matrices import weights
from fourcc.bench.products import Product
from fourcc.bench.timing import Series
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix

NAMES = ("ggml", "gguf", "numpy", "torch", "onnxruntime")  # of the peers, and of their modules in this folder
NOT_INSTALLED = "not installed"


@attrs.frozen(eq=False)
class PeerSubject:
    """The matrices that a peer is measured with.

    Attributes:
        rows, cols: of the matrices.
        counts: numbers of activations.
        threads: numbers of threads.
        rotation: bytes of the different matrices.
        matrices: tag -> the matrix in fourcc's format.
        notes: what a peer leaves out, with reasons; the peer adds them.
    """

    rows: int
    cols: int
    counts: tuple[int, ...]
    threads: tuple[int, ...]
    rotation: int
    matrices: Mapping[str, QMatrix]
    notes: list[str] = attrs.field(factory=list)

    def values(self) -> Floats:
        """The matrix, float32 (rows, cols)."""
        return weights(self.rows, self.cols)

    def foreign(self, system: str, identity: int | str) -> QMatrix | None:
        """The matrix in the format with an id in another system; None if that format is not measured."""
        fmt = registry.foreign(system, identity)
        return None if fmt is None else self.matrices.get(str(fmt.tag))

    def copies(self, nbytes: int) -> int:
        """Number of matrices of a size in a rotation."""
        return max(1, -(-self.rotation // nbytes))


@attrs.frozen(eq=False)
class Candidate:
    """A peer's product; of two with the same kind, threads and count the faster one is shown.

    Attributes:
        kind: the type of the stored weights, in the peer's words.
        like: tag of the format that it is compared with.
        count: activations.
        threads: how many.
        matrices: products of a sample.
        series: the samples.
    """

    kind: str
    like: str
    count: int
    threads: int
    matrices: int
    series: Series

    def meets(self, mine: Product) -> bool:
        """Whether it is compared with one of fourcc's products of the same shape."""
        return (self.like, self.count, self.threads) == (mine.tag, mine.count, mine.threads)


@attrs.frozen(eq=False)
class Coder:
    """A peer's decoding and encoding of one matrix; None if it has none.

    Attributes:
        kind, like, threads: as a candidate's.
        decode, encode: the samples.
        encoded: rows that a sample of encoding takes, the first ones; None: all.
    """

    kind: str
    like: str
    threads: int
    decode: Series | None
    encode: Series | None
    encoded: int | None = None


class Peer(Protocol):
    """A project that is measured.

    Attributes:
        name: as it is shown.
        package: distribution whose version is shown.
    """

    name: str
    package: str

    def missing(self) -> str | None:
        """Why it cannot be measured; None if it can."""

    def products(self, subject: PeerSubject) -> Iterable[Candidate]:
        """Its products of a subject."""

    def coders(self, subject: PeerSubject) -> Iterable[Coder]:
        """Its coding of a subject."""


def absent(*modules: str) -> str | None:
    """Why modules cannot be imported, without an import; None if they can."""
    names = [name for name in modules if find_spec(name) is None]
    return f"{' and '.join(names)} {NOT_INSTALLED}" if names else None


def load(name: str) -> Peer:
    """The peer of a name in `NAMES`; the project itself is imported when it is first used."""
    peer: Peer = import_module(f"fourcc.bench.peers.{name}").PEER
    return peer
