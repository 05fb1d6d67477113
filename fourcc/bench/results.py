"""The results of a run, and their form as plain values for a document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from fourcc.bench.machine import Machine
from fourcc.bench.timing import Rates, Timing

GIGA = 1e9
MICRO = 1e6


@attrs.frozen
class LimitResult:
    """Limits of the machine with some threads.

    Attributes:
        threads: how many.
        read: bytes a second.
        peaks: operations a second by the kind of numbers: ``int8``, ``float32`` and, if the processor multiplies
            such numbers, ``bfloat16``.
    """

    threads: int
    read: Rates
    peaks: Mapping[str, Rates]


@attrs.frozen
class ProductResult:
    """One product of one format.

    Attributes:
        tag, level, rows, cols, count, threads, nbytes, operations, peak: as in `fourcc.bench.products.Product`.
        timing: of the product, in a job of many.
        prepared: timing of preparing its activations.
        called: timing of a call from Python.
        bandwidth: bytes of the stored matrix a second.
        speed: operations a second.
        of_read, of_peak: shares of the limits; the one that bounds it is measured beside it, turn by turn.
    """

    tag: str
    level: str
    rows: int
    cols: int
    count: int
    threads: int
    nbytes: int
    operations: int
    peak: str
    timing: Timing
    prepared: Timing | None
    called: Timing | None
    of_read: Rates
    of_peak: Rates

    @property
    def bandwidth(self) -> Rates:
        """Stored bytes a second."""
        return self.timing.rates(self.nbytes)

    @property
    def speed(self) -> Rates:
        """Operations a second."""
        return self.timing.rates(self.operations)


@attrs.frozen
class CodecResult:
    """Rates of decoding and encoding, bytes of float32 a second; None if the kernel has none."""

    tag: str
    rows: int
    cols: int
    threads: int
    decode: Rates | None
    encode: Rates | None


@attrs.frozen
class PeerProduct:
    """A product of another project.

    Attributes:
        peer: the project.
        kind: the type of the stored weights, in the project's words.
        like: tag of the format that it is compared with.
        rows, cols, count, threads: of the product.
        timing: of one product, its activations included.
        ratio: fourcc's speed divided by the peer's, activations included; None if fourcc's format was not measured.
    """

    peer: str
    kind: str
    like: str
    rows: int
    cols: int
    count: int
    threads: int
    timing: Timing
    ratio: Rates | None


@attrs.frozen
class PeerCodec:
    """Decoding and encoding of another project, bytes of float32 a second, and fourcc's speed divided by it."""

    peer: str
    kind: str
    like: str
    rows: int
    cols: int
    threads: int
    decode: Rates | None
    encode: Rates | None
    decode_ratio: Rates | None
    encode_ratio: Rates | None


@attrs.frozen
class Results:
    """All results of a run.

    Attributes:
        machine: the machine that it ran on.
        versions: of Python, of fourcc and its dependencies, and of the peers.
        target: the family of processors that the kernels were compiled for.
        rotation: bytes that products go through before a matrix comes again.
        rounds: turns of each series.
        missing: peers that could not be measured -> the reason.
        notes: formats and settings that were left out, with reasons.
    """

    machine: Machine
    versions: Mapping[str, str]
    target: str
    rotation: int
    rounds: int
    limits: tuple[LimitResult, ...]
    products: tuple[ProductResult, ...]
    codecs: tuple[CodecResult, ...]
    peer_products: tuple[PeerProduct, ...] = ()
    peer_codecs: tuple[PeerCodec, ...] = ()
    missing: Mapping[str, str] = attrs.field(factory=dict)
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """As plain values: times in microseconds, rates in 10^9 a second, each the best and the median."""
        return {
            "machine": attrs.asdict(self.machine),
            "versions": dict(self.versions),
            "target": self.target,
            "rotation_bytes": self.rotation,
            "rounds": self.rounds,
            "limits": [_limit(each) for each in self.limits],
            "products": [_product(each) for each in self.products],
            "codecs": [_codec(each) for each in self.codecs],
            "peer_products": [_peer_product(each) for each in self.peer_products],
            "peer_codecs": [_codec(each) for each in self.peer_codecs],
            "missing_peers": dict(self.missing),
            "notes": list(self.notes),
        }


Pair = Mapping[str, float] | None


def _rates(rates: Rates | None, unit: float = GIGA) -> Pair:
    return None if rates is None else {"best": round(rates.best / unit, 4), "median": round(rates.median / unit, 4)}


def _micros(timing: Timing | None) -> Pair:
    if timing is None:
        return None
    return {"best": round(timing.best * MICRO, 3), "median": round(timing.median * MICRO, 3)}


def _limit(each: LimitResult) -> dict[str, object]:
    return {
        "threads": each.threads,
        "read_gb_s": _rates(each.read),
        "int8_gops": _rates(each.peaks["int8"]),
        "float32_gflops": _rates(each.peaks["float32"]),
        "bfloat16_gflops": _rates(each.peaks.get("bfloat16")),
    }


def _plain(each: object, names: Iterable[str]) -> dict[str, object]:
    return {name: getattr(each, name) for name in names}


def _product(each: ProductResult) -> dict[str, object]:
    return {
        "format": each.tag,
        **_plain(each, ("level", "rows", "cols", "threads", "peak")),
        "n": each.count,
        "bytes": each.nbytes,
        "samples": each.timing.samples,
        "us": _micros(each.timing),
        "prepare_us": _micros(each.prepared),
        "call_us": _micros(each.called),
        "gb_s": _rates(each.bandwidth),
        "share_of_read": _rates(each.of_read, 1),
        "gops": _rates(each.speed),
        "share_of_peak": _rates(each.of_peak, 1),
    }


def _codec(each: CodecResult | PeerCodec) -> dict[str, object]:
    shared = {
        **_plain(each, ("rows", "cols", "threads")),
        "decode_gb_s": _rates(each.decode),
        "encode_gb_s": _rates(each.encode),
    }
    if isinstance(each, CodecResult):
        return {"format": each.tag, **shared}
    ratios = {"decode_ratio": _rates(each.decode_ratio, 1), "encode_ratio": _rates(each.encode_ratio, 1)}
    return {**_plain(each, ("peer", "kind", "like")), **shared, **ratios}


def _peer_product(each: PeerProduct) -> dict[str, object]:
    return {
        **_plain(each, ("peer", "kind", "like", "rows", "cols", "threads")),
        "n": each.count,
        "us": _micros(each.timing),
        "ratio": _rates(each.ratio, 1),
    }
