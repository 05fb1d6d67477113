"""A format's declaration: tag, parts, block, parameters. Plain values, no numpy, no base class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, isfinite, prod

import attrs

from fourcc.dtypes import WIDEST, DType, addressable, itemsize
from fourcc.errors import TableError
from fourcc.tags import FourCC, as_tag

API = 1  # the version of this seam; the registry refuses formats for another version
NEEDS = frozenset({"importance", "hessian"})  # data that an encoder may ask for; the fields of fourcc.format.Aids

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
        tail: geometry -> the dimensions after the first; None: one dimension of variable length.
        rows: matrix rows that one entry along axis 0 covers; None: the part belongs to the whole matrix.
    """

    name: str
    dtype: DType
    tail: Callable[[Geometry], tuple[int, ...]] | None
    rows: int | None = 1

    @property
    def variable(self) -> bool:
        """Whether only encoding determines the length."""
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
    """A parameter of the layout, or an option of the encoder, that a policy may set.

    Attributes:
        name: the key in the policy.
        default: the value where the policy has none; its type (bool, int, float or str) is the setting's type.
        summary: one line for readers.
        choices: the allowed values; empty: any.
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
            ValueError: it is not allowed; the message says which values are.
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
    """The value of every setting: the given value, checked, or the default.

    Raises:
        ValueError: a value is not allowed, or a name belongs to no setting.
    """
    known = {setting.name: setting for setting in settings}
    for name in given:
        if name not in known:
            raise ValueError(f"no setting named {name!r}; there are: {', '.join(known) or 'none'}")
    return {name: setting.check(given.get(name, setting.default)) for name, setting in known.items()}


@attrs.frozen(kw_only=True)
class FormatSpec:
    """The declaration of a format: everything except its functions.

    Attributes:
        tag: the four-byte name.
        name: the name that people use.
        summary: one line.
        block: (rows, cols) that are stored together; None: the whole matrix in that direction; a name: the value of the
            parameter of that name.
        parts: the arrays that store a matrix.
        params: settings that are part of the layout; the file stores them.
        options: settings that only steer the encoder; the file stores them for the record.
        short_block: whether the last block of a row may have fewer columns; if not, such shapes do not fit.
        nominal_bits: bits per weight, where the parts do not determine them (variable length).
        decoded: dtype that ``decode`` returns; not float32 only where float32 cannot hold the numbers.
        nonfinite: whether the format can hold NaN and infinity.
        partner: tag of the activations in an integer product.
        needs: calibration data without which encoding is refused: ``importance``, ``hessian``.
        uses: calibration data that encoding takes into account where they are given; names as in `needs`.
        foreign: ids of the same layout elsewhere, for example ``{"ggml": 2}``.
        encoder_version: raised when the same input gives other bytes.
        api: version of the seam for which the format was written.
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
        """Raise ValueError where the declaration contradicts itself; the registry calls this when it loads a format."""
        names = [part.name for part in self.parts]
        rows, width = self.block
        if not names or len(set(names)) != len(names):
            raise ValueError(f"parts {names}: at least one, with different names")
        if isinstance(width, str) and type(self._defaults().get(width)) is not int:
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
            raise ValueError("a part of variable length needs nominal_bits")
        complete(self.params, {})
        complete(self.options, {})
        self.bits_per_weight()

    def _defaults(self, params: Params | None = None) -> dict[str, object]:
        """The layout's parameters, with their defaults where `params` has none."""
        return {setting.name: setting.default for setting in self.params} | dict(params or {})

    @property
    def sees(self) -> frozenset[str]:
        """The names of the calibration data that the encoder sees: those it needs and those it uses."""
        return self.needs | self.uses

    @property
    def variable(self) -> bool:
        """Whether only encoding determines the length of some part."""
        return any(part.variable for part in self.parts)

    @property
    def real(self) -> bool:
        """Whether the format holds real numbers, such as weights, not integers or truth values."""
        return "f" in self.decoded

    def geometry(self, shape: tuple[int, ...], params: Params | None = None) -> Geometry:
        """The geometry of one matrix of a tensor."""
        _, rows, cols = split_shape(shape)
        return Geometry(rows, cols, {} if params is None else params)

    def width(self, params: Params | None = None) -> int | None:
        """Columns of a block; None: all columns. Parameters that are missing have their defaults."""
        width = self.block[1]
        if not isinstance(width, str):
            return width
        size = self._defaults(params)[width]
        assert isinstance(size, int)  # `check` and `complete` have checked it
        return size

    def misfit(self, shape: tuple[int, ...], params: Params | None = None) -> str | None:
        """Why the format cannot store a tensor of this shape; None where it can."""
        lead, _, cols = split_shape(shape)
        if lead and self.variable:
            return "parts of variable length allow no leading dimensions"
        width = self.width(params)
        if width is not None and not self.short_block and cols % width:
            return f"rows of {cols} are not a multiple of {width}"
        return None if self._addressable(shape, params) else "no memory can hold an array of that shape"

    def _addressable(self, shape: tuple[int, ...], params: Params | None) -> bool:
        """Whether numpy can address arrays of the tensor and of its parts, memory aside."""
        shapes = self.part_shapes(shape, self._defaults(params))
        stored = all(addressable(shapes[part.name], itemsize(part.dtype)) for part in self.parts)
        return stored and addressable(shape, WIDEST)

    def part_shapes(self, shape: tuple[int, ...], params: Params) -> dict[str, tuple[int, ...]]:
        """The stored shape of each part; leading dimensions come first. A part of variable length has shape (0,)."""
        lead, _, _ = split_shape(shape)
        geom = self.geometry(shape, params)
        return {part.name: part.shape(geom) if part.variable else lead + part.shape(geom) for part in self.parts}

    def stored_bytes(self, shape: tuple[int, ...], params: Params) -> int:
        """Bytes of a tensor's parts, without padding; `nominal_bits` decides where a part has variable length."""
        shapes = self.part_shapes(shape, params)
        fixed = sum(prod(shapes[part.name]) * itemsize(part.dtype) for part in self.parts)
        if self.nominal_bits is None or not self.variable:
            return fixed
        return ceil(prod(shape) * self.nominal_bits / 8)

    def bits_per_weight(self, params: Params | None = None) -> Fraction:
        """Nominal bits per weight of a large matrix of full blocks; `params` None: the defaults.

        A part of the whole matrix counts by its growth with the number of rows: a codebook does not grow.
        """
        if self.nominal_bits is not None:
            return self.nominal_bits
        params = complete(self.params, {}) if params is None else params
        whole = 4096  # columns that stand for the whole matrix; what a part stores for a row is spread over them
        width = self.width(params)
        eights = 1 if width is None else max(1, whole // width // 8)  # 8 blocks: codes of a few bits fill whole bytes
        geom = Geometry(self.block[0] or whole, whole if width is None else 8 * eights * width, params)
        twice = Geometry(2 * geom.rows, geom.cols, params)
        stored = sum((prod(part.shape(twice)) - prod(part.shape(geom))) * itemsize(part.dtype) for part in self.parts)
        return Fraction(8 * stored, geom.rows * geom.cols)


def checked_shapes(
    spec: FormatSpec, shape: tuple[int, ...], params: Params, *, tensor: str | None = None, file: object = None
) -> dict[str, tuple[int, ...]]:
    """The shape of each part of a stored tensor, once its shape and parameters are checked against the format.

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
        raise TableError(f"{spec.tag} cannot be the tensor's format: {reason}", file=file, tensor=tensor)
    return spec.part_shapes(shape, params)
