"""The tables of calibration, feedback and allocation: what was aimed at, what was measured, whether it holds.

    FOURCC_DATA=models python -m tests.lanes.calibration WORK [--only NAME ...] [--write PAGE.md]

WORK is a folder for texts, calibrations, costs, models and findings. A row that has been measured is not measured again
(`--again` does), so that a run may be interrupted. Rows of SmolLM2 need FOURCC_SMOLLM2, the path of its GGUF; the head
of `tests/lanes/test_smollm2.py` says where to get it.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from fourcc.bench.machine import machine, versions
from tests.lanes.calibration import smaller, smollm, tales
from tests.lanes.calibration.rows import Kept, Row, holds, tables

DATA, SMOLLM2 = "FOURCC_DATA", "FOURCC_SMOLLM2"
COMMAND = "FOURCC_DATA=models FOURCC_SMOLLM2=smollm2.gguf python -m tests.lanes.calibration WORK"


def all_rows(folder: Path) -> Iterator[Row]:
    """The rows of all models that are there."""
    data = Path(os.environ[DATA])
    yield from tales.rows(tales.subject(data, folder))
    yield from smaller.rows(smaller.subject(data, folder))
    gguf = os.environ.get(SMOLLM2)
    if gguf:
        yield from smollm.rows(smollm.subject(Path(gguf), data, folder))


def page(rows: list[Row], kept: Kept) -> str:
    """The page, with the machine, the versions and the command."""
    here, known = machine(), ", ".join(f"{name} {version}" for name, version in versions().items())
    lines = [
        "# Calibration, error feedback and allocation: what was measured",
        "",
        f"`{COMMAND}`",
        "",
        f"{here.cpu}, {here.usable} of {here.cores} cores, {here.system}; {known}.",
        "KLD: KL divergence of the weights from the original's, in nats a token, activations exact.",
    ]
    return "\n".join(lines) + "\n" + tables(rows, kept)


def main() -> int:
    """Measures the wanted rows; returns 1 where a goal is not reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder for all files")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="rows, or globs of rows")
    parser.add_argument("--again", action="store_true", help="measure rows that have been measured")
    parser.add_argument("--list", action="store_true", help="print the rows' names and measure nothing")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the page; else it is printed")
    asked = parser.parse_args()
    if DATA not in os.environ:
        parser.error(f"{DATA} names no folder of models")
    rows, kept = list(all_rows(asked.work)), Kept(asked.work / "findings")
    wanted = [row for row in rows if not asked.only or any(fnmatchcase(row.name, glob) for glob in asked.only)]
    if asked.list:
        print("\n".join(row.name for row in wanted))
        return 0
    missed = [row for row in wanted if not _measured(row, kept, again=asked.again)]
    text = page(rows, kept)
    if asked.write is None:
        print(text)
    else:
        asked.write.write_text(text, encoding="utf-8")
    return 1 if missed else 0


def _measured(row: Row, kept: Kept, *, again: bool) -> bool:
    """Measures a row, says what was found on stderr, and returns whether its goal is reached."""
    known = kept.found(row, again=again)
    print(f"{row.name}: {known['value']:.4g} {holds(row, known['value'])} ({known['seconds']:.0f} s)", file=sys.stderr)
    return row.goal is None or known["value"] <= row.goal


if __name__ == "__main__":
    sys.exit(main())
