"""Measures the error of every format that encodes, for the gallery of formats: `specs/measured-formats.md`.

    FOURCC_DATA=models python -m tests.lanes.measured_formats WORK [--write]

SQNR on the random weights of `tests.formats.measure_sqnr`; KL divergence of the model and by the protocol of
`tests.lanes.calibration`, each format with its default encoder and without calibration. WORK is a folder for the files
that are made; what has been measured is not measured again.
"""

import argparse
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs

from fourcc.bench.machine import machine, versions
from fourcc.format import Format
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry
from tests.formats.measure_sqnr import drawn, sqnr
from tests.lanes.calibration import common, tales
from tests.lanes.calibration.subject import Subject

PAGE = Path(__file__).parents[2] / "specs" / "measured-formats.md"
COMMAND = "FOURCC_DATA=models python -m tests.lanes.measured_formats WORK --write"
DISTRIBUTIONS = ("Gauss", "t5")
HEAD = ("| format | bits/weight | SQNR Gauss, dB | SQNR t5, dB | KL divergence |", "|---|--:|--:|--:|--:|")
TEXT = """\
# Every format: what was measured

`{command}`

{cpu}, {usable} of {cores} cores, {system}; {versions}.

SQNR: of independent random weights, normal ones and Student's t with 5 degrees of freedom: 10 log10 (sum w^2 / sum
(w - v)^2). KL divergence: from the original, in nats a token, of a Llama of 4.9 million weights, all matrices in the
format and its embedding in `Q8_0`, on {tokens:,} tokens of held-out stories, activations exact. The embedding alone has
{floor:.2g}, which is in every number. Encoders have their defaults; no calibration, no error feedback.

{table}
"""


@attrs.frozen
class Measured:
    """The figures of one format.

    Attributes:
        tag: the format's.
        bits: per weight, nominal.
        errors: SQNR in dB, a distribution each.
        divergence: KL divergence in nats a token.
    """

    tag: str
    bits: float
    errors: tuple[float, ...]
    divergence: float

    def row(self) -> str:
        """The line of the table."""
        errors = [f"{each:.2f}" if math.isfinite(each) else "exact" for each in self.errors]
        return f"| `{self.tag}` | {self.bits:.4g} | {' | '.join(errors)} | {self.divergence:.2g} |"


def encoders() -> Iterator[Format]:
    """The formats of our own that encode real numbers, by bits."""
    own = [registry[tag] for tag in registry if registry.entry(tag).distribution == OWN]
    able = [each for each in own if each.real and each.encode is not None]
    return iter(sorted(able, key=lambda each: (each.bits_per_weight(), each.tag)))


def measured(fmt: Format, model: Subject) -> Measured:
    """The figures of a format."""
    tag = str(fmt.tag)
    draws = drawn()
    errors = tuple(sqnr(draws[each], tag, {}) for each in DISTRIBUTIONS)
    found = Measured(tag, float(fmt.bits_per_weight()), errors, model.divergence(common.plainly(model, tag)))
    print(found.row(), file=sys.stderr, flush=True)
    return found


def page(found: list[Measured], model: Subject) -> str:
    """The page, with machine, versions and command."""
    here, known = machine(), ", ".join(f"{name} {version}" for name, version in versions().items())
    floor = next(each.divergence for each in found if each.tag == "F32")  # F32: only the embedding is not the original
    return TEXT.format(
        command=COMMAND,
        cpu=here.cpu,
        usable=here.usable,
        cores=here.cores,
        system=here.system,
        versions=known,
        tokens=model.counts.judging,
        floor=floor,
        table="\n".join([*HEAD, *(each.row() for each in found)]),
    )


def main() -> None:
    """Measures, and prints the page or writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder for all files")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}; else it is printed")
    asked = parser.parse_args()
    if "FOURCC_DATA" not in os.environ:
        parser.error("FOURCC_DATA names no folder of models")
    model = tales.subject(Path(os.environ["FOURCC_DATA"]), asked.work)
    text = page([measured(each, model) for each in encoders()], model)
    if asked.write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
