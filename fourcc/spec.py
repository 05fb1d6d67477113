"""What a format declares of itself: tag, parts, block, parameters. Plain values, no numpy, nothing to inherit from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, isfinite, prod

import attrs

from fourcc.dtypes import WIDEST, DType, addressable, itemsize
from fourcc.errors import TableError
from fourcc.tags import FourCC, as_tag

API = 1  # the version of this seam; a format made for another one is refused by the registry
NEEDS = frozenset({"importance", "hessian"})  # what an encoder may ask for; the fields of fourcc.format.Aids

Params = Mapping[str, object]


def split_shape(shape: tuple[int, ...]) -> tuple[tuple[int, ...], int, int]:
    """Leading dimensions (independent matrices, such as experts), rows and columns of a tensor's shape.

    >>> split_shape((8, 128, 64)), split_shape((64,)), split_shape(())
    (((8,), 128, 64), ((), 1, 64), ((), 1, 1))
    """
    if len(shape) < 2:
        return (), 1, prod(shape)
    return shape[:-2], shape[-2], shape[-1]


@attrs.frozen
class Geometry:
    """The shape of one matrix, or of a run of its rows, with the parameters of its format."""

    rows: int
    cols: int
    params: Params = attrs.field(factory=dict)


@attrs.frozen
class Part:
    """One array of a format's storage.

    Attributes:
        name: unique in the format, for example ``scales``.
        dtype: of one entry.
        tail: geometry -> the entry's dimensions after the first; None: one dimension of variable length.
        rows: matrix rows that one entry along axis 0 covers; None: the part belongs to the whole matrix.
    """

    name: str
    dtype: DType
    tail: Callable[[Geometry], tuple[int, ...]] | None
    rows: int | None = 1

    @property
    def variable(self) -> bool:
        """Whether the length is known only after encoding."""
        return self.tail is None

    def shape(self, geom: Geometry) -> tuple[int, ...]:
        """The part's shape for one matrix; a part of variable length counts as empty."""
        if self.tail is None:
            return (0,)
        tail = self.tail(geom)
        return tail if self.rows is None else (-(-geom.rows // self.rows), *tail)

    def nbytes(self, geom: Geometry) -> int:
        """Bytes of the part for one matrix; 0 where the length is variable."""
        return prod(self.shape(geom)) * itemsize(self.dtype)


@attrs.frozen
class Setting:
    """A parameter of the layout, or an option of the encoder, as a policy may give it.

    Attributes:
        name: the key in the policy.
        default: taken where the policy is silent; its type (bool, int, float or str) is the setting's type.
        summary: one line for people.
        choices: the values allowed; empty: any.
        low, high: inclusive range of a number.
    """

    name: str
    default: bool | int | float | str
    summary: str
    choices: tuple[int | float | str, ...] = ()
    low: float | None = None
    high: float | None = None

    def check(self, value: object) -> bool | int | float | str:
        """The value, if it is allowed.

        Raises:
            ValueError: it is not; the message says what is.
        """
        kind = type(self.default)
        if kind is float and type(value) is int:
            value = float(value)
        if not isinstance(value, (bool, int, float, str)) or type(value) is not kind:
            raise ValueError(f"found {value!r}, expected {kind.__name__}")
        if self.choices and value not in self.choices:
            raise ValueError(f"found {value!r}, expected one of {', '.join(map(repr, self.choices))}")
        if not isinstance(value, (bool, str)):
            self._check_number(value)
        return value

    def _check_number(self, value: float) -> None:
        if isinstance(value, float) and not isfinite(value):
            raise ValueError(f"found {value!r}, expected a finite number")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError(f"found {value!r}, expected an integer of 64 bits")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise ValueError(f"found {value!r}, expected {self.low} to {self.high}")


def complete(settings: tuple[Setting, ...], given: Params) -> dict[str, object]:
    """Every setting's value: the given one, checked, or the default.

    Raises:
        ValueError: a value that is not allowed, or a name that no setting has.
    """
    known = {setting.name: setting for setting in settings}
    for name in given:
        if name not in known:
            raise ValueError(f"no setting named {name!r}; there are: {', '.join(known) or 'none'}")
    return {name: setting.check(given.get(name, setting.default)) for name, setting in known.items()}


@attrs.frozen(kw_only=True)
class FormatSpec:
    """What a format is, without how it computes.

    Attributes:
        tag: the four-byte name.
        name: the name people know it by.
        summary: one line.
        block: (rows, cols) that are stored together; None: the whole matrix in that direction; a name: as many as the
            parameter of that name says.
        parts: the arrays that a matrix is stored in.
        params: settings that are part of the layout; they are stored in the file.
        options: settings that only steer the encoder; stored for the record.
        short_block: whether a last block may have fewer columns; if not, such a shape does not fit.
        nominal_bits: bits per weight, where it cannot be computed from the parts (variable length).
        decoded: dtype that ``decode`` returns. Formats of numbers that float32 cannot hold give their own.
        nonfinite: whether NaN and infinity can be held.
        partner: tag that activations take for an integer product.
        needs: what encoding asks for beyond the weights: ``importance``, ``hessian``.
        uses: what encoding takes into account where it is given, and does without where it is not; names as in `needs`.
        foreign: ids of the same layout elsewhere, for example ``{"ggml": 2}``.
        encoder_version: raised when the same input gives other bytes.
        api: version of the seam that the format was written for.
    """

    tag: FourCC = attrs.field(converter=as_tag)
    name: str
    summary: str
    block: tuple[int | None, int | str | None]
    parts: tuple[Part, ...]
    params: tuple[Setting, ...] = ()
    options: tuple[Setting, ...] = ()
    short_block: bool = False
    nominal_bits: Fraction | None = None
    decoded: str = "<f4"
    nonfinite: bool = False
    partner: str | None = None
    needs: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    foreign: Mapping[str, int | str] = attrs.field(factory=dict)
    encoder_version: int = 1
    api: int = API

    def check(self) -> None:
        """Raises ValueError where the declaration contradicts itself; so a slip shows when the format is loaded."""
        names = [part.name for part in self.parts]
        rows, width = self.block
        if not names or len(set(names)) != len(names):
            raise ValueError(f"parts {names}: at least one, each with a name of its own")
        if isinstance(width, str) and type({each.name: each.default for each in self.params}.get(width)) is not int:
            raise ValueError(f"block {self.block}: no parameter {width!r} that is an integer")
        if any(size is not None and size < 1 for size in (rows, self.width())):
            raise ValueError(f"block {self.block}: sizes are at least 1")
        for part in self.parts:
            if part.rows is not None and (part.rows < 1 or (rows is not None and rows % part.rows)):
                raise ValueError(f"part {part.name!r}: {part.rows} rows an entry do not divide the block's {rows}")
            itemsize(part.dtype)
        itemsize(self.decoded)
        for what, asked in (("needs", self.needs), ("uses", self.uses)):
            if not asked <= NEEDS:
                raise ValueError(f"{what} {sorted(asked)}: only {', '.join(sorted(NEEDS))} can be asked for")
        if self.variable and self.nominal_bits is None:
            raise ValueError("a part of variable length, and no nominal_bits")
        complete(self.params, {})
        complete(self.options, {})
        self.bits_per_weight()

    @property
    def sees(self) -> frozenset[str]:
        """Which calibration data the encoder is shown where there are some: what it needs, and what it uses."""
        return self.needs | self.uses

    @property
    def variable(self) -> bool:
        """Whether a part has a length that is known only after encoding."""
        return any(part.variable for part in self.parts)

    @property
    def real(self) -> bool:
        """Whether the format holds real numbers, as weights are; not integers or truth values."""
        return "f" in self.decoded

    def geometry(self, shape: tuple[int, ...], params: Params | None = None) -> Geometry:
        """The geometry of one matrix of a tensor."""
        _, rows, cols = split_shape(shape)
        return Geometry(rows, cols, {} if params is None else params)

    def width(self, params: Params | None = None) -> int | None:
        """Columns of a block, None: all of them.

        Args:
            params: the layout's parameters; those that are missing count by their defaults.
        """
        width = self.block[1]
        if not isinstance(width, str):
            return width
        found = {each.name: each.default for each in self.params} | dict(params or {})
        size = found[width]
        assert isinstance(size, int)  # `check` and `complete` saw to it
        return size

    def misfit(self, shape: tuple[int, ...], params: Params | None = None) -> str | None:
        """Why a tensor of this shape cannot be stored, or None where it can."""
        lead, _, cols = split_shape(shape)
        if lead and self.variable:
            return "leading dimensions do not go with parts of variable length"
        width = self.width(params)
        if width is not None and not self.short_block and cols % width:
            return f"rows of {cols} are not a multiple of {width}"
        return None if self._addressable(shape, params) else "no memory can hold an array of that shape"

    def _addressable(self, shape: tuple[int, ...], params: Params | None) -> bool:
        """Whether numpy can make arrays of the tensor and of its parts, if it had the memory."""
        shapes = self.part_shapes(shape, {each.name: each.default for each in self.params} | dict(params or {}))
        stored = all(addressable(shapes[part.name], itemsize(part.dtype)) for part in self.parts)
        return stored and addressable(shape, WIDEST)

    def part_shapes(self, shape: tuple[int, ...], params: Params) -> dict[str, tuple[int, ...]]:
        """The stored shape of each part; leading dimensions come first. A part of variable length has shape (0,)."""
        lead, _, _ = split_shape(shape)
        geom = self.geometry(shape, params)
        return {part.name: part.shape(geom) if part.variable else lead + part.shape(geom) for part in self.parts}

    def stored_bytes(self, shape: tuple[int, ...], params: Params) -> int:
        """Bytes that the parts of a tensor take, without padding; those of variable length count by `nominal_bits`."""
        shapes = self.part_shapes(shape, params)
        fixed = sum(prod(shapes[part.name]) * itemsize(part.dtype) for part in self.parts)
        if self.nominal_bits is None or not self.variable:
            return fixed
        return ceil(prod(shape) * self.nominal_bits / 8)

    def bits_per_weight(self, params: Params | None = None) -> Fraction:
        """Nominal bits per weight of a large matrix: those of full blocks.

        A part of the whole matrix counts by what it grows with more rows: a codebook does not.

        Args:
            params: the layout's parameters; defaults where None.
        """
        if self.nominal_bits is not None:
            return self.nominal_bits
        params = complete(self.params, {}) if params is None else params
        whole = 4096  # stands for "the whole matrix"; what a part holds for each row is spread over as many columns
        width = self.width(params)
        eights = 1 if width is None else max(1, whole // width // 8)  # of blocks: codes of a few bits fill their bytes
        geom = Geometry(self.block[0] or whole, whole if width is None else 8 * eights * width, params)
        twice = Geometry(2 * geom.rows, geom.cols, params)
        stored = sum((prod(part.shape(twice)) - prod(part.shape(geom))) * itemsize(part.dtype) for part in self.parts)
        return Fraction(8 * stored, geom.rows * geom.cols)


def checked_shapes(
    spec: FormatSpec, shape: tuple[int, ...], params: Params, *, tensor: str | None = None, file: object = None
) -> dict[str, tuple[int, ...]]:
    """The shape of each part of a stored tensor, after its shape and parameters were compared with the format.

    Raises:
        TableError: the format cannot have stored such a tensor.
    """
    try:
        expected = complete(spec.params, params)
    except ValueError as error:
        reason: str | None = str(error)
    else:
        absent = sorted(expected.keys() - params.keys())
        reason = f"no parameter {', '.join(absent)}" if absent else spec.misfit(shape, params)
    if reason is not None:
        raise TableError(f"{spec.tag} cannot be what the tensor is stored in: {reason}", file=file, tensor=tensor)
    return spec.part_shapes(shape, params)
