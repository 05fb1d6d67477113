"""Measuring the costs of a model's options on a text, from files to a file."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.calibration.asked_options import asked_options
from fourcc.calibration.costs import Costs
from fourcc.calibration.session import TOKENS, OnNote, Session, Wanted
from fourcc.calibration.units import asked_groups
from fourcc.feedback.feedback import Feedback, as_feedback
from fourcc.files.write import check_target
from fourcc.models.opening import open_to_run
from fourcc.progress import OnProgress
from fourcc.sources import open_source
from fourcc.threads import thread_count

if TYPE_CHECKING:
    from fourcc.calibration.calibration import Calibration
    from fourcc.sources.source import Source


def measure(  # noqa: PLR0913 - keyword-only, one an option of the command
    model: str | Path,
    text: str | Path,
    output: str | Path | None = None,
    *,
    calibration: str | Path | Calibration | None = None,
    feedback: str | Feedback | None = None,
    options: str | Iterable[str] | None = None,
    group: str | Iterable[str] | None = None,
    tokens: int = TOKENS,
    context: int = 0,
    documents: bool = False,
    direct: bool = False,
    tokenizer: str | Path | None = None,
    threads: int | None = None,
    force: bool = False,
    progress: OnProgress | None = None,
    note: OnNote = lambda text: None,  # noqa: ARG005 - a call that does nothing
) -> Costs:
    """The costs of a model's options: bytes and KL divergence of each format for each matrix.

    Args:
        model: the original, in any kind of file that can be run.
        text: the measuring text, or as a `Path` the file that holds it; another one than the calibration's.
        output: the file of costs to write; an interrupted measurement is resumed from the file beside it.
        calibration: what encoders are given; None: nothing.
        feedback: ``"gptq"``, or the settings: encoders choose codes with error feedback, where the calibration has
            Hessians; None: they do not.
        options: ``TAG[:NAME=VALUE]...,TAG``; None: the quantized formats of ggml.
        group: ``q+k+v,gate+up``: matrices of a layer that get one format; None: each matrix has its own.
        tokens: tokens to measure, at most.
        context: tokens of the longest window; 0: the model's, at most 2048.
        documents: whether empty lines separate documents, each of which is read by itself.
        direct: measure every option in a run of its own, instead of predicting it from one of them.
        tokenizer: the tokenizer, in place of the model's own.
        threads: number of threads; the costs do not depend on it.
        force: replace an existing output, and begin anew.
        progress: called after each stage of a run.
        note: called with a line on each thing that is odd.

    Raises:
        UsageError: an argument is wrong, the model cannot be run, or the calibration is of another model.
        InputError: a file is damaged, or the network gives numbers that are not finite.
        PluginError: a format is missing, or does not keep its contract.
    """
    wanted = Wanted(
        options=asked_options(options),
        groups=asked_groups(group),
        tokens=tokens,
        context=context,
        documents=documents,
        direct=direct,
        feedback=as_feedback(feedback),
    )
    with ExitStack() as stack:
        source = stack.enter_context(open_source(model, tokenizer))
        target = None if output is None else check_target(Path(output), source.all_files, force=force)
        opened, notes = open_to_run(model, stack, tokenizer=tokenizer)
        for each in notes:
            note(each)
        known = _calibration(calibration, source, note)
        file = text if isinstance(text, Path) else Path("the measuring text")
        data = text.read_bytes() if isinstance(text, Path) else text.encode()
        session = Session(source, opened, wanted, known, data, file, thread_count(threads), note)
        return session.costs(target, progress, force=force)


def _calibration(given: str | Path | Calibration | None, source: Source, note: OnNote) -> Calibration | None:
    """The calibration, once it is known to be of this model."""
    if given is None:
        return None
    from fourcc.calibration.calibration import open_calibration

    calibration = open_calibration(Path(given)) if isinstance(given, (str, Path)) else given
    calibration.check(source)
    for each in calibration.notes(source):
        note(each)
    return calibration
