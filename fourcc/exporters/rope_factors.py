"""The scaling of a rotation as ``config.json`` states it; GGUF's factors, one for each pair, become a rule.

llama.cpp stores the factors that llama3's rule gives, not its four numbers. They are sought among the usual ones, and
taken only if they give every factor to float32's precision. Other factors are written as ``longrope`` with equal
factors for short and long texts and an attention factor of 1: transformers then divides each turn by its factor, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from fourcc.errors import UsageError
from fourcc.models.architecture import Architecture
from fourcc.networks.scaling import ORIGINAL, SCALING

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.sources.source import Source

# Values that models have, the commonest first. Doubling the context and both bounds gives the same rule: the low is 1.
_ORIGINALS = (8192, 4096, 2048, 16384, 32768, 65536, 131072, 262144, 1024, 512, 256, 128, 64, 32, 16)
_HIGHS = (4.0, 2.0, 8.0, 16.0, 32.0)
_LLAMA_CPP = ("yarn_", "attn_factor")  # starts of GGUF's words that Hugging Face does not know
_CLOSE = 4e-6  # relative; another rule is off by more than a hundredth


def scaling_of(source: Source) -> dict[str, object]:
    """The value of ``rope_scaling``; empty: the rotation is not scaled."""
    hyper = source.hyper
    scaling = {name.removeprefix(SCALING): value for name, value in hyper.items() if name.startswith(SCALING)}
    if scaling.get("type") == "factors":
        return _of_factors(source)
    strange = [word for word in scaling if word.startswith(_LLAMA_CPP)]
    if strange:
        what = "a config.json has no word for what scales this rotation"
        raise UsageError(what, file=source.path, found=", ".join(f"{SCALING}{word}" for word in strange))
    return {("rope_type" if word == "type" else word): value for word, value in scaling.items()}


def listed_factors(source: Source, word: str = "factors") -> Floats:
    """The factors of a rotation, float32 (pairs,). Raises UsageError where there is not one for each pair.

    Args:
        source: the model.
        word: of the hyper-parameter that lists them.
    """
    listed, width = source.hyper.get(f"{SCALING}{word}"), source.hyper.get("rope_dim", source.hyper.get("head_dim"))
    if not isinstance(listed, (list, tuple)) or type(width) is not int or 2 * len(listed) != width:
        what = "a rotation with so many factors cannot be written"
        raise UsageError(
            what, file=source.path, found=f"{listed!s:.60}", expected=f"one for each pair, head_dim {width}"
        )
    return np.array(listed, np.float32)


def _of_factors(source: Source) -> dict[str, object]:
    factors = listed_factors(source)
    if np.all(factors == factors[0]):
        return {"rope_type": "linear", "factor": float(factors[0])}
    for rule in _rules(float(factors.max())):
        if np.allclose(_factors(source, rule), factors, rtol=_CLOSE, atol=0):
            return {"rope_type": "llama3", **rule}
    same = [float(factor) for factor in factors]
    context = {"factor": 1.0, "attention_factor": 1.0, ORIGINAL: source.hyper.get("seq_len")}
    return {"rope_type": "longrope", "short_factor": same, "long_factor": same, **context}


def _rules(factor: float) -> Iterator[dict[str, float]]:
    for high, original in product(_HIGHS, _ORIGINALS):
        yield {"factor": factor, "low_freq_factor": 1.0, "high_freq_factor": high, ORIGINAL: original}


def _factors(source: Source, rule: dict[str, float]) -> Floats:
    """The factors by which a rule of llama3 divides each turn."""
    plain = {name: value for name, value in source.hyper.items() if not name.startswith(SCALING)}
    scaled = plain | {f"{SCALING}type": "llama3"} | {f"{SCALING}{word}": value for word, value in rule.items()}
    both = (Architecture.of(source.architecture, hyper, source.path).turns for hyper in (plain, scaled))
    unscaled, turns = (each.frequencies() for each in both)
    factors: Floats = unscaled / turns
    return factors
