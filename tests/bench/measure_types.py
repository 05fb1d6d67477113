"""Measures every type on random weights beside ggml's: bits, error and speed, in the table of `specs/performance.md`.

    python -m tests.bench.measure_types [--write] [--rounds N] [--format TAG,...]

Needs llama-cpp-python for ggml's figures. Each type has a process of its own, in which it and ggml's same type take
turns, as in `fourcc bench --peers`; the weights and the error's definition are those of `tests.formats.measure_sqnr`.
"""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import attrs

from fourcc.bench import plan
from fourcc.bench.matrices import weights
from fourcc.bench.run import BenchRun
from fourcc.bench.timing import Series, take_turns
from fourcc.compute import coding
from fourcc.encoding import checked_settings
from fourcc.format import Aids
from fourcc.geometry import Geometry
from fourcc.matrix_encoder import MatrixEncoder
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.measure_sqnr import drawn, sqnr
from tests.markdown import filled

PAGE = Path(__file__).resolve().parents[2] / "specs" / "performance.md"
ROWS = COLS = 4096
TILE = 128  # rows that an encoder of the format's own takes at once
ONE, MANY = 1, 512  # activations
THREADS = (1, 2)
DISTRIBUTIONS = ("Gauss", "t5")
NONE = "–"  # noqa: RUF001 - a dash, for what there is none of
HEAD = ("type", "bits", "SQNR Gauss", "SQNR t5")
SPEEDS = ("encode MB/s", "GEMV GB/s", "GEMM GOPS")
Document = Mapping[str, Any]
Pair = tuple[float | None, float | None]


@attrs.frozen
class Line:
    """One type.

    Attributes:
        tag: of the format.
        bits: stored a weight.
        errors: SQNR in dB, a distribution each; infinite where nothing is lost.
        speeds: fourcc's and ggml's, by what is measured (as in `SPEEDS`) and threads.
    """

    tag: str
    bits: float
    errors: tuple[float, ...]
    speeds: Mapping[tuple[str, int], Pair]

    def cells(self) -> list[str]:
        """As they stand in the table."""
        errors = [f"{each:.2f}" if math.isfinite(each) else "exact" for each in self.errors]
        speeds = [_pair(self.speeds[what, threads]) for what in SPEEDS for threads in THREADS]
        return [f"`{self.tag}`", f"{self.bits:.4g}", *errors, *speeds]


def encoded(tag: str, threads: int, rounds: int) -> float:
    """Float32 bytes a second, median, that a format's own encoder takes: of those that are no kernel of the bench's.

    Each thread has rows of its own, as tiles have in a conversion.
    """
    found = registry[as_tag(tag)]
    tile = weights(TILE, COLS)
    params, options = checked_settings(found, tile.shape, {}, {})
    geom = Geometry(TILE, COLS, params)
    shared = MatrixEncoder(found, geom, options).prepare(lambda first, last: tile[first:last])

    def one(_: int) -> object:
        return coding.encode(found, tile, shared, geom, options, Aids(), whole=ROWS * COLS)

    with ThreadPoolExecutor(threads) as pool:
        series = Series(tag, lambda: list(pool.map(one, range(threads))), repeats=1)
        take_turns([series], rounds, lambda _: None)
    return series.timing.rates(threads * tile.nbytes).median


def measured(tag: str, rounds: int) -> Document:
    """The bench's results for one type and its peers, and its encoder's speed if the bench has none."""
    made = plan.make(formats=tag, shapes=f"{ROWS}x{COLS}", threads="1,2", counts=f"{ONE},{MANY}", peers=True)
    found = BenchRun(attrs.evolve(made, rounds=rounds), lambda *_: None).results().document()
    for each in cast("list[dict[str, Any]]", found["codecs"]):
        if each["encode_gb_s"] is None:
            each["encode_gb_s"] = {"median": encoded(tag, each["threads"], rounds) / 1e9}
    return found


def errors(tag: str) -> tuple[float, ...]:
    """SQNR of a type with its default encoder, in dB."""
    draws = drawn()
    return tuple(sqnr(draws[each], tag, {}) for each in DISTRIBUTIONS)


