"""Measures mixes, single formats and llama.cpp's recipes on one model: the numbers of the README's picture.

    FOURCC_DATA=models python -m tests.pictures.measure_mixes WORK

WORK is a folder for what is made; what lies there already is not made again. The model, its texts and the rules of the
single formats are those of `tests.lanes.calibration`. Writes `specs/pictures/mixes.json`.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from fourcc.bench.machine import machine, versions
from tests.lanes.calibration import common, tales
from tests.lanes.calibration.subject import Subject

OUTPUT = Path(__file__).resolve().parents[2] / "specs" / "pictures" / "mixes.json"
COMMAND = "FOURCC_DATA=models python -m tests.pictures.measure_mixes WORK"
BITS = (2.75, 3.0, 3.25, 3.5, 3.75, 4.0, 4.25, 4.5, 4.75, 5.0, 5.5, 6.0, 6.5)  # budgets, bits a weight
SINGLE = ("Q2_K", "Q3_K", "IQ4X", "Q4_K", "Q4_0", "Q4_1", "Q5_K", "Q5_1", "Q6_K")
RECIPES = ("Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "IQ4_XS", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K")


def figures(subject: Subject, path: Path) -> dict[str, Any]:
    """Bytes and divergence of a file."""
    return {"bytes": path.stat().st_size, "kld": subject.divergence(path)}


def measured(subject: Subject) -> dict[str, Any]:
    """All points: mixes with error feedback; recipes and single formats with the same calibration as an imatrix."""
    mixes = [common.allocated(subject, f"{bits}bpw", feedback="gptq") for bits in BITS]
    recipes = {name: subject.converted(f"recipe-{name}", recipe=name) for name in RECIPES}
    here = machine()
    return {
        "command": COMMAND,
        "machine": f"{here.cpu}, {here.usable} of {here.cores} cores, {here.system}",
        "versions": versions(),
        "model": subject.source.name,
        "tokens": subject.counts.judging,
        "mixes": [{"bits": mix.bits, **figures(subject, mix.path)} for mix in mixes],
        "formats": {tag: figures(subject, common.with_importance(subject, tag)) for tag in SINGLE},
        "recipes": {name: figures(subject, path) for name, path in recipes.items()},
    }


def main() -> None:
    """Measures, and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder for all files")
    subject = tales.subject(Path(os.environ["FOURCC_DATA"]), parser.parse_args().work)
    OUTPUT.write_text(json.dumps(measured(subject), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
