"""A matrix in each of its options, as the conversion would encode it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from fourcc.arrays import Floats
from fourcc.conversion.plan import describe
from fourcc.encoding import encode
from fourcc.errors import NumericError, PluginError
from fourcc.feedback.feedback import Feedback
from fourcc.format import Aids
from fourcc.policy.asked_formats import TargetFormat
from fourcc.qmatrix import QMatrix
from fourcc.threads import Task, in_order

if TYPE_CHECKING:
    from fourcc.sources.source import SourceTensor

AT_ONCE = 1 << 26  # weights that are encoded at once; a single matrix may have more


def encoded_options(
    tensor: SourceTensor,
    weights: Floats,
    options: Sequence[TargetFormat],
    aids: Aids,
    feedback: Feedback | None,
    threads: int,
) -> Iterator[QMatrix | NumericError]:
    """The matrix in each option, in order; an error in place of those whose format cannot hold the weights.

    Args:
        tensor: as it is stored; an option that it has already is not encoded, since a conversion carries it over.
        weights: the tensor's, finite.
        options: that fit its shape.
        aids: what calibration knows of its inputs.
        feedback: the settings of error feedback; None: none.
        threads: number of options that are encoded at once.

    Raises:
        UsageError: a format needs calibration data that are not given.
        PluginError: a format does not keep its contract; the hint says how to go on without it.
    """
    one = partial(_encoded, tensor, weights, aids, feedback)
    yield from in_order((Task(partial(one, option), weights.size) for option in options), threads, AT_ONCE)


def _encoded(
    tensor: SourceTensor, weights: Floats, aids: Aids, feedback: Feedback | None, option: TargetFormat
) -> QMatrix | NumericError:
    tag = option.format.tag
    if option.holds(describe(tensor, tied=False)):
        return tensor.qmatrix()
    try:
        params, options, name = option.params, option.options, tensor.name
        return encode(weights, tag, params, options, aids=aids, feedback=feedback, name=name)
    except NumericError as error:
        return error
    except PluginError as error:
        error.hint = f"Leave {tag} out of the options to measure the others. {error.hint or ''}".rstrip()
        raise
