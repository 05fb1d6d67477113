"""The rotation that a GGUF file states: base, columns, scaling by keys, and factors of each pair in tensors.

As in llama.cpp, a factor without a kind is linear, the old key stands in for it, and a factor of 0 is none. What YaRN
and longrope multiply queries and keys by is ``attn_factor`` times what the factor gives. Of YaRN's other keys llama.cpp
heeds none in the families here; the ones that its converter writes are heeded here, as the model was trained so.
"""

from __future__ import annotations

from collections.abc import Mapping

from fourcc.container.index import Scalar
from fourcc.errors import SourceError, shown
from fourcc.networks.scaling import ORIGINAL as OUR_ORIGINAL
from fourcc.networks.scaling import SCALING as OURS
from fourcc.networks.scaling import SCALINGS, usual_magnitude
from fourcc.sources import gguf_keys
from fourcc.sources.gguf_values import Value, shortest
from fourcc.sources.source import Hyper, HyperParams, Source, SourceTensor, storable

SCALING = "rope.scaling."
ORIGINAL = {"original_context_length": OUR_ORIGINAL}  # GGUF's word -> ours
YARN = {  # likewise; `truncate` is a key of fourcc's own
    "yarn_beta_fast": "beta_fast",
    "yarn_beta_slow": "beta_slow",
    "yarn_attn_factor": "attention_factor",
    "yarn_truncate": "truncate",
}
MAGNITUDE = "attn_factor"  # beside what the factor gives
FREQUENCIES = "rope_freqs.weight"  # divisors of the rotation's frequencies, one a pair
LISTS = {"rope_factors_short.weight": "short_factor", "rope_factors_long.weight": "long_factor"}

Keys = Mapping[str, Value]


def scaling_of(given: Keys, hyper: Hyper) -> HyperParams:
    """The scaling that keys state, in our words; of a known kind only the keys that it heeds.

    Args:
        given: keys without the architecture's name.
        hyper: the sizes.
    """
    if gguf_keys.LEGACY_FACTOR in given:
        given = {f"{SCALING}factor": given[gguf_keys.LEGACY_FACTOR], **given}
    kind = given.get(f"{SCALING}type", "none" if given.get(f"{SCALING}factor", 0) in (0, 1) else "linear")
    kind = kind if isinstance(kind, str) else shown(kind)  # no kind at all: refused by its text where it would run
    if kind == "none":
        return {}
    given = {**given, f"{SCALING}type": kind}
    said = {key.removeprefix(SCALING): value for key, value in given.items() if key.startswith(SCALING)}
    words = {**ORIGINAL, **(YARN if kind == "yarn" else {})}
    named = {words.get(word, word): value for word, value in said.items() if word not in gguf_keys.SCALING_INERT}
    known = {"type", *(SCALINGS[kind].words if kind in SCALINGS else named)}
    found: HyperParams = {
        f"{OURS}{word}": shortest(value) if isinstance(value, float) else value
        for word, value in named.items()
        if word in known and storable(value)
    }
    return _with_magnitude(given, hyper, found) if kind == "yarn" else found


def _with_magnitude(given: Keys, hyper: Hyper, found: HyperParams) -> HyperParams:
    """YaRN, with its context and its factor of queries and keys where they are not what its own factor gives."""
    found.setdefault(f"{OURS}{OUR_ORIGINAL}", hyper.get("seq_len", 1))
    beside, factor = given.get(f"{SCALING}{MAGNITUDE}", 1.0), found.get(f"{OURS}factor")
    stated = f"{OURS}attention_factor" in found
    if isinstance(beside, float) and beside not in (0.0, 1.0) and isinstance(factor, (int, float)) and not stated:
        found[f"{OURS}attention_factor"] = shortest(beside * usual_magnitude("yarn", float(factor), 1.0))
    return found


# -- factors in tensors


def with_factors(
    source: Source, tensors: list[SourceTensor], scaling: HyperParams, given: Keys, hyper: Hyper
) -> tuple[list[SourceTensor], HyperParams]:
    """The tensors without the factors of the rotation, which are no weights, and the scaling with them.

    Raises:
        SourceError: factors of a wrong shape, or that are no positive numbers.
    """
    rest = [tensor for tensor in tensors if tensor.source_name not in (FREQUENCIES, *LISTS)]
    by_name = {tensor.source_name: tensor for tensor in tensors}
    if FREQUENCIES in by_name:
        return rest, _both(scaling, _factors(source, by_name[FREQUENCIES]))
    lists = {word: _factors(source, by_name[name]) for name, word in LISTS.items() if name in by_name}
    return rest, {**scaling, **(_longrope(lists, given, hyper) if lists else {})}


def _longrope(lists: Mapping[str, list[Scalar]], given: Keys, hyper: Hyper) -> HyperParams:
    """Factors for short and for long texts, and what queries and keys are multiplied by."""
    original = given.get(f"{SCALING}original_context_length", hyper.get("seq_len", 1))
    found: HyperParams = {f"{OURS}type": "longrope", f"{OURS}{OUR_ORIGINAL}": original}
    found |= {f"{OURS}{word}": factors for word, factors in lists.items()}
    stated, length = given.get(f"{SCALING}{MAGNITUDE}", 1.0), hyper.get("seq_len")
    if isinstance(stated, float) and isinstance(length, int) and isinstance(original, int) and original > 1:
        usual = usual_magnitude("longrope", length / original, original)
        if abs(stated - usual) > 1e-6 * usual:
            found[f"{OURS}attention_factor"] = shortest(stated)
    return found


def _factors(source: Source, stored: SourceTensor) -> list[Scalar]:
    if len(stored.shape) != 1 or not stored.format.real:
        raise SourceError(
            "the factors of the rotation have a wrong shape",
            file=source.path,
            tensor=stored.source_name,
            found=list(stored.shape),
        )
    factors = stored.decode()
    listed: list[Scalar] = [float(factor) for factor in factors.reshape(-1)]
    if not storable(listed) or any(not factor > 0 for factor in factors.reshape(-1)):
        what = "a factor of the rotation is no positive number"
        raise SourceError(what, file=source.path, tensor=stored.source_name)
    return listed


def _both(scaling: HyperParams, listed: list[Scalar]) -> HyperParams:
    """Merges a rotation's scaling and its factors; where a file has both, frequencies are divided by both."""
    factors: HyperParams = {f"{OURS}type": "factors", f"{OURS}factors": listed}
    if not scaling:
        return factors
    factor = scaling.get(f"{OURS}factor")
    if scaling.get(f"{OURS}type") != "linear" or not isinstance(factor, float):
        return {**scaling, FREQUENCIES: "beside rope.scaling"}  # what the two give together is not known here
    return {f"{OURS}type": "factors", f"{OURS}factors": [float(str(each)) * factor for each in listed]}
