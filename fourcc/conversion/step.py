"""A tensor of a conversion, as a plan decides it."""

from __future__ import annotations

import attrs

from fourcc.feedback.feedback import Feedback
from fourcc.format import Aids
from fourcc.policy import Decision
from fourcc.sources.source import SourceTensor


@attrs.frozen(eq=False)
class Step:
    """One tensor of a conversion: its source, the decision about it, and what calibration knows of its inputs.

    Attributes:
        source: the tensor.
        decision: its format, parameters and options.
        aids: calibration data.
        feedback: the settings of error feedback; None: none for this tensor.
    """

    source: SourceTensor
    decision: Decision
    aids: Aids
    feedback: Feedback | None = None

    @property
    def copied(self) -> bool:
        """Whether its bytes are copied from another container as they are, so that its format need not be installed."""
        return self.decision.keep and self.source.copy is not None
