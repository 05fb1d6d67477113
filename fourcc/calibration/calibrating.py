"""Calibrating a model on a text, for `fourcc calibrate` and `fourcc.calibrate`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.calibration.calibration import Calibration, CalibrationText
from fourcc.calibration.collecting import Collected, collect
from fourcc.calibration.collecting_plan import CollectingPlan, Work
from fourcc.calibration.layout import About
from fourcc.calibration.memory_need import hessian_room
from fourcc.calibration.model_digest import model_digest
from fourcc.calibration.reading import OWN, open_calibration
from fourcc.calibration.run_facts import network_facts
from fourcc.conversion.plan import as_globs
from fourcc.errors import InputError, UsageError
from fourcc.execution import Execution
from fourcc.files.part_file import check_output
from fourcc.models.evaluation import common_context
from fourcc.models.opening import open_to_run
from fourcc.models.text_files import as_text
from fourcc.models.weights_in_turn import NetworkInTurn
from fourcc.models.windows import Cut, Protocol, cut
from fourcc.sources import open_source

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from fourcc.models.model import Model
    from fourcc.progress import OnProgress

CONTEXT = 512  # tokens of a window, where the model has room for them and nothing else is asked for


@attrs.frozen
class Request:
    """A calibration that is asked for; the fields are the arguments of `calibrate`."""

    model: Path
    text: Path
    hessian: bool = False
    documents: bool = False
    tokens: int = 0
    context: int = 0
    merge: Path | None = None
    tokenizer: Path | None = None
    no_feedback_for: tuple[str, ...] = ()

    def target(self, output: Path, *, force: bool, resume: bool = False) -> Path:
        """The checked path of the calibration, which is none of the files that are read. Raises as `calibrate` does."""
        with open_source(self.model, self.tokenizer) as source:
            read = [*source.all_files, self.text, *([] if self.merge is None else [self.merge])]
        return check_output(output, read, force=force, resume=resume)


@attrs.frozen
class Calibrated:
    """The result of a calibration.

    Attributes:
        calibration: what was written, opened.
        text: the text as it was cut.
        before: how much was done before.
    """

    calibration: Calibration
    text: Cut
    before: Collected


def calibrate(  # noqa: PLR0913 - keyword-only, one an option of the command
    model: str | Path,
    text: str | Path,
    output: str | Path,
    *,
    hessian: bool = False,
    documents: bool = False,
    tokens: int = 0,
    context: int = 0,
    merge: str | Path | None = None,
    resume: bool = False,
    tokenizer: str | Path | None = None,
    no_feedback_for: Iterable[str] = (),
    threads: int | None = None,
    force: bool = False,
    memory: int | None = None,
    executor: Executor | None = None,
    progress: OnProgress | None = None,
) -> Calibration:
    """Collects statistics of what a model's matrices are multiplied with while it reads a text.

    Args:
        model: a checkpoint's file or folder, or a model.bin; its weights are used as they are stored.
        text: the file that holds the text, UTF-8.
        output: the calibration file to write.
        hessian: also collect E[x x^T] of the inputs of each matrix, columns x columns numbers.
        documents: whether empty lines separate documents, each of which is read by itself.
        tokens: tokens of the text to read at most; 0: all.
        context: tokens of a window; 0: 512, or the model's context if that is shorter.
        merge: another calibration of the same model, which is added.
        resume: go on where this very calibration was interrupted.
        tokenizer: a tokenizer file in place of the model's own.
        no_feedback_for: globs of roles, such as ``"ffn.down"``, whose matrices get no Hessian.
        threads: None: ``FOURCC_THREADS``, or the cores that the process may use. The bytes do not depend on it.
        force: replace an existing output, and begin unfinished work beside it again.
        memory: bytes of resident memory to take at most; None: as many as are needed.
        executor: runs layers on batches of windows, such as a `concurrent.futures.ProcessPoolExecutor`, or that of a
            dask client (``Client.get_executor(pure=False)``), `threads` on each, by default one; None: threads of this
            process. The bytes do not depend on it.
        progress: called after every window of a layer, with tokens times layers.

    Returns:
        The calibration that was written.

    Raises:
        UsageError: the model cannot be run, the text has no full window, the calibration to merge is of another model,
            or another argument is wrong.
        InputError: a file is damaged, or an activation is not finite.
    """
    added, spelling = (None if path is None else Path(path) for path in (merge, tokenizer))
    asked = Request(
        Path(model), Path(text), hessian, documents, tokens, context, added, spelling, as_globs(no_feedback_for)
    )
    target = asked.target(Path(output), force=force, resume=resume)
    with ExitStack() as stack:
        opened, _ = open_to_run(model, stack, tokenizer=tokenizer)
        how = Execution(threads=threads, resume=resume, memory=memory, anew=force, executor=executor, progress=progress)
        return carry_out(asked, opened, target, how).calibration


def carry_out(asked: Request, opened: Model, target: Path, how: Execution) -> Calibrated:
    """Calibrates an opened model; `target` comes from `Request.target`. Raises as `calibrate` does."""
    data, merged = asked.text.read_bytes(), None if asked.merge is None else open_calibration(asked.merge)
    cutting = cut_text(opened, as_text(data, asked.text), asked)
    said = CalibrationText(asked.text.name, hashlib.sha256(data).hexdigest())
    work = planned_work(asked, said, cutting, merged)
    context = cutting.protocol.context
    network = NetworkInTurn(opened, context, how.threads)
    spread = None
    if how.executor is not None:
        from fourcc.models.stored_network import WorkElsewhere

        spread = WorkElsewhere.of([opened.path], context, how.threads, target, in_turn=True)
    room = None if how.memory is None else partial(_room, opened, context, how.memory)
    try:
        done = collect(network, work, target, how, spread, room)
    except InputError as error:  # raised where the file's name is not known
        error.file = error.file or str(asked.model)
        raise
    return Calibrated(open_calibration(target), cutting, done)


def _room(model: Model, context: int, cap: int, plan: CollectingPlan) -> int:
    """The bytes that Hessians may take under a cap on memory. Raises UsageError where something does not fit."""
    return hessian_room(model, context, plan.layers, plan.hessians, cap)


def window_context(model: Model, wanted: int) -> int:
    """Tokens of a window; `wanted` 0: `CONTEXT`, or the model's context if that is shorter.

    Raises:
        UsageError: a window cannot be so long, or the model cannot be run.
    """
    return common_context([model], wanted or min(CONTEXT, common_context([model])))


def cut_text(model: Model, text: str, asked: Request) -> Cut:
    """The text, cut into windows for a model.

    Raises:
        UsageError: a window cannot be so long, or there is no full one and the text is not cut into documents.
    """
    context = window_context(model, asked.context)
    protocol = Protocol(context, 0, asked.documents, asked.tokens)
    cutting = cut(text, model.tokenizer, protocol)
    found = max(len(window.tokens) for window in cutting.windows)
    if found < context and not asked.documents and not asked.tokens:
        raise UsageError(
            "the text is shorter than a window",
            found=f"{found} tokens",
            expected=f"at least {context}",
            hint="Give a longer text, a smaller --context, or --documents.",
        )
    return cutting


def planned_work(asked: Request, text: CalibrationText, cutting: Cut, merged: Calibration | None) -> Work:
    """The work of calibrating a model on a text.

    Raises:
        UsageError: the calibration to merge is of another model, or a foreign file.
    """
    with open_source(asked.model) as source:
        digest, network = model_digest(source), network_facts(source)
    tokens = sum(len(window.tokens) for window in cutting.windows)
    texts: Sequence[CalibrationText] = [text]
    if merged is not None:
        if merged.kind != OWN or merged.model != digest or merged.tokens is None:
            what, hint = "only a calibration of the same model can be merged", "It has to be one of `fourcc calibrate`."
            found = merged.model or merged.kind
            raise UsageError(what, file=merged.path, found=found, expected=digest, hint=hint)
        texts, tokens = [text, *merged.texts], tokens + merged.tokens
    about = About(digest, tuple(texts), tokens, cutting.protocol.context)
    return Work(about, cutting.windows, asked.hessian, merged, asked.no_feedback_for, network)
