"""Measuring the costs of a model's options on a text, from files to a file."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.calibration.asked_options import asked_options, spare_options
from fourcc.calibration.costs import Costs
from fourcc.calibration.session import TOKENS, OnNote, Session, Wanted
from fourcc.calibration.units import asked_groups
from fourcc.errors import InputError, PluginError
from fourcc.execution import Execution
from fourcc.feedback.feedback import Feedback, as_feedback
from fourcc.files.part_file import check_output
from fourcc.models.opening import open_to_run
from fourcc.progress import OnProgress
from fourcc.sources import open_source
from fourcc.threads import thread_count

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from fourcc.calibration.calibration import Calibration
    from fourcc.models.model import Model
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
    seconds: bool = False,
    tokenizer: str | Path | None = None,
    threads: int | None = None,
    force: bool = False,
    resume: bool = False,
    memory: int | None = None,
    executor: Executor | None = None,
    progress: OnProgress | None = None,
    note: OnNote = lambda text: None,  # noqa: ARG005 - a call that does nothing
) -> Costs:
    """The costs of a model's options: bytes and KL divergence of each format for each matrix.

    Args:
        model: the original, in any kind of file that can be run.
        text: the file that holds the measuring text, UTF-8; another one than the calibration's.
        output: the file of costs to write; None: none.
        calibration: what encoders are given; None: nothing.
        feedback: ``"gptq"``, or the settings: encoders choose codes with error feedback, where the calibration has
            Hessians; None: they do not.
        options: ``TAG[:NAME=VALUE]...,TAG``; None: the quantized formats of ggml,
            and all others, too, where a matrix fits none of these.
        group: ``q+k+v,gate+up``: matrices of a layer that get one format; None: each matrix has its own.
        tokens: tokens to measure, at most.
        context: tokens of a window; 0: 512, or the model's context if that is shorter.
        documents: whether empty lines separate documents, each of which is read by itself.
        direct: measure every option in a run of its own, instead of predicting it from one of them.
        seconds: also take the time of a product with each option, on this machine: then no two runs give equal bytes.
        tokenizer: the tokenizer, in place of the model's own.
        threads: number of threads; the costs do not depend on it.
        force: replace an existing output, and begin unfinished work beside it again.
        resume: go on where this very measurement was interrupted.
        memory: bytes of resident memory to take at most; None: as many as are needed.
        executor: measures options, such as a `concurrent.futures.ProcessPoolExecutor`, or that of a dask client
            (``Client.get_executor(pure=False)``), `threads` on each, by default one; None: threads of this process. The
            costs do not depend on it.
        progress: called after each stage of a run.
        note: called with a line on each thing that is odd.

    Raises:
        UsageError: an argument is wrong, the model cannot be run, or the calibration is of another model.
        InputError: a file is damaged, or the network gives numbers that are not finite.
        PluginError: a format is missing, or does not keep its contract.
    """
    wanted = Wanted(
        options=asked_options(options),
        spare=spare_options() if options is None else (),
        groups=asked_groups(group),
        tokens=tokens,
        context=context,
        documents=documents,
        direct=direct,
        seconds=seconds,
        feedback=as_feedback(feedback),
    )
    how = Execution(threads=threads, resume=resume, memory=memory, anew=force, executor=executor, progress=progress)
    with ExitStack() as stack:
        source = stack.enter_context(open_source(model, tokenizer))
        target = _target(output, [*source.all_files, *_read(text, calibration)], how)
        opened, known = _opened(model, stack, tokenizer, note), _calibration(calibration, source)
        return _costs(Session(source, opened, wanted, known, Path(text), thread_count(threads), note), target, how)


def _opened(model: str | Path, stack: ExitStack, tokenizer: str | Path | None, note: OnNote) -> Model:
    """The model, ready to run; its oddities are noted."""
    opened, notes = open_to_run(model, stack, tokenizer=tokenizer)
    for each in notes:
        note(each)
    return opened


def _target(output: str | Path | None, read: list[Path], how: Execution) -> Path | None:
    """The path to write to, checked as far as that is possible beforehand."""
    return None if output is None else check_output(Path(output), read, force=how.anew, resume=how.resume)


def _read(*files: str | Path | Calibration | None) -> list[Path]:
    """The files that are read, of those that are given as files."""
    return [Path(file) for file in files if isinstance(file, (str, Path))]


def _costs(session: Session, target: Path | None, how: Execution) -> Costs:
    """The costs of a session; errors name the model's file."""
    try:
        return session.costs(target, how)
    except (InputError, PluginError) as error:  # raised where the file's name is not known
        error.file = error.file or str(session.source.path)
        raise


def _calibration(given: str | Path | Calibration | None, source: Source) -> Calibration | None:
    """The calibration, once it is known to be of this model."""
    if given is None:
        return None
    from fourcc.calibration.reading import open_calibration

    calibration = open_calibration(Path(given)) if isinstance(given, (str, Path)) else given
    calibration.check(source)
    return calibration
