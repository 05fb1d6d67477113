"""Encoding an array in memory, and the checks of settings and calibration data that precede every encoding."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.errors import UsageError
from fourcc.exchange import as_array
from fourcc.feedback.factors import Factors
from fourcc.feedback.feedback import Feedback, as_feedback
from fourcc.format import Aids, Format
from fourcc.geometry import Geometry, split_shape
from fourcc.matrix_encoder import MatrixEncoder
from fourcc.parts import PartArrays
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.settings import Params, complete
from fourcc.tags import FourCC, as_tag
from fourcc.tiles import tile_bounds

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def encode(  # noqa: PLR0913 - all but the first four by keyword, each with a default
    weights: ArrayLike,
    tag: str | FourCC,
    params: Params | None = None,
    options: Params | None = None,
    *,
    aids: Aids | None = None,
    feedback: str | Feedback | None = None,
    name: str | None = None,
    whole: int = 0,
    factors: Factors | None = None,
) -> QMatrix:
    """Encodes an array in memory; `fourcc.convert` does the same for files.

    Args:
        weights: real numbers, of any shape: an array, or a tensor of torch, which is not copied.
        tag: the format.
        params: the layout's parameters; missing ones get their defaults.
        options: the encoder's options; likewise.
        aids: calibration data.
        feedback: ``"gptq"``, or the settings: chooses the codes with error feedback, where the aids have a `hessian`
            and the format has codes, or blocks, that can take it.
        name: the tensor's, for messages.
        whole: number of weights of the whole work that these are a part of; large work is done by compiled code. 0:
            these are all.
        factors: of Hessians, shared with other encodings of matrices that have the same inputs.

    Raises:
        UsageError: the format has no encoder, or the shape or a setting does not fit it.
        NumericError: NaN or infinity in the weights, or weights too large for the format.
        PluginError: the format is missing, broken, or does not keep its contract.
    """
    weights, aids, fmt = as_array(weights), aids or Aids(), registry[as_tag(tag)]
    if weights.dtype.kind not in "fiub":
        raise UsageError("weights are real numbers", tensor=name, found=f"dtype {weights.dtype}")
    check_needs(fmt, aids, weights.shape, name)
    settings, factors = as_feedback(feedback), factors or Factors()
    if settings is not None and aids.hessian is not None:
        check_shape("hessian", aids.hessian, weights.shape, name)
    params, options = checked_settings(fmt, weights.shape, params or {}, options or {})
    lead, rows, cols = split_shape(weights.shape)
    geom = Geometry(rows, cols, params)
    stored = PartArrays(fmt, weights.shape, params, name)
    for index, matrix in enumerate(weights.reshape(prod(lead), rows, cols) if weights.size else ()):
        known, first_index = aids.of_matrix(index), index * rows * cols
        encoder = MatrixEncoder(
            fmt,
            geom,
            options,
            known,
            name=name,
            first_index=first_index,
            whole=whole or weights.size,
            reader=partial(_rows, matrix),
            feedback=None if aids.unseen(index) else settings,
            factors=factors,
        )
        for first, parts in _encoded_tiles(encoder, matrix):
            stored.write(parts, first_row=first)
    return QMatrix(fmt.tag, weights.shape, stored.finish(), params, name)


def _encoded_tiles(encoder: MatrixEncoder, matrix: Array) -> Iterator[tuple[int, Parts]]:
    """First row and parts of every tile of a matrix (rows, cols) in memory."""
    shared = encoder.prepare(partial(_rows, matrix))
    for first, last in tile_bounds(*matrix.shape, encoder.format):
        yield first, encoder.tile(matrix[first:last], shared, first)[0]


def _rows(matrix: Array, first: int, last: int) -> Array:
    return matrix[first:last]


def check_needs(fmt: Format, aids: Aids, shape: tuple[int, ...], tensor: str | None) -> None:
    """Raises UsageError where calibration data that a format needs are missing, or those that it sees do not fit."""
    for need in sorted(fmt.sees):
        given = getattr(aids, need)
        if given is None:
            if need not in fmt.needs:
                continue
            raise UsageError(
                f"the format {fmt.tag} needs the {need} of each tensor's inputs, and there is none",
                tensor=tensor,
                hint="Give it calibration data, or give the tensor another format.",
            )
        check_shape(need, given, shape, tensor)
        if given.dtype != np.float32 or not np.isfinite(given).all():
            raise UsageError(f"the {need} is not of finite float32", tensor=tensor, found=f"dtype {given.dtype}")
        if need == "importance" and given.size and given.min() < 0:
            raise UsageError("an importance is below 0", tensor=tensor, found=float(given.min()), expected="0 or more")


def check_shape(need: str, given: Array, shape: tuple[int, ...], tensor: str | None) -> None:
    """Raises UsageError where calibration data, ``importance`` or ``hessian``, do not fit a tensor's shape."""
    lead, _, cols = split_shape(shape)
    one = (cols,) if need == "importance" else (cols, cols)
    if np.shape(given) not in {one, (prod(lead), *one)}:
        expected = f"{one}, or one for each of {prod(lead)} matrices"
        raise UsageError(f"the {need} does not fit", tensor=tensor, found=np.shape(given), expected=expected)


def checked_settings(
    fmt: Format, shape: tuple[int, ...], params: Params, options: Params
) -> tuple[dict[str, object], dict[str, object]]:
    """Complete parameters and options with which a format encodes a tensor of this shape.

    Raises:
        UsageError: it has no encoder, or the shape or a setting does not fit.
    """
    spec = fmt
    if fmt.encode is None:
        raise UsageError(f"the format {spec.tag} has no encoder")
    try:
        layout, steering = complete(spec.params, params), complete(spec.options, options)
    except ValueError as error:
        raise UsageError(f"{spec.tag}: {error}") from error
    reason = spec.misfit(shape, layout)
    if reason is not None:
        raise UsageError(f"{spec.tag} does not fit the shape {shape}: {reason}")
    return layout, steering
