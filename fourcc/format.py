"""The seam: a format is one frozen value. A capability that it lacks is None, which the core checks before any work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.block_decoding import decode_blocks_of, turned_back
from fourcc.dtypes import numpy_dtype
from fourcc.geometry import Geometry
from fourcc.grid import Grid, code_bounds, decoded_grid, entries_of_weights, with_entries
from fourcc.part import Part
from fourcc.settings import Params
from fourcc.spec import FormatSpec

if TYPE_CHECKING:
    from fourcc.kernels.kernel import Kernel

RowReader = Callable[[int, int], Floats]  # (first, last) -> float32 (last - first, cols)


@attrs.frozen(eq=False)
class Aids:
    """Calibration data on a matrix's input; an encoder sees only the data that its spec `needs` or `uses`.

    Attributes:
        importance: float32 (cols,), the weight of each input column in the error; or (matrices, cols), one such array
            for each matrix of the leading dimensions.
        hessian: float32 (cols, cols), E[x x^T] over the inputs, not twice that; or (matrices, cols, cols).
    """

    importance: Floats | None = None
    hessian: Floats | None = None

    def of_matrix(self, index: int) -> Aids:
        """The data of one matrix of the leading dimensions."""
        importance, hessian = self.importance, self.hessian
        return Aids(
            importance[index] if importance is not None and importance.ndim == 2 else importance,
            hessian[index] if hessian is not None and hessian.ndim == 3 else hessian,
        )

    def unseen(self, index: int) -> bool:
        """Whether one matrix of the leading dimensions, such as an expert, has a Hessian of its own that is all 0."""
        return self.hessian is not None and self.hessian.ndim == 3 and not self.hessian[index].any()

    def restricted(self, names: frozenset[str]) -> Aids:
        """The data of these names alone."""
        return Aids(**{name: getattr(self, name) for name in names})

    @property
    def empty(self) -> bool:
        """Whether there are no data."""
        return self.importance is None and self.hessian is None


@attrs.frozen(eq=False)
class Blocks:
    """The argument of an encoder: blocks of a run of a matrix's rows.

    A short last block comes in a call of its own, so that no padding counts. Where a part belongs to a row, has
    a variable length or a `tail`, all blocks of the rows come at once instead, and zeros fill up the short ones.

    Attributes:
        w: float32 (blocks, weights of a block); finite, read-only. (Of dtype `decoded`, where that is not float32.)
        geom: of the rows, with the layout's parameters.
        options: of the encoder.
        shared: the result of `prepare`; None where there is none.
        importance: float32, as `w`: what the error of each weight counts; None where the format does not ask for it.
        aids: calibration data that the format `needs` or `uses`.
        rows: the weights of the whole rows, (rows, cols), also read-only; the same in the call with short blocks.
    """

    w: Floats
    geom: Geometry
    options: Params
    shared: Any
    importance: Floats | None
    aids: Aids
    rows: Floats

    @property
    def params(self) -> Params:
        """The layout's parameters."""
        return self.geom.params


@attrs.frozen(eq=False)
class Original:
    """The argument of `prepare`: a whole matrix, before any of it is encoded.

    Attributes:
        rows: (first, last) -> float32 (last - first, cols), read-only.
        geom: the matrix's.
        options: of the encoder.
        aids: calibration data that the format `needs` or `uses`.
    """

    rows: RowReader
    geom: Geometry
    options: Params
    aids: Aids


@attrs.frozen(eq=False)
class Turn:
    """A linear map that products apply to each activation once, instead of to every row of weights.

    `decode_block` gives V; the weights are W = `back` (V), and W x = V `forward` (x). So for all x and all rows v,
    ``back(v) @ x == v @ forward(x)`` up to rounding: the conformance kit checks it.

    Attributes:
        forward: (activations float32 (n, cols), parts, geom) -> float32 (n, cols).
        back: (rows of V float32 (n, cols), parts, geom) -> float32 (n, cols).
        parts: names of the parts that both read, of the matrix or of its columns; `decode_block` does not get them.
    """

    forward: Callable[[Floats, Parts, Geometry], Floats]
    back: Callable[[Floats, Parts, Geometry], Floats]
    parts: tuple[str, ...] = ()


