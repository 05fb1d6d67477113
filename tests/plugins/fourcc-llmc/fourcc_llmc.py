"""GPT-2 checkpoints of llm.c as fourcc's sources.

::

    256 int32   magic, version (3: float32, 5: bfloat16), context, vocabulary, layers, heads, width, padded vocabulary
    weights     every tensor of `TENSORS` in order; those of a layer for all layers at once, row-major, little-endian
"""

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fourcc import Source, SourceKind, SourceTensor
from fourcc.errors import SourceError

NAME = "llm.c"
MAGIC = 20240326
HEADER = 256
TAGS = {3: "F32", 5: "BF16"}  # by version
DTYPES = {3: "<f4", 5: "<u2"}


class Sizes(NamedTuple):
    """The numbers of the header behind magic and version."""

    context: int
    vocabulary: int
    layers: int
    heads: int
    width: int
    rows: int  # of the token embedding: the vocabulary, padded


def tensors(sizes: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of the tensors in the order of the file; ``{}`` stands for the layer, the first dimension."""
    n, c = sizes.layers, sizes.width
    yield "wte.weight", (sizes.rows, c)
    yield "wpe.weight", (sizes.context, c)
    yield from {"h.{}.ln_1.weight": (n, c), "h.{}.ln_1.bias": (n, c)}.items()
    yield from {"h.{}.attn.c_attn.weight": (n, 3 * c, c), "h.{}.attn.c_attn.bias": (n, 3 * c)}.items()
    yield from {"h.{}.attn.c_proj.weight": (n, c, c), "h.{}.attn.c_proj.bias": (n, c)}.items()
    yield from {"h.{}.ln_2.weight": (n, c), "h.{}.ln_2.bias": (n, c)}.items()
    yield from {"h.{}.mlp.c_fc.weight": (n, 4 * c, c), "h.{}.mlp.c_fc.bias": (n, 4 * c)}.items()
    yield from {"h.{}.mlp.c_proj.weight": (n, c, 4 * c), "h.{}.mlp.c_proj.bias": (n, c)}.items()
    yield from {"ln_f.weight": (c,), "ln_f.bias": (c,)}.items()


def recognises(path: Path, head: bytes) -> bool:
    """Whether the file starts with llm.c's magic; its token files have another."""
    return head[:4] == MAGIC.to_bytes(4, "little")


def open_gpt2(path: Path) -> Source:
    """A checkpoint as a source.

    Raises:
        SourceError: it is of another version, or its length contradicts its header.
    """
    version, sizes = _header(path)
    weights = np.memmap(path, DTYPES[version], mode="r", offset=4 * HEADER)
    wanted = sum(prod(shape) for _, shape in tensors(sizes))
    if wanted != weights.size:
        raise SourceError("not as long as its header says", file=path, found=weights.size, expected=f"{wanted} weights")
    return Source(
        path=path,
        kind=f"llm.c v{version}",
        tensors=tuple(_cut(weights, sizes, TAGS[version])),
        files=(path,),
        architecture=None,  # "gpt2" would promise the names and hyper-parameters of fourcc's own network
        hyper={
            "dim": sizes.width,
            "n_layers": sizes.layers,
            "n_heads": sizes.heads,
            "vocab_size": sizes.vocabulary,
            "seq_len": sizes.context,
        },
    )


def _header(path: Path) -> tuple[int, Sizes]:
    header = np.fromfile(path, "<i4", HEADER)
    if header.size < HEADER or path.stat().st_size == 4 * HEADER:
        raise SourceError("the file ends too early", file=path, expected="a header and weights")
    version, sizes = int(header[1]), Sizes(*map(int, header[2:8]))
    if version not in TAGS:
        raise SourceError("a version that is not read", file=path, found=version, expected="3 or 5")
    if min(sizes) < 1:
        raise SourceError("sizes that no model has", file=path, found=sizes)
    if (path.stat().st_size - 4 * HEADER) % np.dtype(DTYPES[version]).itemsize:
        raise SourceError("the file ends within a weight", file=path)
    return version, sizes


def _cut(weights: np.ndarray, sizes: Sizes, tag: str) -> Iterator[SourceTensor]:
    """The tensors; those of a layer one by one."""
    at = 0
    for name, shape in tensors(sizes):
        whole = weights[at : at + prod(shape)].reshape(shape)
        at += whole.size
        if "{}" not in name:
            yield SourceTensor.of_array(name, whole, tag)
            continue
        for layer in range(sizes.layers):
            yield SourceTensor.of_array(name.format(layer), whole[layer], tag)


KIND = SourceKind(name=NAME, recognises=recognises, open=open_gpt2)
