"""Weight-only checkpoints in safetensors: several tensors a matrix, read as one with a scale for every group.

========================  ==========================================================================================
AWQ (``gemm``)            qweight (in, out / 8), qzeros (groups, out / 8), scales (groups, out); AWQ's order of nibbles
GPTQ                      qweight (in * bits / 32, out), qzeros (groups, out * bits / 32), scales, g_idx (in)
compressed-tensors        weight_packed (out, in * bits / 32), or int8 weight (out, in); weight_scale (out, groups);
                          weight_zero_point; weight_g_idx (in); weight_shape (2)
========================  ==========================================================================================

A weight is scale * (code - zero): first the difference, which is exact, then one product, in float32. With a float16 or
bfloat16 scale that product is exact, too; programs that compute in the scale's type round it to that type. GPTQ's first
version stores (zero - 1) modulo 2^bits. compressed-tensors' codes are signed; here half their range is added to them
and to their zero points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import prod

import attrs
import numpy as np

from fourcc.arrays import Array
from fourcc.errors import SourceError, listed
from fourcc.geometry import Geometry, split_shape
from fourcc.sources.extent import foreign_format
from fourcc.sources.packed_words import Affine, Rows, along, awq, down
from fourcc.sources.source import SourceTensor
from fourcc.sources.weight_scheme import Scheme

_FIRST = "model.layers.0.self_attn.q_proj"
_INT32 = ("<i4", "<u4")
_INTEGERS = (*_INT32, "<i8", "|i1")
_FLOATS = ("<f2", "<f4", "<f8", "<u2")  # the last are bfloat16's bits


def gathered(tensors: tuple[SourceTensor, ...], scheme: Scheme) -> tuple[tuple[SourceTensor, ...], list[str]]:
    """The tensors, with those of a quantized matrix joined into one, and notes; unquantized ones come first.

    Args:
        tensors: with the names of their files.
        scheme: from the config.

    Raises:
        SourceError: the weights are not quantized as the config says; it names the first key that is missing.
    """
    stored = {tensor.name: tensor for tensor in tensors}
    split = {name: name.rpartition(".") for name in stored}
    prefixes = dict.fromkeys(prefix for prefix, _, ending in split.values() if ending in scheme.parts)
    if not prefixes:
        raise _not_quantized(tensors, scheme)
    modules = [_Module(stored, scheme, prefix) for prefix in prefixes]
    joined = [module.tensor() for module in modules]
    used = {f"{prefix}.{ending}" for prefix in prefixes for ending in scheme.parts}
    used |= {tensor.source_name for tensor in joined}
    return (*(tensor for tensor in tensors if tensor.name not in used), *joined), _notes(modules)


def _notes(modules: Iterable[_Module]) -> list[str]:
    """A note on every oddity, with the first matrix and the number of the others that have it."""
    odd: dict[str, list[str]] = {}
    for module in modules:
        for what in module.odd:
            odd.setdefault(what, []).append(module.prefix)
    return [f"{what}: {listed(names, 1)}" for what, names in odd.items()]


def _not_quantized(tensors: tuple[SourceTensor, ...], scheme: Scheme) -> SourceError:
    """The error where there is no part of any quantized matrix."""
    names = {tensor.name for tensor in tensors}
    inner = (name for name in sorted(names) if name.endswith("_proj.weight"))
    plain = f"{_FIRST}.weight" if f"{_FIRST}.weight" in names else next(inner, None)
    key = f"{_FIRST if plain is None else plain.removesuffix('.weight')}.{scheme.parts[0]}"
    return SourceError(
        f"the weights are not quantized as the config says ({scheme.method}): there is no {key}",
        file=scheme.path,
        tensor=key,
        found="no tensor of that matrix" if plain is None else plain,
        expected=", ".join(f"*.{ending}" for ending in scheme.parts[:3]),
        hint="Take `quantization_config` out of the config, or fetch the quantized files.",
    )


@attrs.frozen(eq=False)
class _Module:
    """The tensors of one matrix."""

    stored: Mapping[str, SourceTensor]
    scheme: Scheme
    prefix: str
    odd: list[str] = attrs.field(factory=list)

    @property
    def bytewise(self) -> bool:
        """Whether codes are signed bytes, in a tensor ``weight``."""
        packed, plain = f"{self.prefix}.weight_packed", f"{self.prefix}.weight"
        return self.scheme.method == "compressed-tensors" and packed not in self.stored and plain in self.stored

    @property
    def bits(self) -> int:
        """Bits of a stored code."""
        return 8 if self.bytewise else self.scheme.bits

    def tensor(self) -> SourceTensor:
        """The matrix as one tensor."""
        codes, shape = {"awq": self._awq, "gptq": self._gptq}.get(self.scheme.method, self._compressed)()
        packed = self.scheme.method == "compressed-tensors"
        scales, zeros, count = self._signed(shape) if packed else self._unsigned(shape)
        group = self._group(shape[1], count)
        index = self._index(shape[1], group, count)
        bits = 8 if self.bits == 8 else 4
        identity = f"uint{bits} groups" if index is None else f"uint{bits} indexed groups"
        spec = foreign_format("weight-only", identity, self.scheme.path)
        read = Affine(spec, codes, scales, zeros, index, bits).read
        source_name = f"{self.prefix}.{'weight' if self.bytewise else self.scheme.parts[0]}"
        name, params = f"{self.prefix}.weight", {"group": group}
        return SourceTensor(name=name, source_name=source_name, shape=shape, tag=spec.tag, read=read, params=params)

    def _awq(self) -> tuple[Rows, tuple[int, int]]:
        words = self._get("qweight", _INT32)
        ins, outs = self._two(words)
        return lambda first, last: _eights(_values(words), first, last), (8 * outs, ins)

    def _gptq(self) -> tuple[Rows, tuple[int, int]]:
        words, bits = self._get("qweight", _INT32), self.bits
        rows, outs = self._two(words)
        if 32 * rows % bits:
            raise self._refusal("qweight holds no whole number of codes", f"{rows} words", f"codes of {bits} bits")
        return lambda first, last: down(_values(words)[:, first:last], bits).T, (outs, 32 * rows // bits)

    def _compressed(self) -> tuple[Rows, tuple[int, int]]:
        if self.bytewise:
            plain = self._get("weight", ("|i1",))
            return lambda first, last: _values(plain, first, last).view("u1") ^ 128, self._two(plain)
        packed, bits = self._get("weight_packed", _INT32), self.bits
        outs, words = self._two(packed)
        ins = 32 * words // bits
        if f"{self.prefix}.weight_shape" in self.stored:
            stated = self._get("weight_shape", _INTEGERS)
            if prod(stated.shape) != 2:
                raise self._refusal("weight_shape does not hold two numbers", f"shape {stated.shape}", "two")
            said = _values(stated).reshape(-1).tolist()
            if said[0] != outs or not 0 <= 32 * words - said[1] * bits < 32:
                raise self._refusal("weight_shape does not fit weight_packed", said, f"{outs} x {ins}, or a bit less")
            ins = said[1]
        return lambda first, last: along(_values(packed, first, last), bits)[:, :ins], (outs, ins)

    def _unsigned(self, shape: tuple[int, int]) -> tuple[Rows, Rows, int]:
        """AWQ's and GPTQ's scales and zero points by rows of the matrix, and the number of groups."""
        outs, bits, less = shape[0], self.bits, self.scheme.less
        scales, zeros = self._get("scales", _FLOATS), self._get("qzeros", _INT32)
        count, width = self._two(scales)
        words = (count, outs * bits // 32)
        if width != outs or self._two(zeros) != words or outs * bits % 32:
            found = f"scales {scales.shape}, qzeros {zeros.shape}"
            raise self._refusal("scales and qzeros do not fit qweight", found, f"{(count, outs)}, {words}")

        def points(first: int, last: int) -> Array:
            if self.scheme.method == "awq":
                return _eights(_values(zeros), first, last)
            return along(_values(zeros), bits)[:, first:last].T + np.uint8(less) & np.uint8(2**bits - 1)

        return lambda first, last: _values(scales)[:, first:last].T, points, count

    def _signed(self, shape: tuple[int, int]) -> tuple[Rows, Rows, int]:
        """compressed-tensors' scales and zero points by rows of the matrix, and the number of groups."""
        outs, bits = shape[0], self.bits
        scales, half = self._get("weight_scale", _FLOATS), 1 << bits - 1
        count = scales.shape[1] if len(scales.shape) == 2 else 1
        self._fits(scales, outs, count)
        zero = self.stored.get(f"{self.prefix}.weight_zero_point")
        words = (-(-outs * bits // 32), count)
        packed = zero is not None and not self.bytewise and zero.shape == words and _dtype(zero) in _INT32
        if zero is not None and not packed:
            self._fits(self._get("weight_zero_point", _INTEGERS), outs, count)

        def points(first: int, last: int) -> Array:
            if zero is None:
                return np.full((last - first, count), half, np.uint8)
            if packed:
                return down(_values(zero), bits)[first:last]
            moved = _values(zero).reshape(-1, count).astype(np.int64) + half
            if ((moved < 0) | (moved >= 2 * half)).any():
                raise self._refusal(
                    "a zero point is outside the range of the codes", int(moved.max()) - half, f"{-half} .. {half - 1}"
                )
            return np.broadcast_to(moved, (outs, count))[first:last]

        def by_rows(first: int, last: int) -> Array:
            return np.broadcast_to(_values(scales).reshape(-1, count), (outs, count))[first:last]

        return by_rows, points, count

    def _group(self, ins: int, count: int) -> int:
        """Columns that share a scale: all where there is one group, else what the config says, or an equal share."""
        group = ins if count == 1 else self.scheme.group or ins // count
        if not group or -(-ins // group) != count or (count > 1 and self.scheme.group is None and ins % count):
            raise self._refusal("the group size does not fit the scales", f"{count} groups", f"{group} columns each")
        return group

    def _fits(self, tensor: SourceTensor, outs: int, count: int) -> None:
        if not count or prod(tensor.shape) not in {count, outs * count}:
            what = f"{tensor.source_name} does not fit the weights"
            raise self._refusal(what, tensor.shape, f"{outs} rows, or one")

    def _index(self, ins: int, group: int, count: int) -> Callable[[], Array] | None:
        """The group of every column, or None where a group's columns are neighbours."""
        ending = "weight_g_idx" if self.scheme.method == "compressed-tensors" else "g_idx"
        if f"{self.prefix}.{ending}" not in self.stored or self.scheme.method == "awq":
            return None
        stored = self._get(ending, _INTEGERS)
        if prod(stored.shape) != ins:
            what = f"{ending} does not name a group for every column"
            raise self._refusal(what, f"shape {stored.shape}", f"{ins} entries, below {count}")
        values = _values(stored).reshape(-1)
        if len(values) == ins and (values == -1).all():  # so compressed-tensors says that there is none
            return None
        if len(values) != ins or (values < 0).any() or (values >= count).any():
            raise self._refusal(
                f"{ending} does not name a group for every column", f"{len(values)} entries", f"{ins}, below {count}"
            )
        if (values == np.arange(ins) // group).all():
            return None
        if not values.any():  # so some tools say that there is none: else all groups but one would be idle
            self.odd.append(f"{ending} names group 0 for every column, which counts as no index")
            return None
        if len(np.unique(values)) < count:
            self.odd.append(f"{ending} leaves groups without a column")
        return lambda: values

    def _get(self, ending: str, dtypes: tuple[str, ...]) -> SourceTensor:
        tensor = self.stored.get(f"{self.prefix}.{ending}")
        if tensor is None:
            what = f"the matrix is not complete: there is no {self.prefix}.{ending}"
            raise SourceError(what, file=self.scheme.path, tensor=f"{self.prefix}.{ending}")
        if _dtype(tensor) not in dtypes:
            raise self._refusal(f"{ending} holds another kind of numbers", tensor.tag, " or ".join(dtypes))
        if len(tensor.shape) > 2:
            raise self._refusal(f"{ending} has too many dimensions", tensor.shape, "two at most")
        return tensor

    def _two(self, tensor: SourceTensor) -> tuple[int, int]:
        if len(tensor.shape) != 2 or not all(tensor.shape):
            raise self._refusal("a part of a quantized matrix is no matrix", tensor.shape, "two dimensions")
        return tensor.shape[0], tensor.shape[1]

    def _refusal(self, what: str, found: object, expected: object) -> SourceError:
        return SourceError(what, file=self.scheme.path, tensor=self.prefix, found=found, expected=expected)


def _dtype(tensor: SourceTensor) -> str:
    dtype = tensor.format.parts[0].dtype
    assert isinstance(dtype, str)  # a checkpoint's plain numbers are no records
    return dtype


def _values(tensor: SourceTensor, first: int = 0, last: int | None = None) -> Array:
    """Rows of a tensor of plain numbers, decoded; a transposed tensor is read whole for every tile."""
    _, rows, cols = split_shape(tensor.shape)
    end = rows if last is None else last
    return tensor.format.decode(tensor.read(0, first, end), Geometry(end - first, cols, tensor.params))


def _eights(words: Array, first: int, last: int) -> Array:
    """Columns first..last of codes in AWQ's order, transposed."""
    start = first // 8
    return awq(words[:, start : -(-last // 8)])[:, first - 8 * start : last - 8 * start].T