@attrs.frozen(eq=False)
class Sparse:
    """Some weights of a matrix by their places.

    Attributes:
        rows, cols: integers (k,), the places; a place that occurs twice counts twice.
        values: float32 (k,).
    """

    rows: Array
    cols: Array
    values: Floats


@attrs.frozen(kw_only=True, eq=False)
class Format(FormatSpec):
    """How a tag is decoded and, where it has an encoder, encoded.

    All functions see one matrix, or a run of its rows. The core cuts tiles and blocks, packs codes, handles leading
    dimensions and checks shapes, so a format is little more than its formula. No function is called for an empty
    matrix; the bytes of its parts, if any, are zeros.

    Attributes:
        encode: (Blocks) -> parts by name. What belongs to blocks, weights and codes is returned for the blocks given:
            (blocks, *dims), (blocks, weights); codes are not packed. The fields of a record are returned by their own
            names. What belongs to rows, columns or the matrix has its stored shape; a part of the matrix is returned
            with every call, always equal.
        decode_block: (part, …, weights) writes the weights of one block. The formula, once: decoding, products and the
            page are made from it. Parts come in their order: an entry of a block as a number, several as an array,
            codes unpacked; the fields of a record one by one; a part that is `ragged` or that `turn` reads does not
            come. The layout's parameters follow by name.
        decode: (parts, geom) -> (rows, cols) of dtype `decoded`: normative. Made from `decode_block` if it is left out.
        prepare: (Original) -> a result that spans tiles; `encode` gets it as `shared`.
        codes: (parts, geom) -> integers (rows, cols): the stored codes, for inspection. By default those of the one
            part that has a code for each weight.
        with_codes: (parts, codes, geom) -> parts that are equal but for their codes. By default for that one part, too.
        code_range: the least and the largest code; None: what that one part can hold.
        grid: (parts, geom) -> what each code decodes to. By default from decoding with all codes equal.
        turn: a linear map between the weights that `decode_block` gives and those of the matrix.
        extra: (parts, geom) -> weights that are added to those decoded from blocks.
        kernel: where its products are: ``module:name`` of a `fourcc.kernels.kernel.Kernel`, imported only when it is
            needed; or a function that returns one and takes the layout's parameters by name. Where there is none,
            products are made from `decode_block`; without either, they decode the matrix first.
        bound: (weights, geom) -> how far each decoded weight may be from its original with the encoder's default
            options, as derived on the format's page; both float64 (rows, cols). None: nothing is promised.
    """

    encode: Callable[[Blocks], Parts] | None = None
    decode_block: Callable[..., None] | None = None
    decode: Callable[[Parts, Geometry], Array] = None  # type: ignore[assignment]  # set below
    prepare: Callable[[Original], object] | None = None
    codes: Callable[[Parts, Geometry], Array] | None = None
    with_codes: Callable[[Parts, Array, Geometry], Parts] | None = None
    code_range: tuple[int, int] | None = None
    grid: Callable[[Parts, Geometry], Grid] | None = None
    turn: Turn | None = None
    extra: Callable[[Parts, Geometry], Sparse] | None = None
    kernel: str | Callable[..., Kernel] | None = None
    bound: Callable[[Array, Geometry], Array] | None = None

    def __attrs_post_init__(self) -> None:
        """Fills in what follows from the rest; a method of another format, which evolved into this one, is replaced."""
        FormatSpec.__attrs_post_init__(self)
        if self.decode is None or _is(self.decode, Format._decode_by_blocks):
            object.__setattr__(self, "decode", self._decode_by_blocks)
        coded = self._coded() is not None
        if self.codes is None or _is(self.codes, Format._codes_of_part):
            object.__setattr__(self, "codes", self._codes_of_part if coded else None)
        if self.with_codes is None or _is(self.with_codes, Format._with_codes_of_part):
            alone = coded and _is(self.codes, Format._codes_of_part)
            object.__setattr__(self, "with_codes", self._with_codes_of_part if alone else None)
        if self.grid is None or _is(self.grid, Format._decoded_grid):
            known = self.with_codes and (self.code_range or coded)
            object.__setattr__(self, "grid", self._decoded_grid if known else None)

    def __repr__(self) -> str:
        return f"<Format {self.tag}: {self.summary}>"

    def check(self) -> None:
        """Raise ValueError where the declaration contradicts itself; the registry calls this when it loads a format."""
        FormatSpec.check(self)
        if self.derived and self.decode_block is None:
            raise ValueError("neither decode nor decode_block: nothing decodes it")
        self._check_arguments()
        if self.derived and (free := [part.name for part in self.block_parts if part.reach == "free"]):
            raise ValueError(f"part {free[0]!r} has a `tail`, so that no block has a share of it: give decode")
        for name in () if self.turn is None else self.turn.parts:
            if name not in {part.name for part in self.parts if part.rows is None}:
                raise ValueError(f"turn reads {name!r}, which is no part of the matrix or its columns")

    def _check_arguments(self) -> None:
        """Refuses a block decoder whose arguments are called like the parts, in another order."""
        if not callable(self.decode_block):
            return
        given = [*signature(self.decode_block).parameters]
        parts = [field.name for part in self.block_parts for field in part.fields or (part,)]
        named = given[: len(parts)]
        if sorted(named) == sorted(parts) and named != parts:
            raise ValueError(f"decode_block takes {', '.join(named)}: parts come in their order, {', '.join(parts)}")

    @property
    def derived(self) -> bool:
        """Whether `decode` is made from `decode_block`."""
        return _is(self.decode, Format._decode_by_blocks)

    @property
    def finds_levels(self) -> bool:
        """Whether `grid` is made by decoding."""
        return _is(self.grid, Format._decoded_grid)

    @property
    def block_parts(self) -> tuple[Part, ...]:
        """The parts that `decode_block` gets."""
        turned = () if self.turn is None else self.turn.parts
        return tuple(part for part in self.parts if not part.variable and part.name not in turned)

    def unpacked(self, parts: Parts, geom: Geometry) -> dict[str, Array]:
        """The entries of the weights, (rows, cols), of each part and each field of a record that has one a weight."""
        return entries_of_weights(self.parts, parts, geom)

    def repacked(self, parts: Parts, entries: Mapping[str, Array]) -> dict[str, Array]:
        """The reverse of `unpacked`: a copy of the parts with other entries of the weights, integers (rows, cols)."""
        return with_entries(self.parts, parts, entries)

    def _coded(self) -> Part | None:
        """The one part, or field, that has a code for each weight; None where there is none, or several."""
        fields = [field for part in self.parts for field in part.fields or (part,) if field.reach == "weight"]
        if len(fields) != 1 or self.nonfinite or not self.real:  # the bits of a float are no code
            return None
        return fields[0] if numpy_dtype(fields[0].dtype).kind in "iu" else None

    def _codes_of_part(self, parts: Parts, geom: Geometry) -> Array:
        part = self._coded()
        assert part is not None
        return self.unpacked(parts, geom)[part.name]

    def _with_codes_of_part(self, parts: Parts, codes: Array, _: Geometry) -> Parts:
        part = self._coded()
        assert part is not None
        return self.repacked(parts, {part.name: codes})

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the largest code of a weight; both 0 where no codes are known."""
        part = self._coded()
        return self.code_range or (code_bounds(part) if part is not None else (0, 0))

    def _decoded_grid(self, parts: Parts, geom: Geometry) -> Grid:
        assert self.with_codes is not None
        return decoded_grid(self.decode_blocks, self.with_codes, parts, geom, self.bounds)

    def decode_blocks(self, parts: Parts, geom: Geometry) -> Floats:
        """The weights as `decode_block` gives them: before they are turned back, and without those that are extra."""
        if self.turn is None and self.extra is None:
            return self.decode(parts, geom)
        return decode_blocks_of(self, self.decode_block, self.block_parts, parts, geom)

    def _decode_by_blocks(self, parts: Parts, geom: Geometry) -> Floats:
        """Decodes blocks, turns them back and adds what is extra."""
        w = decode_blocks_of(self, self.decode_block, self.block_parts, parts, geom)
        if self.turn is not None:
            w = turned_back(self.turn.back, w, parts, geom)
        if self.extra is not None:
            from fourcc.compute.sparse_weights import sparse_weights

            rows, cols, values = sparse_weights(self.extra, self.tag, parts, geom)
            np.add.at(w, (rows, cols), values)
        return w


def _is(function: object, method: object) -> bool:
    """Whether a function is this method, of any object."""
    return getattr(function, "__func__", None) is method
