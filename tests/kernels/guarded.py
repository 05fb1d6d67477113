"""Products with weights that end where memory ends: a byte read beyond them kills the process. Run as a program."""

import sys

from fourcc import encode
from fourcc.qmatrix import QMatrix
from fourcc.registry import registry
from fourcc.tags import as_tag
from fourcc.testing.memory import Guarded
from tests.core.fakes import installed
from tests.kernels.compact import TAGS
from tests.kernels.drawing import normal, numbers

SHAPES = [(1, 32), (9, 32), (18, 64), (35, 96), (17, 544)]
RAGGED = [(1, 1), (9, 3), (18, 65), (35, 127), (17, 257), (5, 513)]


def main() -> None:
    """All formats; says how many matrices it multiplied."""
    from fourcc_nf import NF64

    count = 0
    with installed(NF64), Guarded() as guarded_memory:
        for tag in TAGS:
            shapes = SHAPES if registry[as_tag(tag)].spec.misfit((1, 1)) else SHAPES + RAGGED
            for rows, cols in shapes:
                q = encode(numbers(normal, 1, (rows, cols)), tag)
                parts = {name: guarded_memory.hold(part) for name, part in q.parts.items()}
                guarded = QMatrix(q.tag, q.shape, parts)
                for n in (1, 3):
                    x = numbers(normal, 2, (n, cols))
                    for exact in (False, True):
                        right, made = q.matmul(x, exact=exact), guarded.matmul(x, exact=exact)
                        if right.tobytes() != made.tobytes():
                            raise ValueError(f"{tag} {rows} {cols} {n}")
                count += 1
    sys.stdout.write(f"{count} matrices\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
