"""A report by paths: `fourcc.report`."""

from __future__ import annotations

from pathlib import Path

from fourcc.files.write import AtomicFile, check_target
from fourcc.progress import OnProgress
from fourcc.reporting.document import ModelReport
from fourcc.reporting.gather import ReportRequest, gather
from fourcc.reporting.page import check_jinja, page
from fourcc.reporting.weights import SAMPLE


def report(  # noqa: PLR0913 - keyword-only, one an option of the command
    src: str | Path,
    out: str | Path,
    *,
    against: str | Path | None = None,
    costs: str | Path | None = None,
    calibration: str | Path | None = None,
    sample: int | None = SAMPLE,
    force: bool = False,
    progress: OnProgress | None = None,
) -> ModelReport:
    """Writes a model's report: one HTML page with its map, formats, weights, errors and policy.

    Args:
        src: a checkpoint, or a model.bin.
        out: the page's file.
        against: a model to compare with; its weights count as the original.
        costs: a file of costs, for divergences and the frontier.
        calibration: a calibration, for what is known of inputs.
        sample: weights of a tensor that are looked at, in whole rows spread over it; 0: all; None: none is read.
        force: replace an existing file.
        progress: called after every tensor.

    Returns:
        What the page shows.

    Raises:
        FourccError: a file cannot be read, is of another model, or the page cannot be written.
    """
    check_jinja()
    wanted = ReportRequest(Path(src), _path(against), _path(costs), _path(calibration), sample)
    target = check_target(Path(out), wanted.files, force=force)
    made = gather(wanted, progress)
    with AtomicFile(target) as file:
        file.write_at(0, page(made).encode("utf-8", "backslashreplace"))
    return made


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)
