"""The package gguf as judge of ggml's formats."""

import warnings

import gguf
import numpy as np

from fourcc.arrays import Array
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_naive_decode, random_parts, same_numbers


def dequantized(tag: str, blocks: Array) -> Array:
    """The weights that gguf decodes from blocks (rows, blocks)."""
    kind = gguf.GGMLQuantizationType(registry[as_tag(tag)].foreign["ggml"])
    with warnings.catch_warnings(action="ignore"):  # scales may be anything
        decoded: Array = gguf.quants.dequantize(blocks.view(np.uint8).reshape(len(blocks), -1), kind)
    return decoded


def check_decodes_as_gguf(tag: str) -> None:
    """Random blocks decode to the same bits as in gguf, some of them also as in plain Python."""
    fmt = registry[as_tag(tag)]
    parts = random_parts(tag, 64, 2048, seed=2)
    assert same_numbers(fmt.decode(parts, Geometry(64, 2048)), dequantized(tag, parts["blocks"]))
    few = random_parts(tag, 3, 512, seed=3)
    few = {"blocks": few["blocks"].copy()}
    for name in {"d", "m", "dmin"} & set(few["blocks"].dtype.names or ()):
        few["blocks"][name] = np.random.default_rng(4).standard_normal(few["blocks"].shape)  # plain Python knows no NaN
    check_naive_decode(tag, few, 3, 512)
