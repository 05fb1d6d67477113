"""Stores the rates that forecasts are made with where a machine remembers none of its own.

    python -m tests.bench.store_rates

Processor time of encoding (decoding again and measuring the error included) and of decoding, reading from the
system's cache included, by one thread, of every built-in format that can be encoded; products come from the table of
all types in specs/performance.md.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, thread_time

import numpy as np
from xxhash import xxh3_128

import fourcc.rates
from fourcc.arrays import Floats
from fourcc.bench.machine import machine, versions
from fourcc.compute import target_name
from fourcc.compute.coding import WORTH_COMPILING
from fourcc.encoding import encode
from fourcc.files.read import ReadFile
from fourcc.format import Aids, Format
from fourcc.geometry import Geometry
from fourcc.matrix_encoder import MatrixEncoder
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry
from fourcc.rates.shipped import FILE
from fourcc.rates.yardstick import processor_seconds
from fourcc.settings import complete
from fourcc.tiles import Tile

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(fourcc.rates.__file__).with_name(FILE)
EXAMPLE = ROOT / "fourcc/example/tiny.bin"  # a file of 1.4 MB, to read
ROWS, COLS = 64, 4096  # one tile
SECONDS, LEAST, MOST = 1.0, 4, 20  # of a measurement, and its tries
ROW = re.compile(r"^\| `(\w+)` \|(.*)\|$", re.MULTILINE)
YARDSTICKS = 50
GEMV, GEMM = 5, 7  # columns of one thread, behind the type's


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of a piece of work: the least of some tries, since other programs only add to it."""
    work()
    tries: list[float] = []
    end = perf_counter() + SECONDS
    while len(tries) < LEAST or (len(tries) < MOST and perf_counter() < end):
        began = thread_time()
        work()
        tries.append(thread_time() - began)
    return min(tries)


def tile_of(fmt: Format, rows: int) -> Floats:
    """Weights to encode."""
    return (np.random.default_rng(0).standard_normal((rows, COLS)) * 0.02).astype(fmt.decoded)


def costs(fmt: Format) -> dict[str, float]:
    """Nanoseconds a weight, by kind of work."""
    found: dict[str, float] = {}
    for kind, aids in (("", Aids()), (" importance", Aids(importance=np.ones(COLS)))):
        if (kind and "importance" not in fmt.sees) or (not kind and fmt.needs) or "hessian" in fmt.needs:
            continue
        rows, tile = ROWS, tile_of(fmt, ROWS)
        geom = Geometry(rows, COLS, complete(fmt.params, {}))
        encoder = MatrixEncoder(fmt, geom, complete(fmt.options, {}), aids, whole=WORTH_COMPILING)

        def work(encoder: MatrixEncoder = encoder, tile: Floats = tile) -> object:
            shared = encoder.prepare(lambda first, last: tile[first:last])
            return encoder.tile(tile, shared, 0)

        found[f"encode {fmt.tag}{kind}"] = 1e9 * seconds(work) / tile.size
        if not kind:
            found[f"decode {fmt.tag}"] = 1e9 * seconds(decoding(fmt, tile, geom)) / tile.size
    return found


def decoding(fmt: Format, tile: Floats, geom: Geometry) -> Callable[[], object]:
    """Reads as many bytes from a file as the tile is stored in, and decodes it."""
    parts = encode(tile, fmt.tag).parts
    stored = Tile("tile", fmt, geom, parts, WORTH_COMPILING)
    nbytes = sum(part.nbytes for part in parts.values())
    file = ReadFile(EXAMPLE)
    pieces = [min(file.size, nbytes - at) for at in range(0, nbytes, file.size)]
    return lambda: [*(file.read(0, piece) for piece in pieces), stored.decode()]


def products() -> tuple[dict[str, float], dict[str, float]]:
    """GB/s of products with one activation, and 10^9 operations a second of those with many, both by one thread."""
    text = (ROOT / "specs/performance.md").read_text(encoding="utf-8")
    rows = {tag: cells.split("|") for tag, cells in ROW.findall(text.split("types: begin")[1].split("types: end")[0])}

    def column(number: int) -> dict[str, float]:
        return {tag: float(cells[number].split("/")[0]) for tag, cells in rows.items()}

    return column(GEMV), column(GEMM)


def fresh_yardstick() -> float:
    """The yardstick, not as it was measured before."""
    processor_seconds.cache_clear()
    return processor_seconds()


def digest_rate() -> float:
    """Bytes a second of the digest of a source's bytes."""
    data = bytes(1 << 24)
    return len(data) / seconds(lambda: xxh3_128(data).digest())


def document() -> dict[str, object]:
    """The file's contents."""
    gemv, gemm = products()
    yardsticks = [fresh_yardstick() for _ in range(YARDSTICKS)]
    found: dict[str, float] = {}
    for tag in registry:
        fmt = registry[tag]
        if registry.entry(tag).distribution == OWN and fmt.encode is not None:
            try:
                found |= costs(fmt)
            except fourcc.FourccError as error:
                sys.stderr.write(f"{tag}: {error}\n")
    told = ", ".join(f"{name} {number}" for name, number in versions().items())
    here = machine()
    return {
        "machine": f"{here.cpu}, {target_name()} kernels, one thread; {told}",
        "yardstick": min(yardsticks),
        "digest": digest_rate(),
        "nanoseconds": {kind: float(f"{value:.3g}") for kind, value in sorted(found.items())},
        "gemv": gemv,
        "gemm": gemm,
    }


if __name__ == "__main__":
    TARGET.write_text(json.dumps(document(), indent=1) + "\n", encoding="utf-8")
