"""Exports of models by their paths: `fourcc.export`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fourcc.execution import Execution
from fourcc.exporters import kind_of
from fourcc.exporters.export import check_targets, execute_export, plan_export
from fourcc.exporters.export_result import ExportResult
from fourcc.exporters.folder_options import folder_options
from fourcc.exporters.forced_pre import with_pre
from fourcc.policy import Policy
from fourcc.policy.amounts import memory_cap
from fourcc.progress import OnProgress
from fourcc.sources import open_source
from fourcc.sources.elsewhere import DOWNLOAD, streaming


def export(  # noqa: PLR0913 - keyword-only, one an option of the command
    source: str | Path,
    output: str | Path,
    *,
    to: str | None = None,
    format: str | None = None,  # noqa: A002 - the word of `--format`
    recipe: str | None = None,
    policy: Policy | str | Path | None = None,
    tokenizer: str | Path | None = None,
    pre: str | None = None,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    instead: str = "",
    group: int | None = None,
    shard_size: str | int | None = None,
    threads: int | None = None,
    memory: int | str | None = None,
    force: bool = False,
    stream: bool = False,
    resume: bool = False,
    progress: OnProgress | None = None,
) -> ExportResult:
    """Exports a model to a file of another project.

    Args:
        source: a checkpoint's file or folder, a model.bin, or a model on a hub, such as ``hf://org/name@revision``.
        output: the file to write; a folder, or a name without a suffix, is a folder for transformers.
        to: the kind of file, a key of `fourcc.exporters.KINDS`; None: the output's suffix tells.
        format: ``Q,R``: the format that tensors get first, or R where Q does not fit.
        recipe: in its place, the name of a policy that this package ships.
        policy: in place of both, a policy, its file, or its text (`Policy.chosen`). With none, tensors stay as stored.
        tokenizer: a tokenizer file to go with the model, in place of the one that the source brings.
        pre: how a vocabulary of byte pairs cuts texts, a value of ``tokenizer.ggml.pre``; None: as is found by probing.
        include: globs of the names of tensors to take; none: all.
        exclude: globs of names to leave out.
        instead: ``Q,R``: formats for the tensors that the file cannot hold; empty: the kind's own choice.
        group: weights that share a scale, where the kind lets that be chosen.
        shard_size: bytes of tensors that a file holds at most, such as ``"2GB"``: ``x.gguf`` then stands for
            ``x-00001-of-00003.gguf`` and so on. None: one file; 5GB for those of a folder.
        threads: None: ``FOURCC_THREADS``, or the cores that the process may use. The bytes do not depend on it.
        memory: the most bytes of resident memory that this process takes, such as ``"2GB"``; what cannot be exported in
            them is refused before anything is written. None: no cap.
        force: replace an existing output, and begin unfinished work beside it anew.
        stream: download file after file of a model on a hub, each in the place of the one before, beside the output.
        resume: go on where this very export was interrupted; with `force`, an existing output is replaced.
        progress: called after every tile.

    Raises:
        FourccError: see `fourcc.errors`; the output is then as it was.
    """
    rules = Policy.chosen(format=format, recipe=recipe, policy=policy)
    how = Execution(threads=threads, memory=memory_cap(memory), anew=force, resume=resume, progress=progress)
    told = None if format is recipe is policy is None else rules
    kind = kind_of(Path(output), to, folder_options(shard_size, Path(output), told))
    transfer = streaming(Path(source), Path(output)) if stream else DOWNLOAD
    with open_source(source, tokenizer, transfer) as opened:
        planned = plan_export(with_pre(opened, pre), kind, rules, include, exclude, instead=instead, group=group)
        targets = check_targets(planned, Path(output), (), force=force, resume=resume)
        return execute_export(planned, targets, how)
