"""Checkpoints in safetensors whose matrices other tools quantized: several tensors a matrix, read as one.

==================  ================================================================================
`awq`, `gptq`       integers with scales and zero points, transposed
`packed_integers`   compressed-tensors' integers
`float8`            FP8 with a scale for a block, a row, a group of a row, or the whole matrix
`float4`            NVFP4 with two levels of scales; MXFP4
`mlx`               MLX's integers with a scale and an offset for each group, and its 4-bit floats
`bitsandbytes`      NF4 and FP4 with plain or nested scales; int8
`exl3`              exllamav3's trellis-coded tiles, decoded
==================  ================================================================================

Each file reads one layout. What a config says of which module has which is in `compressed_tensors`, `gptq`, `modelopt`
and `fp8_config`; `fourcc.sources.weight_scheme` asks them. Only weights are read: what a config says of activations is
noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fourcc.errors import SourceError, listed
from fourcc.sources.source import SourceTensor
from fourcc.sources.weight_only.module import BYTES, FLOAT8, INT8, Module, WeightLayout, dtype_of
from fourcc.sources.weight_scheme import Scheme

_FIRST = "model.layers.0.self_attn.q_proj"
_CODES = (*FLOAT8, "F8_E5M2", *INT8, *BYTES)  # dtypes that a tensor ``weight`` has only where it is quantized
_ACTIVATIONS = (
    *("input_scale", "input_zero_point", "input_global_scale", "input_scale_ub", "activation_scale"),
    *("output_scale", "output_zero_point", "prob_scale"),
    *("q_scale", "k_scale", "v_scale", "k_zero_point", "v_zero_point"),
)


def gathered(tensors: tuple[SourceTensor, ...], scheme: Scheme) -> tuple[tuple[SourceTensor, ...], list[str]]:
    """The tensors, with those of a quantized matrix joined into one, and notes; unquantized ones come first.

    Args:
        tensors: with the names of their files.
        scheme: from the config.

    Raises:
        SourceError: the weights are not quantized as the config says; it names the first key that is missing.
    """
    names = dict.fromkeys(_quantized(tensors, scheme))
    if not names:
        raise _not_quantized(tensors, scheme)
    stored = {tensor.name: tensor for tensor in tensors}
    modules = [Module(stored, scheme.path, name) for name in names]
    joined, used = [], set()
    for module in modules:
        layout = _layout(module, scheme)
        joined.append(_tensor(module, layout))
        used |= {f"{module.name}.{ending}" for ending in layout.parts}
    rest = [tensor for tensor in tensors if tensor.name not in used]
    scaling = [tensor for tensor in rest if _scales_activations(tensor)]
    kept = (tensor for tensor in rest if not _scales_activations(tensor))
    return (*kept, *joined), [*_on_activations(scheme, scaling), *_oddities(modules)]


def _quantized(tensors: Iterable[SourceTensor], scheme: Scheme) -> Iterator[str]:
    """The names of modules of which there is a part that a plain matrix does not have."""
    telling = {ending for layout in scheme.layouts.every for ending in layout.parts}
    for tensor in tensors:
        name, _, ending = tensor.name.rpartition(".")
        if ending in telling and (ending != "weight" or dtype_of(tensor) in _CODES):
            yield name


def _layout(module: Module, scheme: Scheme) -> WeightLayout:
    """The layout of a quantized module. Raises SourceError where the config says that it is plain, or nothing."""
    layout = scheme.layouts(module.name)
    if layout is None:
        there = [name for name in module.stored if name.rpartition(".")[0] == module.name]
        raise module.refusal(
            "the matrix is quantized, and the config names it nowhere, or as one that is not",
            listed(there, 4),
            f"a plain {module.name}.weight, or settings for it",
            "The config belongs to another model, or was changed.",
        )
    return layout


def _tensor(module: Module, layout: WeightLayout) -> SourceTensor:
    """The matrix as one tensor."""
    joined = layout.joined(module)
    return SourceTensor(
        name=f"{module.name}.weight",
        source_name=f"{module.name}.{joined.ending}",
        shape=joined.shape,
        tag=joined.format.tag,
        read=joined.read,
        params=joined.params,
        gathered=joined.gathered,
    )


def _scales_activations(tensor: SourceTensor) -> bool:
    return tensor.name.rpartition(".")[2] in _ACTIVATIONS


def _on_activations(scheme: Scheme, scaling: list[SourceTensor]) -> Iterator[str]:
    """Notes on what a checkpoint says of activations."""
    if scheme.activations is not None:
        yield f"activations are not quantized, though the config says so ({scheme.activations}): only weights are"
    if scaling:
        endings = listed(sorted({f"*.{tensor.name.rpartition('.')[2]}" for tensor in scaling}), 4)
        yield f"{len(scaling)} of the tensors scale activations ({endings}) and are left out: no weight depends on them"


def _oddities(modules: Iterable[Module]) -> list[str]:
    """A note on every oddity, with the first matrix and the number of the others that have it."""
    odd: dict[str, list[str]] = {}
    for module in modules:
        for what in module.odd:
            odd.setdefault(what, []).append(module.name)
    return [f"{what}: {listed(names, 1)}" for what, names in odd.items()]


def _not_quantized(tensors: tuple[SourceTensor, ...], scheme: Scheme) -> SourceError:
    """The error where there is no part of any quantized matrix."""
    names = {tensor.name for tensor in tensors}
    inner = (name for name in sorted(names) if name.endswith("_proj.weight"))
    plain = f"{_FIRST}.weight" if f"{_FIRST}.weight" in names else next(inner, None)
    parts = [ending for ending in scheme.layouts.every[0].parts if ending != "weight"]
    key = f"{_FIRST if plain is None else plain.removesuffix('.weight')}.{parts[0]}"
    return SourceError(
        f"the weights are not quantized as the config says ({scheme.method}): there is no {key}",
        file=scheme.path,
        tensor=key,
        found="no tensor of that matrix" if plain is None else plain,
        expected=", ".join(f"*.{ending}" for ending in parts[:3]),
        hint="Take `quantization_config` out of the config, or fetch the quantized files.",
    )
