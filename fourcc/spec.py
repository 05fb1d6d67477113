"""A format's declaration: tag, parts, block, parameters. Plain values, no numpy, no base class."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, prod
from typing import Any

import attrs

from fourcc.dtypes import WIDEST, addressable, itemsize
from fourcc.errors import TableError
from fourcc.geometry import Geometry, split_shape
from fourcc.part import Block, Part
from fourcc.settings import Params, Setting, complete
from fourcc.tags import FourCC, as_tag

NEEDS = frozenset({"importance", "hessian"})  # data that an encoder may ask for; the fields of fourcc.format.Aids


def _stores_short_blocks(spec: FormatSpec) -> bool:
    return all(part.reach != "free" and not part.fields for part in spec.parts)


def _along_a_row(block: Block | int | str) -> Block:
    """A block as rows and columns; a width alone is that of a block along a row."""
    return block if isinstance(block, tuple) else (1, block)


@attrs.frozen(kw_only=True, eq=False)
class FormatSpec:
    """The declaration of a format: everything except its functions.

    Attributes:
        tag: the four-byte name.
        summary: one line.
        block: (rows, cols) that are stored together; None: the whole matrix in that direction; a name: the value of the
            parameter of that name. A single width is that of blocks along a row.
        parts: the arrays that store a matrix; see `fourcc.part`.
        name: the name that people use; by default the tag.
        params: settings that are part of the layout; the file stores them.
        options: settings that only steer the encoder; the file stores them for the record.
        short_block: whether the last block of a row may have fewer columns; if not, such shapes do not fit. By default
            it may, unless a part is a record or has a `tail` of its own.
        nominal_bits: bits per weight, where the parts do not determine them (variable length).
        decoded: dtype that ``decode`` returns; not float32 only where float32 cannot hold the numbers.
        nonfinite: whether the format can hold NaN and infinity.
        needs: calibration data without which encoding is refused: ``importance``, ``hessian``.
        uses: calibration data that encoding takes into account where they are given; names as in `needs`.
        foreign: ids of the same layout elsewhere, for example ``{"ggml": 2}``.
        encoder_version: raised when the same input gives other bytes.
    """

    tag: FourCC = attrs.field(converter=as_tag)
    summary: str
    block: Block = attrs.field(converter=_along_a_row)
    parts: tuple[Part, ...]
    name: str = attrs.field(default=attrs.Factory(lambda self: str(self.tag), takes_self=True))
    params: tuple[Setting, ...] = ()
    options: tuple[Setting, ...] = ()
    short_block: bool = attrs.field(default=attrs.Factory(_stores_short_blocks, takes_self=True))
    nominal_bits: Fraction | None = None
    decoded: str = "<f4"
    nonfinite: bool = False
    needs: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    foreign: Mapping[str, int | str] = attrs.field(factory=dict)
    encoder_version: int = 1

    def __attrs_post_init__(self) -> None:
        """Tells the parts what a block is."""
        default = self.with_defaults().get(self.block[1]) if isinstance(self.block[1], str) else None
        parts = tuple(part.of_block(self.block, default) for part in self.parts)  # type: ignore[arg-type]  # see `check`
        object.__setattr__(self, "parts", parts)

    def fields(self) -> dict[str, Any]:
        """The declaration as a record: see `Registry.records`."""
        return {
            "tag": str(self.tag),
            "name": self.name,
            "summary": self.summary,
            "bits_per_weight": float(self.bits_per_weight()),
            "block": " x ".join("all" if size is None else str(size) for size in self.block),
            "real": self.real,
            "needs": sorted(self.needs),
            "uses": sorted(self.uses),
            "foreign": [f"{system} {identity}" for system, identity in self.foreign.items()],
        }

    def _repr_html_(self) -> str:
        """HTML for notebooks: what the format says of itself, its parts and its settings."""
        from fourcc.drawing import notebook

        said = self.fields()
        parts = [{"part": each.name, "dtype": str(each.dtype), "belongs to": each.reach} for each in self.parts]
        settings = [
            {"setting": each.name, "default": str(each.default), "summary": each.summary}
            for each in (*self.params, *self.options)
        ]
        tables = (notebook.short_table(parts), notebook.short_table(settings))
        return notebook.output(notebook.known_facts(said), *tables)

    def check(self) -> None:
        """Raise ValueError where the declaration contradicts itself; the registry calls this when it loads a format."""
        names = [part.name for part in self.parts]
        rows, width = self.block
        if not names or len(set(names)) != len(names):
            raise ValueError(f"parts {names}: at least one, with different names")
        if isinstance(width, str) and type(self.with_defaults().get(width)) is not int:
            raise ValueError(f"block {self.block}: no parameter {width!r} that is an integer")
        if any(size is not None and size < 1 for size in (rows, self.width())):
            raise ValueError(f"block {self.block}: sizes are at least 1")
        for part in self.parts:
            part.check()
        itemsize(self.decoded)
        for what, asked in (("needs", self.needs), ("uses", self.uses)):
            if not asked <= NEEDS:
                raise ValueError(f"{what} {sorted(asked)}: only {', '.join(sorted(NEEDS))} can be asked for")
        if self.variable and self.nominal_bits is None:
            raise ValueError("a part of variable length needs nominal_bits")
        complete(self.params, {})
        complete(self.options, {})
        self.bits_per_weight()

    def with_defaults(self, params: Params | None = None) -> dict[str, object]:
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
        size = self.with_defaults(params)[width]
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
        shapes = self.part_shapes(shape, self.with_defaults(params))
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

        What belongs to the whole matrix, such as a codebook, does not count.
        """
        if self.nominal_bits is not None:
            return self.nominal_bits
        params = complete(self.params, {}) if params is None else params
        declared = [part for part in self.parts if part.reach != "free"]
        known = sum((part.bits_per_weight(self.width(params)) for part in declared), Fraction(0))
        return known + self._growth([part for part in self.parts if part.reach == "free"], params)

    def _growth(self, parts: list[Part], params: Params) -> Fraction:
        """Bits per weight of parts whose shape only their `tail` tells: by their growth with the number of rows."""
        whole = 4096  # columns that stand for the whole matrix; what a part stores for a row is spread over them
        width = self.width(params)
        eights = 1 if width is None else max(1, whole // width // 8)  # 8 blocks: codes of a few bits fill whole bytes
        geom = Geometry(self.block[0] or whole, whole if width is None else 8 * eights * width, params)
        twice = Geometry(2 * geom.rows, geom.cols, params)
        stored = sum((prod(part.shape(twice)) - prod(part.shape(geom))) * itemsize(part.dtype) for part in parts)
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
