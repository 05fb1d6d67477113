"""From float tiles to parts: the checks around a format's encoder, for files and for arrays in memory alike.

Plugins run here, so their contract is checked here: the encoder gets a read-only tile; it must return parts of the
declared names, shapes and dtypes, and they must decode to finite weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

import attrs
import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.block_encoding import encode_rows
from fourcc.block_layout import BreachError
from fourcc.compute import coding
from fourcc.dtypes import numpy_dtype
from fourcc.errors import NumericError, PluginError, breaches_as
from fourcc.feedback.correction import Correction
from fourcc.feedback.factors import Factors
from fourcc.feedback.feedback import Feedback
from fourcc.feedback.way import Way, way_of
from fourcc.format import Aids, Format, Original
from fourcc.geometry import Geometry
from fourcc.metrics import ErrorSums
from fourcc.rates.tally import timed
from fourcc.settings import Params, complete
from fourcc.threads import Once
from fourcc.tiles import TILE_WEIGHTS, breach, decode_rows

T = TypeVar("T")
RowsReader = Callable[[int, int], Array]
ORDINARY = 256.0  # no format is too narrow for weights up to this


@attrs.frozen(eq=False)
class MatrixEncoder:
    """Encodes the tiles of one matrix.

    Attributes:
        format: has an encoder.
        geom: of the whole matrix.
        options: complete and checked.
        aids: calibration data; the format sees only those that it `needs` or `uses`.
        name: the tensor's, for messages.
        first_index: flat index of the matrix's first weight in the tensor, for messages.
        nonfinite: whether a format that can hold NaN and infinity gets them.
        whole: number of weights of the whole work that the matrix is a part of; large work is done by compiled code.
        reader: (first, last) -> the original's rows, real numbers of any width: where a weight is not finite, all of
            them are counted. None: those of the tile.
        feedback: how codes are chosen again with error feedback; it takes the `hessian` of the aids.
        factors: of Hessians, shared with matrices that have the same inputs.
    """

    format: Format
    geom: Geometry
    options: Params
    aids: Aids = attrs.field(factory=Aids)
    name: str | None = None
    first_index: int = 0
    nonfinite: bool = False
    whole: int = 0
    reader: RowsReader | None = None
    feedback: Feedback | None = None
    factors: Factors = attrs.field(factory=Factors)
    _correction: Once[Correction | None] = attrs.field(
        init=False, default=attrs.Factory(lambda self: Once(self._bound), takes_self=True)
    )

    @property
    def work(self) -> str:
        """The kind of work, for rates: the format, what steers its encoder, and options that are not its own choice."""
        return encoding_work(self.format, self.options, self.aids, fed=self.feedback is not None)

    def prepare(self, reader: RowsReader) -> object:
        """The value of the format's `prepare`, which spans the matrix's tiles; None where there is none to compute.

        Args:
            reader: (first, last) -> the original's rows, (last - first, cols), real numbers of any width.

        Raises:
            NumericError: NaN or infinity in the weights that the format reads.
            PluginError: the format does not keep its contract.
        """
        prepare = self.format.prepare
        if prepare is None or not self.geom.rows or not self.geom.cols:
            return None

        def rows(first: int, last: int) -> Floats:
            original = reader(first, last)
            self._refuse_nonfinite(original, first, reader)
            return _read_only(original, "<f4")

        aids = self.aids.restricted(self.format.sees)
        original = Original(rows, self.geom, self.options, aids)
        return self._plugin("prepare", lambda: prepare(original))

    def tile(self, original: Array, shared: object, first: int) -> tuple[Parts, ErrorSums]:
        """Parts of the rows from `first` on, and the sums of the error that they decode with.

        Args:
            original: (rows, cols), real numbers of any width.
            shared: the result of `prepare`.
            first: the tile's first row in the matrix.

        Raises:
            NumericError: NaN or infinity in the weights, or weights too large for the format.
            PluginError: the format does not keep its contract.
        """
        with timed(self.work, original.size, self.whole):
            return self._tile(original, shared, first)

    def _tile(self, original: Array, shared: object, first: int) -> tuple[Parts, ErrorSums]:
        """As `tile`, untimed."""
        at = self.first_index + first * self.geom.cols
        self._refuse_nonfinite(original, first, self.reader)
        tile = _read_only(original, self.format.decoded)
        if tile.dtype.itemsize < original.dtype.itemsize and not self.nonfinite:
            self._refuse_overflow(tile, at)  # before the format gets an infinity that the original does not have
        geom = Geometry(len(tile), self.geom.cols, self.geom.params)
        parts = self._parts(tile, shared, geom)
        decoded = decode_rows(self.format, parts, geom, self.name, whole=self.whole)
        if self.nonfinite:  # NaN and infinity do not count below
            finite = np.isfinite(original)
            original, decoded = np.where(finite, original, 0), np.where(finite, decoded, 0)
        self._refuse_lost(original, parts, decoded)
        self._refuse_overflow(decoded, at)
        return parts, coding.error_sums(original, decoded, whole=self.whole)

    def _parts(self, tile: Array, shared: object, geom: Geometry) -> Parts:
        """The tile's parts, with error feedback if it is asked for and the format can take it."""
        correction = self._correction()
        if correction is not None and correction.way == "blocks":
            return self._made("encode", geom, partial(correction.encoded, tile, shared, geom))
        parts = self._made("encode", geom, partial(self._plain, tile, shared, geom))
        if correction is None:
            return parts
        return self._made("with_codes", geom, partial(correction.corrected, parts, tile, geom))

    def _plain(self, tile: Array, shared: object, geom: Geometry) -> Parts:
        aids = self.aids.restricted(self.format.sees)
        slow = partial(encode_rows, self.format, tile, shared, geom, self.options, aids)
        plain = self.format.prepare is None and aids.empty
        large = 0 if self.nonfinite else self.whole  # kernels encode finite weights
        return coding.encode(self.format, tile, geom, self.options, slow, plain=plain, whole=large)

    def _bound(self) -> Correction | None:
        """The error feedback of this matrix; None where there is none."""
        hessian = self.aids.hessian
        if self.feedback is None or hessian is None or self.nonfinite:
            return None
        way = way_of_plugin(self.format, self.geom, self.options, self.name)
        if way is None:
            return None
        seen = self.aids.restricted(self.format.sees)
        whole, name = self.whole, self.name
        return Correction(
            self.format, self.options, seen, self.feedback, hessian, self.factors, way, whole=whole, name=name
        )

    def _refuse_nonfinite(self, tile: Array, first: int, reader: RowsReader | None) -> None:
        """Raises NumericError where a run of rows from `first` on holds NaN or infinity; counts those of all rows."""
        if (self.nonfinite and self.format.nonfinite) or np.isfinite(tile).all():
            return
        holds = self.format.nonfinite
        hint = 'nonfinite = "keep" in the rule lets them through.' if holds else f"{self.format.tag} cannot hold them."
        rows, cols = self.geom.rows, self.geom.cols
        step = max(1, TILE_WEIGHTS // max(1, cols))
        runs = (
            [(first, tile)]
            if reader is None
            else ((at, reader(at, min(rows, at + step))) for at in range(0, rows, step))
        )
        refuse_nonfinite(((self.first_index + at * cols, run) for at, run in runs), tensor=self.name, hint=hint)

    def _refuse_lost(self, original: Array, parts: Parts, decoded: Array) -> None:
        """Raises PluginError where ordinary weights and finite parts decode to NaN: then no weight is too large."""
        lost = np.isnan(decoded)
        if not lost.any() or self.format.nonfinite or np.abs(original).max() > ORDINARY or not _finite(parts):
            return
        row, col = np.argwhere(lost)[0]
        raise self._breach("decode", f"NaN in row {row}, column {col}, from finite parts", "finite weights")

    def _refuse_overflow(self, decoded: Array, first_index: int) -> None:
        refuse_nonfinite(
            [(first_index, decoded)],
            tensor=self.name,
            hint=f"The weights are finite but too large for {self.format.tag}; give the tensor another format.",
        )

    def _made(self, verb: str, geom: Geometry, make: Callable[[], Parts]) -> Parts:
        """The parts that a function of the format makes, checked."""
        return self._checked(verb, self._plugin(verb, make), geom)

    def _checked(self, verb: str, parts: Parts, geom: Geometry) -> Parts:
        spec = self.format
        arrays = {name: np.asarray(array) for name, array in parts.items()}
        for part in spec.parts:
            array, dtype = arrays[part.name], numpy_dtype(part.dtype)
            shape = (array.size,) if part.variable else part.shape(geom)
            if (array.shape, array.dtype) != (shape, dtype):
                raise self._breach(verb, f"{array.shape} {array.dtype} for part {part.name!r}", f"{shape} {dtype}")
        return arrays

    def _plugin(self, verb: str, call: Callable[[], T]) -> T:
        return _behind_firewall(self.format, verb, self.name, call)

    def _breach(self, verb: str, got: object, expected: object = None) -> PluginError:
        return breach(self.format, verb, tensor=self.name, got=got, expected=expected)


def encoding_work(fmt: Format, options: Params, aids: Aids, *, fed: bool) -> str:
    """The name of the work of encoding that rates are kept for: ``encode Q4_K importance``."""
    usual = complete(fmt.options, {})
    chosen = (f"{name}={value}" for name, value in options.items() if usual.get(name) != value)
    seen = aids.restricted(fmt.sees)
    steered = ["importance"] * (seen.importance is not None) + ["hessian"] * (seen.hessian is not None)
    fed = fed and aids.hessian is not None
    return " ".join([f"encode {fmt.tag}", *steered, *["feedback"] * fed, *chosen])


def way_of_plugin(fmt: Format, geom: Geometry, options: Params, tensor: str | None) -> Way | None:
    """How a matrix takes error feedback, as `way_of`. Raises PluginError where the format's functions break."""
    return _behind_firewall(fmt, "grid", tensor, lambda: way_of(fmt, geom, options))


def _behind_firewall(fmt: Format, verb: str, tensor: str | None, call: Callable[[], T]) -> T:
    """The result of a call of a format's functions. Raises PluginError where they break their contract."""
    with breaches_as(lambda told: breach(fmt, verb, tensor=tensor, got=told)):
        try:
            return call()
        except BreachError as error:
            raise breach(fmt, verb, tensor=tensor, got=error.got, expected=error.expected) from error


def _read_only(original: Array, dtype: str) -> Array:
    """The weights as a format sees them: C-contiguous, of its dtype, read-only."""
    with np.errstate(over="ignore"):  # a weight beyond float32 becomes infinity, which is refused later
        tile = np.ascontiguousarray(original, dtype).view()
    tile.flags.writeable = False
    return tile


def _finite(parts: Parts) -> bool:
    """Whether all floats of parts, those of records too, are finite."""
    arrays = [each[name] for each in parts.values() for name in each.dtype.names or ()]
    arrays += [each for each in parts.values() if each.dtype.names is None]
    return all(bool(np.isfinite(array).all()) for array in arrays if array.dtype.kind == "f")


def refuse_nonfinite(runs: Iterable[tuple[int, Array]], *, tensor: str | None, hint: str) -> None:
    """Raises NumericError where weights are NaN or infinite.

    Args:
        runs: the flat index in the tensor of a run's first weight, and the run, (rows, cols); in order.
        tensor: its name, for the message.
        hint: the next step for the user.
    """
    weights, bad, first = 0, 0, None
    for start, run in runs:
        places = np.flatnonzero(~np.isfinite(run))
        if places.size and first is None:
            first = start + int(places[0]), run.flat[places[0]]
        weights, bad = weights + run.size, bad + places.size
    if first is not None:
        raise NumericError(
            f"{bad} of {weights} weights are not finite, the first at flat index {first[0]}",
            tensor=tensor,
            found=first[1],
            expected="finite weights",
            hint=hint,
        )
