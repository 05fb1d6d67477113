"""A short run of products of every format with a kernel of its own, and of a plugin's; for processes of other kinds.

Run as a program it prints, as JSON, how many times its bound each format's products are off, and what the process did
for them; products are kept in a file, so that another process can compare its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "tests" / "plugins" / "fourcc-nf"
TAGS = ["F32", "F16", "BF16", "Q8_0", "Q8_A", "Q8_B", "Q4_A", "Q4_0", "Nf64"]
SHAPES = [(18, 160), (3, 64)]
RAGGED = (18, 77)
COUNTS = (1, 3, 9)


def products(tags: list[str], threads: int | None = None) -> tuple[dict[str, float], dict[str, Any]]:
    """Excesses by format, and all products by name; the plugin's format has to be installed."""
    from fourcc import encode
    from fourcc.registry import registry
    from fourcc.tags import as_tag
    from tests.kernels.bounds import excess
    from tests.kernels.drawing import normal, numbers

    worst: dict[str, float] = {}
    made: dict[str, Any] = {}
    for tag in tags:
        shapes = SHAPES if registry[as_tag(tag)].spec.misfit(RAGGED) else [*SHAPES[1:], RAGGED]
        for rows, cols in shapes:
            q = encode(numbers(normal, 1, (rows, cols)), tag)
            x = numbers(normal, 2, (max(COUNTS), cols))
            for n in COUNTS:
                product = made[f"{tag} {rows} {cols} {n}"] = q.matmul(x[:n], threads)
                worst[tag] = max(worst.get(tag, 0), excess(q, x[:n], product))
            product = made[f"{tag} {rows} {cols} exact"] = q.matmul(x[:3], threads, exact=True)
            worst[tag] = max(worst[tag], excess(q, x[:3], product, exact=True))
    return worst, made


def main(out: str) -> None:
    """Prints what happened; products go to the file `out`."""
    import numpy as np
    from fourcc_nf import NF64

    from tests.core.fakes import installed

    with installed(NF64):
        worst, made = products(TAGS)
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


def run(out: Path, **settings: str) -> dict[str, Any]:
    """What a process of its own tells, run under some environment variables."""
    command = [sys.executable, "-W", "error", __file__, str(out)]
    done = subprocess.run(command, env=environment(**settings), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


if __name__ == "__main__":
    main(sys.argv[1])
