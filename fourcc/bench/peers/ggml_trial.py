"""A trial of ggml's products with weights in one of its buffer types, in a process of its own.

A build may have instructions that end the process: GCC 12 drops the one that tells AMX the size of its tiles.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import cache

from fourcc.bench.matrices import weights
from fourcc.bench.peers.ggml_graph import Products, weights_in
from fourcc.bench.peers.ggml_library import library
from fourcc.encoding import encode
from fourcc.plugins.registry import registry

KINDS = (2, 8, 12, 1)  # ids of ggml's types; the first that the buffer type takes is tried
ROWS, COLS, COUNT = 64, 512, 32


@cache
def why_not(number: int) -> str | None:
    """Why a process that tries one of `Library.buffer_types` ends early; None if it does not."""
    code = subprocess.run(command_for(number), capture_output=True, check=False).returncode  # noqa: S603 - ourselves
    if code >= 0:
        return f"exit status {code}" if code else None
    return (signal.strsignal(-code) or f"signal {-code}").lower()


def command_for(number: int) -> list[str]:
    """The command of the process that tries it."""
    return [sys.executable, "-P", "-m", __name__, str(number)]


def attempt(number: int) -> None:
    """Computes a product with weights in a buffer type."""
    ggml = library()
    place = ggml.buffer_types()[number]
    for kind in KINDS:
        fmt = registry.foreign("ggml", kind)
        if fmt is not None and ggml.supports(kind, ROWS, COLS, place):
            there = weights_in(ggml, encode(weights(ROWS, COLS), fmt.tag), kind, 1, place)
            Products(ggml, there, 1, COUNT)()
            return


if __name__ == "__main__":
    attempt(int(sys.argv[1]))