def line(tag: str, found: Document, lost: tuple[float, ...]) -> Line:
    """The medians of a run; preparing its activations belongs to a product, as with ggml."""
    speeds: dict[tuple[str, int], Pair] = {}
    for threads in THREADS:
        own = {each["n"]: each for each in found["products"] if each["threads"] == threads}
        other = {each["n"]: each for each in _of_ggml(found["peer_products"], threads)}
        coded = [each for each in found["codecs"] if each["threads"] == threads]
        amounts = {ONE: own[ONE]["bytes"] / 1e3, MANY: 2 * ROWS * COLS * MANY / 1e3}  # times 10^9 / 10^6 a microsecond
        speeds["encode MB/s", threads] = (_encoding(coded), _encoding(_of_ggml(found["peer_codecs"], threads)))
        for what, count in (("GEMV GB/s", ONE), ("GEMM GOPS", MANY)):
            theirs = amounts[count] / other[count]["us"]["median"] if count in other else None
            speeds[what, threads] = (amounts[count] / _micros(own[count]), theirs)
    return Line(tag, 8 * found["products"][0]["bytes"] / (ROWS * COLS), lost, speeds)


def table(lines: Sequence[Line]) -> str:
    """In Markdown."""
    speeds = [f"{what}, {threads} thread{'s' * (threads > 1)}" for what in SPEEDS for threads in THREADS]
    head = [*HEAD, *speeds]
    rows = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join([*rows, *("| " + " | ".join(each.cells()) + " |" for each in lines)])


def heading(found: Document) -> str:
    """The measurement, with its machine and versions."""
    machine, versions = found["machine"], found["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items() if name in NAMED)
    read = ", ".join(f"{each['read_gb_s']['median']:.1f}" for each in found["limits"])
    return (
        f"`python -m tests.bench.measure_types`: fourcc / ggml (of llama-cpp-python), medians of {found['rounds']} "
        f"rounds,\n{ROWS} x {COLS} weights, GEMV of {ONE} activation and GEMM of {MANY}, activations' preparation "
        f"included.\n{machine['cpu']}, {machine['usable']} cores, {found['target']} kernels; {named}.\n"
        f"Memory was read with {read} GB/s by {', '.join(map(str, THREADS))} threads."
    )


NAMED = ("python", "fourcc", "numpy", "numba", "llama-cpp-python")


def _of_ggml(found: Sequence[Document], threads: int) -> list[Document]:
    return [each for each in found if each["peer"] == "ggml" and each["threads"] == threads]


def _encoding(found: Sequence[Document]) -> float | None:
    rates = [each["encode_gb_s"] for each in found]
    return 1000 * rates[0]["median"] if rates and rates[0] is not None else None


def _micros(product: Document) -> float:
    prepared = product["prepare_us"]
    return float(product["us"]["median"] + (0 if prepared is None else prepared["median"]))


def _pair(values: Pair) -> str:
    """Three digits each; alone where neither is known."""
    texts = [NONE if each is None else f"{each:.0f}" if each >= 100 else f"{each:.3g}" for each in values]
    return NONE if texts == [NONE, NONE] else " / ".join(texts)


def main() -> None:
    """Measures, and prints the table or writes it into the README."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the table into specs/performance.md")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each thing that is measured")
    parser.add_argument("--format", help="comma list of tags; default: all of fourcc's own with a kernel")
    options = parser.parse_args()
    lines, found = [], {}
    context = get_context("spawn")  # a process a type: what a peer allocates is freed with it
    for each in plan.formats_of(options.format):
        tag = str(each.tag)
        if options.format is None and registry.entry(each.tag).distribution != OWN:
            continue
        with ProcessPoolExecutor(1, context) as pool:
            found = pool.submit(measured, tag, options.rounds).result()
        if "ggml" in found["missing_peers"]:
            sys.exit(f"ggml: {found['missing_peers']['ggml']}")
        lines.append(line(tag, found, errors(tag)))
        sys.stderr.write(f"{' | '.join(lines[-1].cells())}\n")  # what a run that is cut short has found
    body = f"{heading(found)}\n\n{table(lines)}"
    if options.write:
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), "types", body), encoding="utf-8")
    else:
        sys.stdout.write(f"{body}\n")


if __name__ == "__main__":
    main()
