"""From float tiles to parts: what surrounds a format's encoder, for files and for arrays in memory alike.

Plugins run here, so here they are held to their contract: a tile that may not be written to goes in, parts of the
declared names, shapes and dtypes must come out, and they must decode to finite weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, TypeVar

import attrs

from fourcc.dtypes import numpy_dtype
from fourcc.errors import FourccError, NumericError, PluginError, UsageError, memory_is_short
from fourcc.format import Aids
from fourcc.metrics import ErrorSums
from fourcc.qmatrix import QMatrix, breach, decode_rows, tile_bounds
from fourcc.registry import registry
from fourcc.spec import Geometry, Params, complete, split_shape
from fourcc.tags import FourCC, as_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fourcc.format import Array, Floats, Format, Parts

T = TypeVar("T")


@attrs.frozen(eq=False)
class MatrixEncoder:
    """Encodes the tiles of one matrix.

    Attributes:
        format: it has an encoder.
        geom: of the whole matrix.
        options: complete and checked.
        aids: what calibration knows; the format sees only what it `needs` or `uses`.
        name: the tensor's, for messages.
        first_index: flat index of the matrix's first weight in the tensor, for messages.
        nonfinite: whether NaN and infinity are let through to a format that can hold them.
        whole: weights of all the work that the matrix is a part of; if they are many, compiled code does it.
    """

    format: Format
    geom: Geometry
    options: Params
    aids: Aids = attrs.field(factory=Aids)
    name: str | None = None
    first_index: int = 0
    nonfinite: bool = False
    whole: int = 0

    def prepare(self, reader: Callable[[int, int], Array]) -> object:
        """What spans the matrix's tiles, or None; an empty matrix has none.

        Args:
            reader: (first, last) -> the original's rows, (last - first, cols), real numbers of any width.

        Raises:
            NumericError: NaN or infinity in the weights that the format looked at.
            PluginError: the format does not keep its contract.
        """
        prepare = self.format.prepare
        if prepare is None or not self.geom.rows or not self.geom.cols:
            return None

        def rows(first: int, last: int) -> Floats:
            original = reader(first, last)
            self._refuse_nonfinite(original, self.first_index + first * self.geom.cols)
            return _read_only(original, "<f4")

        aids = self.aids.restricted(self.format.spec.sees)
        return self._plugin("prepare", lambda: prepare(rows, self.geom, self.options, aids))

    def tile(self, original: Array, shared: object, first: int) -> tuple[Parts, ErrorSums]:
        """Parts of the rows from `first` on, and how far they decode from the original.

        Args:
            original: (rows, cols), real numbers of any width.
            shared: from `prepare`.
            first: the tile's first row in the matrix.

        Raises:
            NumericError: NaN or infinity in the weights, or weights too large for the format.
            PluginError: the format does not keep its contract.
        """
        import numpy as np

        from fourcc.compute import coding

        at = self.first_index + first * self.geom.cols
        self._refuse_nonfinite(original, at)
        tile = _read_only(original, self.format.spec.decoded)
        if tile.dtype.itemsize < original.dtype.itemsize and not self.nonfinite:
            self._refuse_overflow(tile, at)  # before the format meets an infinity that the original has not
        geom = Geometry(len(tile), self.geom.cols, self.geom.params)
        aids = self.aids.restricted(self.format.spec.sees)
        large = 0 if self.nonfinite else self.whole  # kernels encode finite weights
        parts = self._plugin(
            "encode", lambda: coding.encode(self.format, tile, shared, geom, self.options, aids, whole=large)
        )
        parts = self._checked(parts, geom)
        decoded = decode_rows(self.format, parts, geom, self.name, whole=self.whole)
        if self.nonfinite:  # what was let through is left out of the rest
            fine = np.isfinite(original)
            original, decoded = np.where(fine, original, 0), np.where(fine, decoded, 0)
        self._refuse_overflow(decoded, at)
        return parts, coding.error_sums(original, decoded, whole=self.whole)

    def _refuse_nonfinite(self, tile: Array, first_index: int) -> None:
        if self.nonfinite and self.format.spec.nonfinite:
            return
        holds = self.format.spec.nonfinite
        hint = (
            'nonfinite = "keep" in the rule lets them through.'
            if holds
            else f"{self.format.spec.tag} cannot hold them."
        )
        refuse_nonfinite(tile, tensor=self.name, first_index=first_index, hint=hint)

    def _refuse_overflow(self, decoded: Array, first_index: int) -> None:
        refuse_nonfinite(
            decoded,
            tensor=self.name,
            first_index=first_index,
            hint=f"The weights are finite but too large for {self.format.spec.tag}; give the tensor another format.",
        )

    def _checked(self, parts: Parts, geom: Geometry) -> Parts:
        import numpy as np

        spec = self.format.spec
        if not isinstance(parts, Mapping) or set(parts) != {part.name for part in spec.parts}:
            found = f"parts {sorted(map(str, parts))}" if isinstance(parts, Mapping) else f"a {type(parts).__name__}"
            raise self._breach("encode", found, f"parts {sorted(part.name for part in spec.parts)}")
        arrays = {name: np.asarray(array) for name, array in parts.items()}
        for part in spec.parts:
            array, dtype = arrays[part.name], numpy_dtype(part.dtype)
            shape = (array.size,) if part.variable else part.shape(geom)
            if (array.shape, array.dtype) != (shape, dtype):
                raise self._breach("encode", f"{array.shape} {array.dtype} for part {part.name!r}", f"{shape} {dtype}")
        return arrays

    def _plugin(self, verb: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except (FourccError, MemoryError):
            raise
        except Exception as error:
            if memory_is_short(error):
                raise MemoryError from error
            raise self._breach(verb, f"{type(error).__name__}: {error}", None) from error

    def _breach(self, verb: str, got: object, expected: object) -> PluginError:
        return breach(self.format, verb, tensor=self.name, got=got, expected=expected)


def _read_only(original: Array, dtype: str) -> Array:
    """The weights as a format sees them: C-contiguous, of its dtype, not to be written to."""
    import numpy as np

    with np.errstate(over="ignore"):  # beyond float32: decodes to infinity, and is refused as that
        tile = np.ascontiguousarray(original, dtype).view()
    tile.flags.writeable = False
    return tile


def refuse_nonfinite(tile: Array, *, tensor: str | None, first_index: int, hint: str) -> None:
    """Raises NumericError where a tile holds NaN or infinity.

    Args:
        tile: (rows, cols).
        tensor: its name, for the message.
        first_index: flat index of the tile's first weight in the tensor.
        hint: what to do next.
    """
    import numpy as np

    if np.isfinite(tile).all():
        return
    bad = np.flatnonzero(~np.isfinite(tile))
    at = int(bad[0])
    raise NumericError(
        f"{bad.size} of {tile.size} weights are not finite, the first at flat index {first_index + at}",
        tensor=tensor,
        found=tile.flat[at],
        expected="finite weights",
        hint=hint,
    )


def encode(
    weights: Array,
    tag: str | FourCC,
    params: Params | None = None,
    options: Params | None = None,
    *,
    aids: Aids | None = None,
    name: str | None = None,
) -> QMatrix:
    """Encode an array in memory; `fourcc.convert` does the same for files, tile by tile.

    Args:
        weights: real numbers, of any shape.
        tag: the format.
        params: the layout's parameters; defaults where silent.
        options: the encoder's options; defaults where silent.
        aids: calibration data.
        name: the tensor's, for messages.

    Raises:
        UsageError: the format has no encoder, or the shape or a setting does not fit it.
        NumericError: NaN or infinity in the weights, or weights too large for the format.
        PluginError: the format is missing, broken, or does not keep its contract.
    """
    import numpy as np

    weights = np.asarray(weights)
    found = registry[as_tag(tag)]
    if weights.dtype.kind not in "fiub":
        raise UsageError("weights are real numbers", tensor=name, found=f"dtype {weights.dtype}")
    check_needs(found, aids or Aids(), weights.shape, name)
    params, options = checked_settings(found, weights.shape, params or {}, options or {})
    lead, rows, cols = split_shape(weights.shape)
    count = prod(lead)
    shapes = found.spec.part_shapes(weights.shape, params)
    parts = {part.name: np.zeros(shapes[part.name], numpy_dtype(part.dtype)) for part in found.spec.parts}
    geom = Geometry(rows, cols, params)
    for index, matrix in enumerate(weights.reshape(count, rows, cols) if weights.size else ()):
        known = (aids or Aids()).of_matrix(index)
        first_index = index * rows * cols
        encoder = MatrixEncoder(found, geom, options, known, name=name, first_index=first_index, whole=weights.size)
        for first, tile in _encoded_tiles(encoder, matrix):
            for part in found.spec.parts:
                if part.variable:
                    parts[part.name] = tile[part.name]
                    continue
                whole = parts[part.name].reshape(count, *shapes[part.name][len(lead) :])[index, ...]
                if part.rows is not None:
                    whole[first // part.rows :][: len(tile[part.name])] = tile[part.name]
                elif first == 0:  # as in a file, the first tile's counts
                    whole[...] = tile[part.name]
    return QMatrix(found.spec.tag, weights.shape, parts, params, name)


def _encoded_tiles(encoder: MatrixEncoder, matrix: Array) -> Iterator[tuple[int, Parts]]:
    """First row and parts of each tile of a matrix (rows, cols) in memory."""
    if not matrix.size:  # no format is asked about nothing
        return
    shared = encoder.prepare(lambda first, last: matrix[first:last])
    for first, last in tile_bounds(*matrix.shape, encoder.format.spec):
        yield first, encoder.tile(matrix[first:last], shared, first)[0]


def check_needs(found: Format, aids: Aids, shape: tuple[int, ...], tensor: str | None) -> None:
    """Raises UsageError where a format needs calibration data that is not there, or does not fit the tensor's shape."""
    import numpy as np

    lead, _, cols = split_shape(shape)
    for need in sorted(found.spec.needs):
        given = getattr(aids, need)
        if given is None:
            raise UsageError(
                f"the format {found.spec.tag} needs the {need} of each tensor's inputs, and there is none",
                tensor=tensor,
                hint="Give it calibration data, or give the tensor another format.",
            )
        one = (cols,) if need == "importance" else (cols, cols)
        if np.shape(given) not in {one, (prod(lead), *one)}:
            found_shape, expected = np.shape(given), f"{one}, or one for each of {prod(lead)} matrices"
            raise UsageError(f"the {need} does not fit", tensor=tensor, found=found_shape, expected=expected)
        if given.dtype != np.float32 or not np.isfinite(given).all():
            raise UsageError(f"the {need} is not of finite float32", tensor=tensor, found=f"dtype {given.dtype}")


def checked_settings(
    found: Format, shape: tuple[int, ...], params: Params, options: Params
) -> tuple[dict[str, object], dict[str, object]]:
    """Complete parameters and options of a format that is to encode a tensor of this shape.

    Raises:
        UsageError: it has no encoder, or the shape or a setting does not fit.
    """
    spec = found.spec
    if found.encode is None:
        raise UsageError(f"the format {spec.tag} has no encoder")
    try:
        layout, steering = complete(spec.params, params), complete(spec.options, options)
    except ValueError as error:
        raise UsageError(f"{spec.tag}: {error}") from error
    reason = spec.misfit(shape, layout)
    if reason is not None:
        raise UsageError(f"{spec.tag} does not fit the shape {shape}: {reason}")
    return layout, steering
