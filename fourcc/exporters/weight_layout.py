"""A weight-only layout of another tool: the tensors that it makes of a matrix, and the config that says so.

Nothing is rounded: scales keep their dtype, codes and zero points their values. 8-bit floats get scales of 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.conversion.pipeline import Step
from fourcc.errors import UsageError, listed
from fourcc.exporters.grouped import GroupedFormat, Groups, grouped_format, groups_of
from fourcc.exporters.shards import FileTensor
from fourcc.format import Format
from fourcc.plugins.registry import registry
from fourcc.settings import Params
from fourcc.sources.extent import single_part_spec

FLOAT8 = "F8_E4M3"
_SHOWN = 3  # names in a message
WEIGHT, HEAD = ".weight", "lm_head"

_LOADING = (
    "from transformers import AutoModelForCausalLM, AutoTokenizer{more}",
    "",
    'model = AutoModelForCausalLM.from_pretrained("FOLDER"{arguments})',
    'tokenizer = AutoTokenizer.from_pretrained("FOLDER")',
)

Fields = dict[str, object]


@attrs.frozen(eq=False)
class LayoutWriter:
    """A layout of quantized matrices.

    Attributes:
        name: as ``--to`` takes it.
        summary: one line for people.
        fits: (format, rows, columns, columns that share a scale) -> whether it has a place for such a matrix.
        tensors: (known format, name, rows, columns, columns that share a scale) -> the tensors in the file.
        pack: (known format, groups) -> their contents by parts.
        config: (quantized steps, names of the other modules) -> the value of ``quantization_config``.
        load: (quantized steps) -> lines of Python that load the model.
        floats: whether 8-bit floats are quantized matrices, too.
    """

    name: str
    summary: str
    fits: Callable[[GroupedFormat, int, int, int], bool]
    tensors: Callable[[GroupedFormat, str, int, int, int], list[FileTensor]]
    pack: Callable[[GroupedFormat, Groups], dict[str, Array]]
    config: Callable[[Sequence[Step], Sequence[str]], Fields]
    load: Callable[[Sequence[Step]], tuple[str, ...]]
    floats: bool = False

    def holds(self, fmt: Format, params: Params, shape: tuple[int, ...]) -> bool:
        """Whether a matrix in this format has a place, or each of a stack."""
        known = grouped_format(fmt)
        if known is None or len(shape) < 2 or not prod(shape):
            return False
        rows, cols = shape[-2:]
        group = known.size(params, cols)
        return cols % group == 0 and self.fits(known, rows, cols, group)

    def quantizes(self, step: Step) -> bool:
        """Whether a step is a quantized matrix here, not plain numbers."""
        fmt = registry[step.decision.tag]
        return grouped_format(fmt) is not None or (self.floats and is_float8(fmt))

    def tensors_of(self, step: Step) -> list[FileTensor]:
        """The tensors in the file of a quantized matrix."""
        fmt, (rows, cols) = registry[step.decision.tag], step.source.shape
        known, name = grouped_format(fmt), step.source.name.removesuffix(WEIGHT)
        if known is None:
            return float_tensors(name, rows, cols)
        return self.tensors(known, name, rows, cols, known.size(step.decision.params, cols))

    def pack_of(self, step: Step) -> Callable[[Parts], dict[str, Array]]:
        """The function that makes these tensors' contents of the stored parts."""
        fmt = registry[step.decision.tag]
        if grouped_format(fmt) is None:
            return packed_floats
        return partial(self._packed, fmt, step.decision.params, step.source.shape)

    def _packed(self, fmt: Format, params: Params, shape: tuple[int, ...], parts: Parts) -> dict[str, Array]:
        known = grouped_format(fmt)
        assert known is not None
        return self.pack(known, groups_of(fmt, params, shape, parts))


def is_float8(fmt: Format) -> bool:
    """Whether a format is plain 8-bit floats."""
    return single_part_spec(fmt) and fmt.foreign.get("safetensors") == FLOAT8


def loading(arguments: str = "", more: str = "") -> tuple[str, ...]:
    """Lines of Python that load a folder with transformers."""
    return tuple(line.format(arguments=arguments, more=more) for line in _LOADING)


def module(step: Step) -> str:
    """The name of the module that a matrix is the weight of."""
    return step.source.name.removesuffix(WEIGHT)


def modules_of(step: Step) -> tuple[str, ...]:
    """The names that a module may have where it is loaded: transformers calls every output matrix `HEAD`."""
    names = [module(step), *([HEAD] if "output" in step.decision.tensor.roles else [])]
    return tuple(dict.fromkeys(names))


def plain_load(steps: Sequence[Step]) -> tuple[str, ...]:  # noqa: ARG001 - as any layout's
    """Loads a model whose config says everything."""
    return loading()


def float_tensors(name: str, rows: int, cols: int, groups: int = 1) -> list[FileTensor]:
    """The tensors of a matrix of 8-bit floats."""
    return [
        FileTensor(f"{name}.weight", FLOAT8, 1, (rows, cols), "codes"),
        FileTensor.of_numbers(f"{name}.weight_scale", "<f4", (rows, groups), "scales"),
    ]


def packed_floats(parts: Parts) -> dict[str, Array]:
    """8-bit floats as they are, with scales of 1."""
    (codes,) = parts.values()
    return {"codes": codes, "scales": np.ones((len(codes), 1), "<f4")}


def one_setting(steps: Sequence[Step], name: str) -> tuple[int, int]:
    """Bits and group size, which all matrices share. Raises UsageError where they do not."""
    settings: dict[tuple[int, int], list[str]] = {}
    for step in steps:
        known = grouped_format(registry[step.decision.tag])
        assert known is not None
        settings.setdefault((known.bits, known.size(step.decision.params, step.source.shape[1])), []).append(
            step.source.name
        )
    if len(settings) > 1:
        found = [f"{bits} bits in groups of {group}: {names[0]}" for (bits, group), names in settings.items()]
        hint = "Give them one format and one group size, or write compressed-tensors."
        what = f"{name}'s config states one number of bits and one group size, and the matrices have several"
        raise UsageError(what, found=listed(found, _SHOWN), hint=hint)
    return next(iter(settings))


def stored_scales(known: GroupedFormat, scales: Array) -> Array:
    """Scales in the dtype that the file has them in."""
    return np.ascontiguousarray(scales.astype(known.scales, copy=False))
