"""A short run of products of formats with a kernel of their own, and of a plugin's; for processes of other kinds.

Run as a program it prints, as JSON, how many times its bound each format's products are off, and what the process did
for them; products are kept in a file, so that another process can compare its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "tests" / "plugins" / "fourcc-nf"
OWN_TAGS = [str(tag) for tag in registry if registry.entry(tag).distribution == OWN]
# Every built-in format with a native kernel, and the plugin's, whose kernel is made from its block decoder.
TAGS = [*(tag for tag in OWN_TAGS if registry[tag].kernel is not None), "Nf64"]
SHAPES = [(18, 160), (3, 64)]  # columns are made more where the format has longer blocks
RAGGED = (18, 77)
COUNTS = (1, 3, 9)


def products(tags: list[str], threads: int | None = None) -> tuple[dict[str, float], dict[str, Any]]:
    """Excesses by format, and all products by name; the plugin's format has to be installed."""
    from fourcc import encode
    from tests.kernels.bounds import excess
    from tests.kernels.random_inputs import normal, numbers

    worst: dict[str, float] = {}
    made: dict[str, Any] = {}
    for tag in tags:
        for rows, cols in shapes_of(tag):
            q = encode(numbers(normal, 1, (rows, cols)), tag)
            x = numbers(normal, 2, (max(COUNTS), cols))
            for n in COUNTS:
                product = made[f"{tag} {rows} {cols} {n}"] = q.matmul(x[:n], threads)
                worst[tag] = max(worst.get(tag, 0), excess(q, x[:n], product))
            product = made[f"{tag} {rows} {cols} exact"] = q.matmul(x[:3], threads, exact=True)
            worst[tag] = max(worst[tag], excess(q, x[:3], product, exact=True))
    return worst, made


def shapes_of(tag: str) -> list[tuple[int, int]]:
    """Shapes that a format takes: a ragged one where it has short blocks."""
    from tests.kernels.random_inputs import fitting

    if registry[tag].misfit(RAGGED) is None:
        return [*SHAPES[1:], RAGGED]
    return list(dict.fromkeys((rows, fitting(tag, cols)) for rows, cols in SHAPES))


def main(out: str, tags: list[str]) -> None:
    """Prints what happened; products go to the file `out`."""
    import numpy as np
    from fourcc_nf import NF64

    from tests.core.fakes import installed

    with installed(NF64):
        worst, made = products(tags)
    np.savez(out, **made)
    from fourcc.kernels.compiler import jit
    from fourcc.kernels.simd.target import target

    told = {
        "excess": worst,
        "compilations": jit.compilations,
        "numba": "numba" in sys.modules,
        "target": target().name,
    }
    sys.stdout.write(json.dumps(told))


def environment(**settings: str) -> dict[str, str]:
    """This process's, with the checkout and the plugin to be found, and settings."""
    path = os.pathsep.join([str(ROOT), str(PLUGIN)])
    return {**os.environ, "PYTHONPATH": path, **settings}


def run(out: Path, tags: list[str] = TAGS, **settings: str) -> dict[str, Any]:
    """The products of some formats, computed by a process of its own under some environment variables."""
    command = [sys.executable, "-W", "error", __file__, str(out), *tags]
    done = subprocess.run(command, env=environment(**settings), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
