"""A matrix in one of its options, as the conversion would encode it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.arrays import Floats
from fourcc.conversion.plan import describe
from fourcc.encoding import encode
from fourcc.errors import PluginError
from fourcc.feedback.factors import Factors
from fourcc.feedback.feedback import Feedback
from fourcc.format import Aids
from fourcc.policy.asked_formats import TargetFormat
from fourcc.qmatrix import QMatrix
from fourcc.tiles import decode_rows

if TYPE_CHECKING:
    from fourcc.sources.source import SourceTensor

AT_ONCE = 1 << 26  # weights that are encoded at once; a single matrix may have more


@attrs.frozen(eq=False)
class EncodingSetting:
    """How matrices of one measurement are encoded.

    Attributes:
        feedback: the settings of error feedback; None: none.
        whole: weights of all matrices together; large work is done by compiled code.
        threads: number of options that are encoded at once.
        factors: of Hessians, shared by options and by matrices with the same inputs.
    """

    feedback: Feedback | None
    whole: int
    threads: int
    factors: Factors = attrs.field(factory=Factors)

    def decoded(self, matrix: QMatrix) -> Floats:
        """The weights of an encoded matrix, float32 (rows, cols). Raises PluginError where its format breaks."""
        geom = matrix.format.geometry(matrix.shape, matrix.params)
        return decode_rows(matrix.format, matrix.parts, geom, matrix.name, whole=self.whole).astype(
            np.float32, copy=False
        )


def encoded_option(
    tensor: SourceTensor, weights: Floats, option: TargetFormat, aids: Aids, setting: EncodingSetting
) -> QMatrix:
    """The matrix in an option.

    Args:
        tensor: as it is stored; an option that it has already is not encoded, since a conversion carries it over.
        weights: the tensor's, finite.
        option: that fits its shape.
        aids: what calibration knows of its inputs.
        setting: what all matrices share.

    Raises:
        NumericError: the format cannot hold the weights.
        UsageError: it needs calibration data that are not given.
        PluginError: it does not keep its contract; the hint says how to go on without it.
    """
    tag = option.format.tag
    if option.holds(describe(tensor, tied=False)):
        return tensor.qmatrix()
    try:
        return encode(
            weights,
            tag,
            option.params,
            option.options,
            aids=aids,
            feedback=setting.feedback,
            name=tensor.name,
            whole=setting.whole,
            factors=setting.factors,
        )
    except PluginError as error:
        error.hint = f"Leave {tag} out of the options to measure the others. {error.hint or ''}".rstrip()
        raise
