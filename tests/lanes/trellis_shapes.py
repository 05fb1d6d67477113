"""The worth of the shape of a trellis format's blocks with error feedback: the output error of some matrices.

``FOURCC_DATA=models python -m tests.lanes.trellis_shapes WORK``: matrices of the model of five million weights, the
Hessians of their inputs on 20,000 tokens of stories. The output error is tr(E H E^T) for the error E of the weights;
the table has it by that of blocks of one row. WORK is a folder for the calibration, which `tests.lanes.calibration`
uses, too.

Blocks of other shapes than 64 x 4 come from a second copy of the formats' module, whose two constants are others.
"""

import argparse
import os
from collections.abc import Iterator
from importlib.util import find_spec, module_from_spec
from pathlib import Path

import attrs
import numpy as np

import fourcc
from fourcc import Aids, Array, Format, registry
from tests.lanes.calibration import tales

MATRICES = ("layers.2.feed_forward.w1", "layers.4.attention.wo", "layers.0.attention.wv")
ALONG = (1, 256)  # the block that all others are compared with
SHAPES = ((16, 16), (32, 8), (64, 4), (128, 2))  # one column alone takes no feedback from block to block
FAMILY = "fourcc.formats.families.trellis"


def shaped(bits: int, shape: tuple[int, int]) -> Format:
    """The trellis format of so many bits whose blocks have another shape, of 256 weights."""
    spec = find_spec(FAMILY)
    assert spec is not None
    assert spec.loader is not None
    copy = module_from_spec(spec)
    spec.loader.exec_module(copy)
    copy.ROWS, copy.COLS = shape  # type: ignore[attr-defined]  # what the module is copied for
    tag, summary = f"Ts{bits}x", f"TC{bits} in blocks of {shape[0]} x {shape[1]}"
    made: Format = attrs.evolve(copy.trellis(bits), tag=tag, name=tag, summary=summary, kernel=None, bound=None)
    return made


def output_error(fmt: Format, w: Array, hessian: Array, *, seen: str = "") -> float:
    """tr(E H E^T) of encoded weights (rows, cols), where the encoder sees nothing, `importance` or the `hessian`."""
    aids = {
        "": Aids(),
        "importance": Aids(importance=np.diag(hessian).copy()),
        "hessian": Aids(hessian=hessian),
    }[seen]
    with registry.trying(fmt):
        decoded = fourcc.encode(w, fmt.tag, aids=aids, feedback="gptq" if seen == "hessian" else None).decode()
    error = (w - decoded).astype(np.float64)
    return float(((error @ hessian.astype(np.float64)) * error).sum())


def table(bits: int, matrices: dict[str, tuple[Array, Array]]) -> Iterator[str]:
    """The Markdown table, line by line; of each matrix the weights and the Hessian."""
    alone = {name: output_error(shaped(bits, ALONG), *each) for name, each in matrices.items()}

    def line(shape: tuple[int, int], seen: str) -> str:
        found = (output_error(shaped(bits, shape), *each, seen=seen) / alone[name] for name, each in matrices.items())
        what = {"": "plain", "importance": "importance", "hessian": "feedback"}[seen]
        return f"| {shape[0]} x {shape[1]}, {what} | {' | '.join(f'{ratio:.2f}' for ratio in found)} |"

    yield f"| {bits} bits | {' | '.join(f'`{name}`' for name in matrices)} |"
    yield f"|---|{'--:|' * len(matrices)}"
    yield line(ALONG, "importance")
    for shape in SHAPES:
        yield line(shape, "")
    for shape in SHAPES:
        yield line(shape, "hessian")


def main() -> None:
    """Prints a table for 2 and one for 3 bits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder for all files")
    parser.add_argument("--bits", type=int, nargs="+", default=[2, 3], choices=(2, 3, 4))
    asked = parser.parse_args()
    subject = tales.subject(Path(os.environ["FOURCC_DATA"]), asked.work)
    calibration = fourcc.open_calibration(subject.calibration)
    matrices = {}
    with fourcc.open(subject.original) as model:
        for name in MATRICES:
            hessian = calibration.hessian(name)
            assert hessian is not None
            matrices[name] = np.asarray(model[name].decode()), np.asarray(hessian)
    for bits in asked.bits:
        print("\n".join(table(bits, matrices)), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
