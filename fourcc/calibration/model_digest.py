"""The digest of a model's weights, by which a calibration knows its model whatever file it lies in."""

from __future__ import annotations

import hashlib
import json
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from xxhash import xxh3_128

from fourcc.files.mapped import let_go
from fourcc.geometry import split_shape
from fourcc.tiles import tile_bounds

if TYPE_CHECKING:
    from fourcc.sources.source import Source, SourceTensor

DIGEST_BYTES = 16


def model_digest(source: Source) -> str:
    """BLAKE2b-128, in hex, over the tensors in the order of their names.

    Each gives a line of JSON: name, shape, tag, parameters, and for each part its name and XXH3-128 of its stored
    bytes, as the source gives them. So a checkpoint and a model.bin that keeps its tensors have the same digest.

    Raises:
        InputError: the file is damaged, or ends too early.
        PluginError: a format is missing or broken.
    """
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for tensor in sorted(source.tensors, key=lambda each: each.name):
        said = [tensor.name, list(tensor.shape), str(tensor.tag), dict(sorted(tensor.params.items())), _parts(tensor)]
        digest.update(json.dumps(said).encode() + b"\n")
    return digest.hexdigest()


def _parts(tensor: SourceTensor) -> dict[str, str]:
    """XXH3-128 of each part, in the order in which the format declares them."""
    fmt = tensor.format
    sums = {part.name: xxh3_128() for part in fmt.parts}
    lead, rows, cols = split_shape(tensor.shape)
    for matrix in range(prod(lead) if prod(tensor.shape) else 0):
        for first, last in tile_bounds(rows, cols, fmt):
            parts = tensor.read(matrix, first, last)
            for part in fmt.parts:
                if not first or part.rows is not None:  # one of the whole matrix comes with every run of rows
                    sums[part.name].update(np.ascontiguousarray(parts[part.name]).data)
                    let_go(parts[part.name])
    return {name: each.hexdigest() for name, each in sums.items()}
