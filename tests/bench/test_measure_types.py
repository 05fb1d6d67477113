"""The table of types: what a run's figures become, and where they are put."""

import math

import pytest

from tests.bench import measure_types
from tests.bench.measure_types import MANY, ONE, Document, line, table
from tests.markdown import filled

BYTES = 4096 * 4096 // 2  # of 4 bits a weight
OPERATIONS = 2 * 4096 * 4096 * 512


def timed(**found: object) -> Document:
    """A product, or coding."""
    return {"peer": "ggml", **found}


def document(*, beside: bool) -> Document:
    """A run in which everything of one thread takes a millisecond, of two half of it, and ggml's double."""
    products, others, codecs, coded = [], [], [], []
    for threads, us in ((1, 1000.0), (2, 500.0)):
        for count in (ONE, MANY):
            prepared = {"median": 0.25 * us} if count == MANY else None
            shared = {"n": count, "threads": threads}
            products.append({**shared, "bytes": BYTES, "us": {"median": us}, "prepare_us": prepared})
            others.append(timed(**shared, us={"median": 2 * us}))
        codecs.append({"threads": threads, "encode_gb_s": {"median": 0.5 * threads}})
        coded.append(timed(threads=threads, encode_gb_s={"median": 0.25 * threads}))
    others.append({**others[0], "peer": "numpy", "us": {"median": 1.0}})
    peers = {"peer_products": others, "peer_codecs": coded} if beside else {"peer_products": [], "peer_codecs": []}
    return {"products": products, "codecs": codecs, **peers}


def test_a_line_has_the_medians_of_both() -> None:
    """GEMV in stored bytes; GEMM with what preparing its activations takes; another peer is not ggml."""
    made = line("Q4_0", document(beside=True), (20.0, 19.0))
    assert made.bits == 4
    assert made.speeds["encode MB/s", 2] == (1000, 500)
    assert made.speeds["GEMV GB/s", 1] == pytest.approx((BYTES / 1e6, BYTES / 2e6))
    assert made.speeds["GEMM GOPS", 2] == pytest.approx((OPERATIONS / 0.625e6, OPERATIONS / 1e6))


def test_a_type_that_ggml_lacks_has_a_dash() -> None:
    """Its own figures stand."""
    made = line("Nf4", document(beside=False), (20.0, math.inf))
    assert made.speeds["encode MB/s", 1] == (500, None)
    assert made.cells()[:5] == ["`Nf4`", "4", "20.00", "exact", "500 / –"]  # noqa: RUF001 - the table's dash


def test_what_has_no_encoder_at_all_has_one_dash() -> None:
    """Neither side is known."""
    found = {**document(beside=False), "codecs": []}
    assert line("F32", found, (1.0, 1.0)).cells()[4] == "–"  # noqa: RUF001 - the table's dash


def test_every_row_of_the_table_has_as_many_cells() -> None:
    """A row has as many cells as the heading."""
    rows = table([line("Q4_0", document(beside=each), (20.0, 19.0)) for each in (True, False)]).splitlines()
    assert len({row.count("|") for row in rows}) == 1
    assert len(rows) == 4


def test_the_readme_has_the_markers() -> None:
    """The README has a place for a new table."""
    assert "new" in filled(measure_types.PAGE.read_text(encoding="utf-8"), "types", "new").splitlines()
