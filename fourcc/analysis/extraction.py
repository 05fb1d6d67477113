"""Writing a tensor's decoded weights to a .npy file, tile by tile."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from fourcc.dtypes import numpy_dtype
from fourcc.files.write import AtomicFile
from fourcc.sources.source import SourceTensor
from fourcc.tiles import tiles


def npy_runs(tensor: SourceTensor) -> Iterator[bytes]:
    """The bytes of a .npy file with a tensor's decoded weights, in runs: the header, then the weights.

    Raises:
        PluginError: the format is missing or broken.
        InputError: the tensor's bytes are damaged.
    """
    dtype = numpy_dtype(tensor.format.decoded)
    header = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": tensor.shape}
    np.lib.format.write_array_header_1_0(header, described)
    yield header.getvalue()
    for tile in tiles(tensor):
        yield tile.decode().tobytes()


def write_runs(runs: Iterable[bytes], target: Path) -> None:
    """Writes a file whose bytes come in runs; `target` comes from `check_target`. Raises OutputError on failure."""
    with AtomicFile(target) as out:
        for run in runs:
            out.write_at(out.size, run)
