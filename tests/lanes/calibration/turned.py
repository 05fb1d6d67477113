"""Rows of what a rotation and a scaling of columns gain a 4-bit format, without and with error feedback."""

from collections.abc import Iterator
from functools import partial

from fourcc import registry
from tests.lanes.calibration.rows import Finding, Row
from tests.lanes.calibration.subject import Subject, uniform
from tests.lanes.calibration.turned_formats import FORMATS


def turned_rows(subject: Subject) -> Iterator[Row]:
    """The KL divergence of each format, by that of the plain one without error feedback."""
    table = f"{subject.name}: Q4_0 of turned weights, embedding Q8_0"
    for feedback in (None, "gptq"):
        for kind in FORMATS:
            name = f"{subject.name}-turned-{kind}{'-feedback' if feedback else ''}"
            what = f"{kind}{', error feedback' if feedback else ''}, KLD by plain"
            yield Row(name, table, what, None, partial(_found, subject, kind, feedback))


def _found(subject: Subject, kind: str, feedback: str | None) -> Finding:
    plain, _ = _measured(subject, "plain", None)
    kld, nbytes = _measured(subject, kind, feedback)
    return Finding(kld / plain, {"KLD": kld, "plain": plain, "bytes": nbytes})


def _measured(subject: Subject, kind: str, feedback: str | None) -> tuple[float, int]:
    """The KL divergence and the bytes of the model's file, all of its matrices in the format."""
    fmt = FORMATS[kind]
    with registry.trying(fmt):
        name = f"turned-{kind}{'-feedback' if feedback else ''}"
        path = subject.converted(name, policy=uniform(str(fmt.tag)), feedback=feedback)
        return subject.divergence(path), path.stat().st_size
