"""Converting a checkpoint to a model.bin, for `fourcc.convert`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Literal

from fourcc.container.shard_files import check_model_output
from fourcc.conversion.carrying_out import execute
from fourcc.conversion.plan import CalibrationData, plan
from fourcc.conversion.result import Result
from fourcc.execution import Execution
from fourcc.feedback.feedback import Feedback
from fourcc.files.write import check_name, in_folder
from fourcc.format import Aids
from fourcc.policy import Policy
from fourcc.policy.amounts import memory_cap
from fourcc.progress import OnProgress
from fourcc.sources import open_source
from fourcc.sources.elsewhere import DOWNLOAD, streaming


def convert(  # noqa: PLR0913 - keyword-only, one an option of the command
    source: str | Path,
    output: str | Path,
    *,
    format: str | None = None,  # noqa: A002 - the word of `--format`
    recipe: str | None = None,
    policy: Policy | str | Path | None = None,
    tokenizer: str | Path | None = None,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    aids: Mapping[str, Aids] | None = None,
    feedback: str | Feedback | None = None,
    no_feedback_for: Iterable[str] = (),
    calibration: CalibrationData | None = None,
    activations: Literal["static"] | None = None,
    shard_size: str | int | None = None,
    threads: int | None = None,
    memory: int | str | None = None,
    force: bool = False,
    stream: bool = False,
    resume: bool = False,
    executor: Executor | None = None,
    progress: OnProgress | None = None,
) -> Result:
    """Converts a checkpoint to a model.bin.

    Args:
        source: a checkpoint's file or folder, a model.bin, or a model on a hub, such as ``hf://org/name@revision``.
        output: the model.bin to write; in a folder, ``model.bin``.
        format: ``Q,R``: tag Q, or else R, for every tensor of two dimensions and more, such as ``"Q4_0,F16"``.
        recipe: a policy that this package ships, such as ``"Q4_K_M"``.
        policy: a policy, the path of its file, or its text: a text with a newline or ``=`` in it is TOML. Without a
            format, a recipe or a policy, every tensor is kept as it is stored.
        tokenizer: a tokenizer file to store with the model.
        include: globs of names of tensors to take; none: all.
        exclude: globs of names to leave out.
        aids: calibration data by tensor name.
        feedback: ``"gptq"``, or the settings: chooses codes with error feedback in tensors that have a `hessian`, but
            not in embeddings.
        no_feedback_for: globs of roles, such as ``"ffn.down"``, whose tensors are encoded without error feedback.
        calibration: a calibration file of this model, opened by `fourcc.open_calibration`, or llama.cpp's importance
            matrix; encoders that can use it weigh errors by it.
        activations: ``static``: store ranges of activations, from the calibration; None: those that the source has.
        shard_size: bytes of tensors that a file holds at most, such as ``"5GB"``: ``model.bin`` then stands for
            ``model-00001-of-00003.bin`` and so on, and ``model.index.json``. None: one file, however large.
        threads: None: ``FOURCC_THREADS``, or the cores that the process may use. The bytes do not depend on it.
        memory: the most bytes of resident memory that this process takes, such as ``"2GB"``; what cannot be converted
            in them is refused before anything is written. None: no cap. The bytes do not depend on it.
        force: replace an existing output, and begin unfinished work beside it anew.
        stream: download file after file of a model on a hub, each in the place of the one before, beside the output.
        resume: go on where this very conversion was interrupted; with `force`, an existing output is replaced.
        executor: runs the work, such as a `concurrent.futures.ProcessPoolExecutor`, or the one of a dask client
            (``Client.get_executor(pure=False)``); None: threads of this process. The bytes do not depend on it.
        progress: called after every tile, or every piece that a worker has done.

    Returns:
        The output's path, id and index, and notes.

    Raises:
        UsageError: more than one of `format`, `recipe` and `policy` is given, or another argument is wrong.
        PolicyError: the policy cannot be carried out, or what it expects of the file would not hold.
        FourccError: see `fourcc.errors`; the output is then as it was.
    """
    rules = Policy.chosen(format=format, recipe=recipe, policy=policy)
    how = Execution(
        threads=threads, memory=memory_cap(memory), anew=force, resume=resume, executor=executor, progress=progress
    )
    output = in_folder(Path(output))
    check_name(output)
    known: dict[str, Any] = {"aids": aids, "calibration": calibration, "activations": activations}
    correction: dict[str, Any] = {"feedback": feedback, "no_feedback_for": no_feedback_for}
    transfer = streaming(Path(source), output) if stream else DOWNLOAD
    with open_source(source, tokenizer, transfer) as opened:
        target = check_model_output(output, opened.all_files, shard_size=shard_size, force=force, resume=resume)
        planned = plan(opened, rules, include=include, exclude=exclude, **known, **correction)
        planned.refuse_unmet()
        return execute(planned, target, how)
