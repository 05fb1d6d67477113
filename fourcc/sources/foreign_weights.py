"""Checkpoints that another tool quantized in a scheme that is not read here: codes and scales are separate tensors.

They can be listed and kept. Codes decoded alone are no weights: nothing may encode them anew, and no network may take
them. A reader of a scheme (`fourcc.sources.weight_scheme`) brings the tensors of a matrix together first. A scheme that
is left shows in the config, or where that is silent in the tensors, by the table below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from fourcc.errors import PluginError, UsageError, listed
from fourcc.plugins.registry import registry
from fourcc.sources.source import Source, SourceTensor

KEY = "quantization"  # the hyper-parameter that holds a scheme's name
_SHOWN = 3  # names in a message
_FLOATS8 = ("F8_E4M3", "F8_E5M2")
_SCALES = ("scale_inv", "scale", "scale_2", "scales", "biases", "SCB", "absmax", "zero_point", "zeros")


@attrs.frozen
class _Sign:
    """How tensors show a scheme: some have certain dtypes, and others stand beside them.

    Attributes:
        scheme: its name.
        dtypes: of the codes: numpy's for integers, the words of safetensors for floats of 8 bits.
        codes: endings of the codes' names, taken off for the stem.
        beside: endings of the others' names, of which one is enough.
    """

    scheme: str
    dtypes: tuple[str, ...]
    codes: tuple[str, ...]
    beside: tuple[str, ...]


_SIGNS = (
    _Sign("NVFP4", ("|u1",), (".weight",), (".weight_scale_2", ".weight_scale")),
    _Sign("NVFP4", ("|u1",), (".weight_packed",), (".weight_scale", ".weight_global_scale")),
    _Sign("FP8 with scales", _FLOATS8, ("",), ("_scale_inv", "_scale", "_scale_2", "_scales")),
    _Sign("FP8 with scales", _FLOATS8, (".weight",), (".scale_inv", ".scale")),
    _Sign("int8 with scales", ("|i1",), (".weight",), (".weight_scale", ".scales", ".scale")),
    _Sign("bitsandbytes", ("|i1",), (".weight",), (".SCB", ".weight.SCB")),
    _Sign("bitsandbytes", ("|u1", "|i1"), (".weight",), (".weight.absmax", ".weight.quant_map")),
    _Sign("MLX", ("<u4",), (".weight",), (".scales", ".biases")),
    _Sign("GPTQ or AWQ", ("<i4", "<u4"), (".qweight",), (".scales", ".qzeros")),
    _Sign("compressed-tensors", ("<i4", "<u4"), (".weight_packed",), (".weight_scale",)),
    _Sign("MXFP4", ("|u1",), ("_blocks",), ("_scales",)),
)


def told_by_tensors(tensors: Iterable[SourceTensor]) -> tuple[str, frozenset[str]] | None:
    """The scheme that tensors show by themselves, and the names of its codes and scales; None where there is none."""
    everything = list(tensors)
    names = {tensor.name for tensor in everything}
    schemes: dict[str, None] = {}
    parts: set[str] = set()
    for tensor in everything:
        for sign in _signs(tensor):
            stem = next(tensor.name.removesuffix(end) for end in sign.codes if tensor.name.endswith(end))
            beside = {stem + end for end in sign.beside} & names
            if beside:
                schemes.setdefault(sign.scheme)
                parts |= {tensor.name, *beside}
    return (" and ".join(schemes), frozenset(parts)) if schemes else None


def _signs(tensor: SourceTensor) -> Iterator[_Sign]:
    dtype = _dtype(tensor)
    return (sign for sign in _SIGNS if dtype in sign.dtypes and tensor.name.endswith(sign.codes))


def _dtype(tensor: SourceTensor) -> object:
    """The dtype of a tensor that may hold codes, as `_Sign.dtypes` spells it; None for all others."""
    try:
        spec = registry[tensor.tag]
    except PluginError:
        return None
    word = spec.foreign.get("safetensors")
    return word if word in _FLOATS8 or word is None or spec.real else spec.parts[0].dtype


def marked(source: Source, said: str | None = None) -> Source:
    """The source; where it has such a scheme, with a note, and with the hyper-parameter that tells it in a model.bin.

    Args:
        source: matrices of a scheme that is read here have been brought together.
        said: the scheme that the config states; None: the tensors tell.
    """
    told = told_by_tensors(source.tensors)
    scheme = said or (told and told[0])
    if not scheme:
        return source
    note = (
        f"the weights are quantized by another tool, in a scheme that is not read here: {scheme}. Its codes and scales "
        "are parts of weights: they are kept as tensors of their own, and cannot be run or encoded anew"
    )
    return attrs.evolve(source, hyper={**source.hyper, KEY: scheme}, notes=(*source.notes, note))


def refuse_encoding(source: Source, changed: Iterable[str]) -> None:
    """Refuses to encode parts of weights as if they were weights.

    Args:
        source: an opened checkpoint.
        changed: names of the tensors that are not kept as they are stored.

    Raises:
        UsageError: codes or scales are among them. Where the tensors do not show which these are, any counts.
    """
    scheme = source.hyper.get(KEY)
    if scheme is None:
        return
    told = told_by_tensors(source.tensors)
    wrong = [name for name in changed if told is None or name in told[1] or _is_part(source, name)]
    if wrong:
        raise UsageError(
            f"these tensors are parts of weights that another tool quantized ({scheme}), which is not read here, "
            f"and cannot be encoded anew: {listed(wrong, _SHOWN)}",
            file=source.path,
            hint="Without a policy all is kept as it is stored; or take the model's unquantized checkpoint.",
        )


def _is_part(source: Source, name: str) -> bool:
    """Whether a tensor looks like codes or scales, whatever stands beside it."""
    tensor = next(tensor for tensor in source.tensors if tensor.name == name)
    real = registry[tensor.tag].real
    return not real or _dtype(tensor) in _FLOATS8 or name.endswith(_SCALES)
