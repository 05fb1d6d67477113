"""The conformance kit: the promises that every format must keep, fourcc's own and third parties' alike.

In a plugin's tests::

    import pytest
    from fourcc.testing import trials
    from fourcc_tern.tern import TERN

    @pytest.mark.parametrize("trial", trials(TERN), ids=str)
    def test_conformance(trial):
        trial()

From the shell: ``fourcc plugin test TAG``. Strategies for hypothesis are in `fourcc.testing.strategies`.
"""

from fourcc.testing.examination import Report, examine, measured
from fourcc.testing.finding import Finding, Outcome
from fourcc.testing.measures import Measure, measure
from fourcc.testing.plan import CHECKS, Check
from fourcc.testing.subject import Subject
from fourcc.testing.trials import Trial, trials
from fourcc.testing.vectors import pinned

__all__ = [
    "CHECKS",
    "Check",
    "Finding",
    "Measure",
    "Outcome",
    "Report",
    "Subject",
    "Trial",
    "examine",
    "measure",
    "measured",
    "pinned",
    "trials",
]
