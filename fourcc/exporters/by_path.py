"""Exports of models by their paths: `fourcc.export`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fourcc.errors import UsageError
from fourcc.execution import Execution
from fourcc.exporters import kind_of
from fourcc.exporters.export import ExportResult, check_targets, execute_export, plan_export
from fourcc.exporters.folder_options import folder_options
from fourcc.exporters.forced_pre import with_pre
from fourcc.policy import Policy
from fourcc.policy.amounts import memory_cap
from fourcc.progress import OnProgress
from fourcc.sources import open_source


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
    max_shard_size: str | None = None,
    threads: int | None = None,
    memory: int | str | None = None,
    force: bool = False,
    progress: OnProgress | None = None,
) -> ExportResult:
    """Exports a model to a file of another project.

    Args:
        source: a checkpoint's file or folder, or a model.bin.
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
        max_shard_size: of a folder's files, such as ``"2GB"``; None: 5GB.
        threads: None: ``FOURCC_THREADS``, or the cores that the process may use. The bytes do not depend on it.
        memory: the most bytes of resident memory that this process takes, such as ``"2GB"``; what cannot be exported in
            them is refused before anything is written. None: no cap.
        force: replace an existing output.
        progress: called after every tile.

    Raises:
        FourccError: see `fourcc.errors`; the output is then as it was.
    """
    rules = Policy.chosen(format=format, recipe=recipe, policy=policy)
    told = None if format is recipe is policy is None else rules
    kind = kind_of(Path(output), to, folder_options(max_shard_size, Path(output), told))
    if max_shard_size is not None and not kind.folder:
        raise UsageError("max_shard_size goes with a folder", hint="A name without a suffix is a folder.")
    with open_source(source, tokenizer) as opened:
        planned = plan_export(with_pre(opened, pre), kind, rules, include, exclude, instead=instead, group=group)
        targets = check_targets(planned, Path(output), (), force=force)
        how = Execution(threads=threads, memory=memory_cap(memory), anew=force, progress=progress)
        return execute_export(planned, targets, how)
