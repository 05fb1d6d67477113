"""A whole run: limits, products and coding in turns, shape by shape."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from typing import TypeVar

import attrs

from fourcc.bench import codecs, machine, matrices, products
from fourcc.bench.codecs import Codec
from fourcc.bench.limits import READ, Limits
from fourcc.bench.peers.peer import NAMES, Candidate, Coder, Peer, PeerSubject, load
from fourcc.bench.plan import BenchPlan
from fourcc.bench.products import MANY, Product
from fourcc.bench.results import CodecResult, LimitResult, PeerCodec, PeerProduct, ProductResult, Results
from fourcc.bench.timing import Rates, Series, Tell, ratio, take_turns
from fourcc.errors import UsageError
from fourcc.kernels.compiler.jit import uncompiled
from fourcc.kernels.simd.target import target
from fourcc.qmatrix import QMatrix

T = TypeVar("T")
PAUSE = 0.02  # seconds: BLAS and OpenMP threads spin for about that long after their work


@attrs.define(eq=False)
class Round:
    """All series of one shape."""

    rows: int
    cols: int
    products: list[Product]
    codecs: list[Codec]
    candidates: list[tuple[Peer, Candidate]]
    coders: list[tuple[Peer, Coder]]

    def with_few(self) -> Iterable[Series]:
        """Products with one activation or a few: memory bounds them."""
        for count in sorted({each.count for each in self.products if each.count < MANY}):
            yield from self._with(count)

    def with_many(self) -> Iterable[Series]:
        """Products with many activations: calculation bounds them."""
        for count in sorted({each.count for each in self.products if each.count >= MANY}):
            yield from self._with(count)

    def coding(self) -> Iterable[Series]:
        """Decoding and encoding."""
        for codec in self.codecs:
            yield from codec.series()
        for _, coder in self.coders:
            yield from (each for each in (coder.decode, coder.encode) if each is not None)

    def _with(self, count: int) -> Iterable[Series]:
        """Each product before the candidates that are compared with it; candidates without a product come last."""
        others = [each for _, each in self.candidates if each.count == count]
        for product in self.products:
            if product.count == count:
                yield from product.series()
                yield from (each.series for each in others if each.meets(product))
        yield from (each.series for each in others if not any(map(each.meets, self.products)))


class BenchRun:
    """A run of a plan.

    Args:
        plan: what to measure.
        tell: called when a step begins.
    """

    def __init__(self, plan: BenchPlan, tell: Tell) -> None:
        self._plan = plan
        self._tell = tell
        self._done = self._shapes_done = 0
        self._notes: list[str] = []
        self._missing: dict[str, str] = {}
        self._peers = self._find_peers() if plan.peers else []

    def results(self) -> Results:
        """Measures the plan.

        Raises:
            UsageError: kernels are not compiled.
        """
        if uncompiled():
            raise UsageError("only compiled kernels can be measured", hint="Unset NUMBA_DISABLE_JIT.")
        plan = self._plan
        share = 1.0 if plan.rotation >= 100_000_000 else 0.01
        self._tell("the machine's limits", 0, 1)
        limits = Limits(plan.threads, plan.rotation, share)
        rounds = [self._measure(*shape, limits) for shape in plan.shapes]
        own = [each for one in rounds for each in one.products]
        coded = [_coded(each) for one in rounds for each in one.codecs]
        bounds = {threads: _limit(limits, threads) for threads in plan.threads}
        packages = (*machine.PACKAGES, *(each.package for each in self._peers))
        return Results(
            machine.machine(),
            machine.versions(packages),
            target().name,
            plan.rotation,
            plan.rounds,
            tuple(bounds.values()),
            tuple(_product(each, bounds[each.threads]) for each in own),
            tuple(coded),
            tuple(_peer_products(rounds)),
            tuple(_peer_codecs(rounds, coded)),
            self._missing,
            tuple(self._notes),
        )

    # -- one shape

    def _measure(self, rows: int, cols: int, limits: Limits) -> Round:
        here = self._round(rows, cols, limits)
        reading = [*limits.reading(), *here.with_few(), *here.coding()]
        series = [*reading, *limits.calculating(), *here.with_many()]
        first, steps = self._done, self._plan.rounds * len(series)
        total = first + steps * (len(self._plan.shapes) - self._shapes_done)
        take_turns(series, self._plan.rounds, self._counting(total), PAUSE if self._peers else 0.0)
        self._shapes_done += 1
        for each in (*here.with_few(), *here.coding(), *here.with_many()):
            each.free()
        gc.collect()
        return here

    def _counting(self, total: int) -> Callable[[str], None]:
        def tick(name: str) -> None:
            self._tell(name, self._done, total)
            self._done += 1

        return tick

    def _round(self, rows: int, cols: int, limits: Limits) -> Round:
        plan = self._plan
        originals = self._matrices(rows, cols)
        own, coded = [], []
        for original in originals.values():
            self._tell(f"{original.tag} {rows} x {cols}: encoding and compiling", self._done, max(1, self._done))
            some = matrices.copies(original, plan.rotation)
            own += [products.product(some, count, threads, limits) for count in plan.counts for threads in plan.threads]
            coded += [codecs.codec(original, threads) for threads in plan.threads]
        subject = PeerSubject(rows, cols, plan.counts, plan.threads, plan.rotation, originals)
        candidates: list[tuple[Peer, Candidate]] = []
        coders: list[tuple[Peer, Coder]] = []
        for each in self._peers:
            self._tell(f"{each.name} {rows} x {cols}: making ready", self._done, max(1, self._done))
            candidates += [(each, candidate) for candidate in self._tried(each, each.products, subject)]
            coders += [(each, coder) for coder in self._tried(each, each.coders, subject)]
        self._notes += [each for each in subject.notes if each not in self._notes]
        return Round(rows, cols, own, coded, candidates, coders)

    def _tried(self, peer: Peer, make: Callable[[PeerSubject], Iterable[T]], subject: PeerSubject) -> list[T]:
        """Everything that a peer makes of a subject; a peer that fails is recorded as missing, and the others go on."""
        try:
            return list(make(subject))
        except Exception as error:  # noqa: BLE001 - another project's library may fail in any way
            self._missing[peer.name] = f"{type(error).__name__}: {error}"
            return []

    def _matrices(self, rows: int, cols: int) -> dict[str, QMatrix]:
        """Tag -> matrix, of the formats that the shape fits."""
        fitting = {}
        for fmt in self._plan.formats:
            reason = fmt.misfit((rows, cols))
            if reason is not None:
                self._notes.append(f"{fmt.tag} does not fit {rows} x {cols}: {reason}")
                continue
            fitting[str(fmt.tag)] = matrices.matrix(fmt, rows, cols)
        return fitting

    def _find_peers(self) -> list[Peer]:
        loaded = [load(name) for name in NAMES]
        self._missing = {each.name: reason for each in loaded if (reason := each.missing()) is not None}
        return [each for each in loaded if each.name not in self._missing]


# -- results


def _limit(limits: Limits, threads: int) -> LimitResult:
    rates = limits.of(threads)
    return LimitResult(threads, rates.pop(READ), rates)


def _product(each: Product, limit: LimitResult) -> ProductResult:
    beside = {each.limit.what: each.share}
    return ProductResult(
        **{name: getattr(each, name) for name in SHARED},
        of_read=each.timing.rates(each.nbytes).over(limit.read, beside.get(READ)),
        of_peak=each.timing.rates(each.operations).over(limit.peaks[each.peak], beside.get(each.peak)),
    )


SHARED = (
    *("tag", "level", "rows", "cols", "count", "threads", "nbytes", "operations", "peak"),
    *("timing", "prepared", "called"),
)


def _rates(series: Series | None, nbytes: int) -> Rates | None:
    return None if series is None else series.timing.rates(nbytes)


def _coded(each: Codec) -> CodecResult:
    rates = (None if coding is None else coding.rates for coding in (each.decode, each.encode))
    return CodecResult(each.tag, each.rows, each.cols, each.threads, *rates)


def _peer_products(rounds: Iterable[Round]) -> list[PeerProduct]:
    """The faster of a peer's candidates of one kind, beside fourcc's own product."""
    best: dict[tuple[object, ...], PeerProduct] = {}
    for one in rounds:
        for peer, each in one.candidates:
            timing = each.series.timing.scaled(1 / each.matrices)
            mine = next((_compared(product, each) for product in one.products if each.meets(product)), None)
            key = (peer.name, each.kind, one.rows, one.cols, each.count, each.threads)
            if key not in best or timing.best < best[key].timing.best:
                best[key] = PeerProduct(
                    peer.name, each.kind, each.like, one.rows, one.cols, each.count, each.threads, timing, mine
                )
    return list(best.values())


def _compared(mine: Product, theirs: Candidate) -> Rates:
    """Our speed divided by a peer's: of the best samples, and the median of the turns' ratios."""
    turns = [each / theirs.matrices for each in theirs.series.bests]
    return Rates(min(turns) / mine.best, ratio(turns, mine.seconds))


def _peer_codecs(rounds: Iterable[Round], own: Iterable[CodecResult]) -> list[PeerCodec]:
    ours = {(each.tag, each.rows, each.cols, each.threads): each for each in own}
    codecs = []
    for one in rounds:
        for peer, each in one.coders:
            row = 4 * one.cols
            encoded = one.rows if each.encoded is None else each.encoded
            mine = ours.get((each.like, one.rows, one.cols, each.threads))
            decode, encode = _rates(each.decode, one.rows * row), _rates(each.encode, encoded * row)
            ratios = [None, None] if mine is None else [_ratio(mine.decode, decode), _ratio(mine.encode, encode)]
            shape = (one.rows, one.cols, each.threads)
            codecs.append(PeerCodec(peer.name, each.kind, each.like, *shape, decode, encode, *ratios))
    return codecs


def _ratio(mine: Rates | None, theirs: Rates | None) -> Rates | None:
    return None if mine is None or theirs is None else mine.over(theirs)
