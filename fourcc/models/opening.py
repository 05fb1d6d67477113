"""Two ways to open a model: to look at what its file holds, and to run it.

`open_to_look`, which is `fourcc.open`, takes the file as it is. `open_to_run` gives a `Model` of any checkpoint: it
converts other files than a model.bin into a temporary one.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from fourcc.container.folder_models import is_container
from fourcc.models.model import Model

# Looking at a model.bin must load neither numpy nor a reader of checkpoints: imports of both stand where they are used.
if TYPE_CHECKING:
    from fourcc.policy import Policy
    from fourcc.sources.source import Source

OWN_SUFFIX = ".bin"  # of a model.bin, which is mapped as a whole where it is used


@overload
def open_to_look(
    path: str | Path, *, tokenizer: str | Path | None = None, verify: bool = True, run: Literal[True]
) -> Model: ...
@overload
def open_to_look(
    path: str | Path, *, tokenizer: str | Path | None = None, verify: bool = True, run: bool = False
) -> Model | Source: ...
def open_to_look(
    path: str | Path, *, tokenizer: str | Path | None = None, verify: bool = True, run: bool = False
) -> Model | Source:
    """Opens whatever `fourcc inspect` knows: a model.bin gives a `Model`, any other checkpoint a `Source`.

    Both map tensor names to `QMatrix`, are context managers, and have `path`, `kind`, `architecture` and `hyper`.

    Args:
        path: a file, or a folder that holds one model; or a model on a hub, such as ``hf://org/name@revision``, of
            which only what is read is fetched, unless it is run.
        tokenizer: a tokenizer file to go with it, in place of the one that the file brings.
        verify: whether tensors of a model.bin are compared with their sums when they are first used.
        run: whether any checkpoint gives a `Model`, which can generate: others than a model.bin are converted into a
            temporary file, every tensor as it is stored. What is odd about them is logged as a warning.

    Raises:
        InputError: it is of no kind known here, or damaged, or the tokenizer is not one of this model.
        OSError: a file cannot be opened.
    """
    path = _here(Path(path)) if run or str(path).endswith(OWN_SUFFIX) else Path(path)
    if not is_container(path):
        if run:
            return _made_to_run(path, tokenizer, verify=verify)
        from fourcc.sources import open_source
        from fourcc.sources.elsewhere import RANGES

        return open_source(path, tokenizer, RANGES)
    model = Model(path, verify=verify)
    try:
        if tokenizer is not None:
            model.use_tokenizer(Path(tokenizer))
    except BaseException:
        model.close()
        raise
    return model


def open_to_run(
    source: str | Path,
    stack: ExitStack,
    *,
    tokenizer: str | Path | None = None,
    policy: Policy | None = None,
    verify: bool = True,
) -> tuple[Model, tuple[str, ...]]:
    """Opens any checkpoint as a model that can be run.

    Args:
        source: a model.bin, or a checkpoint, which is converted into a temporary file.
        stack: closes the model and the temporary file, and refuses the results where the file changed meanwhile.
        tokenizer: to be used in place of the one that the file brings.
        policy: gives the tensors their formats; a model.bin is converted then, too.
        verify: whether tensors are compared with their sums when they are first used.

    Returns:
        The model, and notes on what is odd about it.

    Raises:
        FourccError: as `fourcc.convert` and `fourcc.open` do; messages name the source.
    """
    path = _here(Path(source))
    if policy is None and is_container(path):
        model = stack.enter_context(Model(path, verify=verify))
        notes = () if tokenizer is None else model.use_tokenizer(Path(tokenizer))
    else:
        fd, notes = _converted(path, stack, tokenizer, policy)
        model = stack.enter_context(Model(path, verify=verify, fd=fd))
    stack.enter_context(model.unchanged())
    return model, notes


def _made_to_run(path: Path, tokenizer: str | Path | None, *, verify: bool) -> Model:
    """A checkpoint as a model in a temporary file without a name, which goes when the model is closed."""
    import logging

    with ExitStack() as stack:
        fd, notes = _converted(path, stack, tokenizer, None)
    for note in notes:
        logging.getLogger(__name__).warning("%s: %s", path, note)
    return Model(path, verify=verify, fd=fd)


def _here(path: Path) -> Path:
    """The path, or where a model that lies elsewhere was downloaded to."""
    if path.exists():
        return path
    from fourcc.sources.elsewhere import here

    return here(path)


def _converted(
    path: Path, stack: ExitStack, tokenizer: str | Path | None, policy: Policy | None
) -> tuple[int, tuple[str, ...]]:
    """A descriptor of the temporary model.bin, and notes."""
    from fourcc.conversion.plan import plan
    from fourcc.models.temporary import carried_out
    from fourcc.policy import Policy
    from fourcc.sources import open_source

    with open_source(path, tokenizer) as source:
        return carried_out(plan(source, policy or Policy.keep()), stack)
