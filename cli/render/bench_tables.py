"""The output of `fourcc bench`: facts, then a table for each kind of measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fourcc.cli.render import tables, terminal, units
from fourcc.cli.render.tables import Column

if TYPE_CHECKING:
    from fourcc.bench.results import CodecResult, LimitResult, PeerCodec, PeerProduct, ProductResult, Results
    from fourcc.bench.timing import Rates, Timing

NONE = "-"

UNITS = {"int8": "GOPS", "float32": "GFLOPS", "bfloat16": "GFLOPS"}  # kinds of products
LIMITS = (
    Column("threads", right=True),
    Column("reading GB/s", right=True),
    Column("median", right=True),
    *(Column(head, right=True) for what in UNITS for head in (f"{what} {UNITS[what]}", "median")),
)
PRODUCTS = (
    Column("format"),
    Column("n", right=True),
    Column("threads", right=True),
    Column("us", right=True),
    Column("GB/s", right=True),
    Column("of limit", right=True),
    Column("median", right=True),
    Column("of limit", right=True),
    Column("GOPS", right=True),
    Column("of peak", right=True),
    Column("median", right=True),
    Column("of peak", right=True),
    Column("activations us", right=True),
    Column("q @ x us", right=True),
)
CODECS = (
    Column("format"),
    Column("matrix"),
    Column("threads", right=True),
    Column("decode GB/s", right=True),
    Column("median", right=True),
    Column("encode GB/s", right=True),
    Column("median", right=True),
)
PEER_PRODUCTS = (
    Column("peer"),
    Column("its weights"),
    Column("format"),
    Column("matrix"),
    Column("n", right=True),
    Column("threads", right=True),
    Column("its us", right=True),
    Column("fourcc / peer", right=True),
    Column("median", right=True),
)
PEER_CODECS = (
    Column("peer"),
    Column("its weights"),
    Column("format"),
    Column("matrix"),
    Column("threads", right=True),
    Column("decode GB/s", right=True),
    Column("fourcc / peer", right=True),
    Column("encode GB/s", right=True),
    Column("fourcc / peer", right=True),
)


def show(results: Results, others: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes all tables to stdout.

    Args:
        results: the run's.
        others: SIMD target -> the document of its run.
    """
    _facts(results)
    limits = [_limit(each) for each in results.limits]
    _table(LIMITS[: len(limits[0])], limits)
    for shape in dict.fromkeys((each.rows, each.cols) for each in results.products):
        terminal.out("")
        tables.paragraph(f"products of {shape[0]} x {shape[1]}, with n activations")
        tables.show(PRODUCTS, [_product(each) for each in results.products if (each.rows, each.cols) == shape])
    _table(CODECS, [_codec(each) for each in results.codecs])
    _table(PEER_PRODUCTS, [_peer_product(each) for each in results.peer_products])
    _table(PEER_CODECS, [_peer_codec(each) for each in results.peer_codecs])
    for name, reason in results.missing.items():
        tables.paragraph(f"{name}: {reason}")
    if others:
        _compare(results, others)


def _facts(results: Results) -> None:
    machine, rotation = results.machine, units.short_bytes(results.rotation)
    tables.facts(
        [
            ("machine", f"{machine.cpu}, {machine.architecture}, {machine.system}"),
            ("cores", f"{machine.cores}, of which {machine.usable} are used"),
            ("versions", ", ".join(f"{name} {version}" for name, version in results.versions.items())),
            ("SIMD target", results.target),
            ("method", f"{results.rounds} rounds in turns, best sample and median, rotation of {rotation}"),
        ]
    )


def _table(columns: tuple[Column, ...], rows: list[list[str]]) -> None:
    if rows:
        terminal.out("")
        tables.show(columns, rows)


def _limit(each: LimitResult) -> list[str]:
    peaks = (each.peaks[what] for what in UNITS if what in each.peaks)
    return [str(each.threads), *_giga(each.read, 1), *(cell for rates in peaks for cell in _giga(rates, 0))]


def _giga(rates: Rates | None, digits: int) -> list[str]:
    """10^9 a second, of the best sample and of the median."""
    if rates is None:
        return [NONE, NONE]
    return [f"{value / 1e9:.{digits}f}" for value in (rates.best, rates.median)]


def _product(each: ProductResult) -> list[str]:
    from fourcc.bench.products import MANY  # imported here: numpy has been loaded by now

    few, many = [NONE] * 4, [NONE] * 4
    if each.count < MANY:
        few = _with_shares(each.bandwidth, each.of_read, 1)
    if each.count > 1:
        many = _with_shares(each.speed, each.of_peak, 0)
    head = [each.tag, str(each.count), str(each.threads), _micros(each.timing)]
    return [*head, *few, *many, _micros(each.prepared), _micros(each.called)]


def _with_shares(rates: Rates, shares: Rates, digits: int) -> list[str]:
    best, median = _giga(rates, digits)
    return [best, _percent(shares.best), median, _percent(shares.median)]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _micros(timing: Timing | None) -> str:
    if timing is None:
        return NONE
    value = timing.best * 1e6
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _codec(each: CodecResult) -> list[str]:
    shape = f"{each.rows} x {each.cols}"
    return [each.tag, shape, str(each.threads), *_giga(each.decode, 2), *_giga(each.encode, 2)]


def _peer_product(each: PeerProduct) -> list[str]:
    shape = f"{each.rows} x {each.cols}"
    numbers = [str(each.count), str(each.threads), _micros(each.timing), *_ratios(each.ratio)]
    return [each.peer, each.kind, each.like, shape, *numbers]


def _ratios(ratio: Rates | None) -> list[str]:
    return [NONE, NONE] if ratio is None else [f"{ratio.best:.2f}", f"{ratio.median:.2f}"]


def _peer_codec(each: PeerCodec) -> list[str]:
    decode, encode = _giga(each.decode, 2)[0], _giga(each.encode, 2)[0]
    ratios = [_ratios(each.decode_ratio)[0], _ratios(each.encode_ratio)[0]]
    head = [each.peer, each.kind, each.like, f"{each.rows} x {each.cols}", str(each.threads)]
    return [*head, decode, ratios[0], encode, ratios[1]]


def _compare(results: Results, others: Mapping[str, Mapping[str, Any]]) -> None:
    """One row a product, one column a SIMD target: microseconds of the best sample."""
    documents: dict[str, Mapping[str, Any]] = {results.target: results.document(), **others}
    columns = [Column("format"), Column("matrix"), Column("n", right=True), Column("threads", right=True)]
    columns += [Column(f"{name} us", right=True) for name in documents]
    rows: dict[tuple[str, ...], list[str]] = {}
    for number, document in enumerate(documents.values()):
        for each in document["products"]:
            shape = f"{each['rows']} x {each['cols']}"
            key = (each["format"], shape, str(each["n"]), str(each["threads"]))
            rows.setdefault(key, [NONE] * len(documents))[number] = f"{each['us']['best']:.1f}"
    _table(tuple(columns), [[*key, *cells] for key, cells in rows.items()])
