"""From a checkpoint to a quantized file: `fourcc.quantize`.

Rules are applied in one pass from the source to the output. With a text the result is converted into a temporary file
without a name, measured beside the original, and written from there; so is the best mix for a size or a budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourcc.calibration.conversion_trials import OnStage
from fourcc.calibration.pins import as_pins
from fourcc.conversion.plan import as_globs
from fourcc.policy import Policy
from fourcc.policy.amounts import memory_cap
from fourcc.quantizing.container import container_of
from fourcc.quantizing.request import Quantization, feedback_for, listed_options, rules_or_budget

if TYPE_CHECKING:
    from fourcc.calibration.budget import Budget
    from fourcc.calibration.calibration import Calibration
    from fourcc.calibration.pins import Pin
    from fourcc.calibration.session import OnNote
    from fourcc.feedback.feedback import Feedback

from fourcc.quantizing.result import Quantized
from fourcc.quantizing.work import QuantizationMeans, opened_work


def quantize(  # noqa: PLR0913 - keyword-only, one an option of the command
    source: str | Path,
    output: str | Path,
    *,
    format: str | None = None,  # noqa: A002 - the word of `--format`
    recipe: str | None = None,
    policy: Policy | str | Path | None = None,
    size: str | Budget | None = None,
    budget: str | Budget | None = None,
    text: str | Path | None = None,
    documents: bool = False,
    calibration: Calibration | None = None,
    options: str | Sequence[str] | None = None,
    pins: str | Iterable[str | Pin] = (),
    feedback: str | Feedback | None = None,
    no_feedback_for: Iterable[str] = (),
    to: str | None = None,
    instead: str = "",
    shard_size: str | int | None = None,
    tokenizer: str | Path | None = None,
    pre: str | None = None,
    threads: int | None = None,
    memory: int | str | None = None,
    force: bool = False,
    resume: bool = False,
    stage: OnStage = lambda what, unit: None,  # noqa: ARG005 - a call that does nothing
    note: OnNote = lambda line: None,  # noqa: ARG005 - a call that does nothing
) -> Quantized:
    """Quantizes a checkpoint into the container that the output names.

    Args:
        source: a checkpoint's file or folder, or a model.bin.
        output: ``x.gguf``, ``x.bin`` (a model.bin), or a folder: a name without a suffix, or with a slash at its end.
        format: ``Q,R``: tag Q, or else R, for every tensor of two dimensions and more.
        recipe: a policy that this package ships, such as ``"Q4_K_M"``.
        policy: a policy, its file, or its text.
        size: in place of these, bytes of the output, such as ``"500MB"``: the best mix of formats is found.
        budget: likewise, ``"4.5bpw"`` for the tensors, ``"30%"`` of the source, or bytes.
        text: a file of UTF-8 text, on most of which the model is calibrated, and on whose end the result is measured. A
            size or a budget needs it.
        documents: whether empty lines part the text's documents.
        calibration: a calibration of this model, in place of a text.
        options: the formats that a budget mixes, ``TAG[:NAME=VALUE]...,TAG``.
        pins: tensors whose format a budget does not choose.
        feedback: ``"gptq"``, or the settings of error feedback, which needs a text or a calibration with Hessians;
            ``"none"``: none. None: as a budget has it, with feedback, and without for rules.
        no_feedback_for: globs of roles whose tensors are encoded without error feedback.
        to: the kind of export, where the output does not tell.
        instead: ``Q,R``: formats for tensors that the container cannot hold.
        shard_size: bytes of tensors that a file holds at most; None: one file, and 5GB for those of a folder.
        tokenizer: a tokenizer file to go with the model.
        pre: the way in which a tokenizer.json's byte pairs are cut, as `fourcc.export` takes it.
        threads: number of threads. The bytes do not depend on it.
        memory: the most bytes of resident memory that this process takes, such as ``"2GB"``; goes with rules, without
            a text.
        force: replace an existing output, and begin unfinished work beside it anew.
        resume: go on with the writing that was interrupted; not with a text, a size or a budget.
        stage: called with each stage's name and unit, gives a function that takes the stage's progress.
        note: called with a line on each thing that is odd while formats are measured.

    Raises:
        UsageError: arguments contradict each other, or the container cannot hold what is asked for.
        FourccError: see `fourcc.errors`; the output is then as it was.
    """
    given = {"format": format, "recipe": recipe, "policy": policy, "size": size, "budget": budget}
    rules, found = rules_or_budget(given)
    settings, wanted = feedback_for(feedback, found), None if text is None else Path(text)
    mixed: dict[str, Any] = {"options": listed_options(options), "pins": as_pins(pins)}
    further: dict[str, Any] = {"documents": documents, "instead": instead, "memory": memory_cap(memory)}
    further["no_feedback_for"] = as_globs(no_feedback_for)
    asked = Quantization(rules, found, calibration, wanted, feedback=settings, **mixed, **further)
    asked.check()
    container = container_of(output, to, shard_size, rules)
    means = QuantizationMeans(None if tokenizer is None else Path(tokenizer), pre, threads, stage, note, resume)
    with ExitStack() as stack:
        return opened_work(Path(source), container, asked, stack, means).done(force=force)
