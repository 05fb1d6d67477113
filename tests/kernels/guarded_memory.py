"""Products with weights that end where memory ends: a byte read beyond them kills the process. Run as a program."""

import sys

from fourcc import encode
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.testing.memory import Guarded
from tests.core.fakes import installed
from tests.kernels.random_inputs import fitting, normal, numbers
from tests.kernels.short_products import TAGS

SHAPES = [(1, 32), (9, 32), (18, 64), (35, 96), (17, 544)]
RAGGED = [(1, 1), (9, 3), (18, 65), (35, 127), (17, 257), (5, 513)]


def main(exactly: list[str]) -> None:
    """All formats with native kernels, and a plugin's; says of how many it multiplied matrices.

    Args:
        exactly: the formats whose exact products are tried, too.
    """
    from fourcc_nf import NF64

    with installed(NF64), Guarded() as guarded_memory:
        for tag in TAGS:
            shapes = [] if registry[tag].misfit((1, 1)) else RAGGED
            for rows, cols in dict.fromkeys([*((rows, fitting(tag, cols)) for rows, cols in SHAPES), *shapes]):
                q = encode(numbers(normal, 1, (rows, cols)), tag)
                parts = {name: guarded_memory.hold(part) for name, part in q.parts.items()}
                guarded = QMatrix(q.tag, q.shape, parts)
                for n in (1, 3):
                    x = numbers(normal, 2, (n, cols))
                    for exact in (False, True)[: 1 + (tag in exactly)]:
                        right, made = q.matmul(x, exact=exact), guarded.matmul(x, exact=exact)
                        if right.tobytes() != made.tobytes():
                            raise ValueError(f"{tag} {rows} {cols} {n}")
    sys.stdout.write(f"{len(TAGS)} formats\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
