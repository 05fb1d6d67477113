"""Opening whatever can be run: a model.bin as it is, a checkpoint by way of a temporary one."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from fourcc.container.head_and_tail import recognisable
from fourcc.conversion.plan import plan
from fourcc.models.model import Model
from fourcc.models.temporary import carried_out
from fourcc.policy import Policy
from fourcc.sources import open_source


def open_any(
    source: str | Path,
    stack: ExitStack,
    *,
    tokenizer: str | Path | None = None,
    policy: Policy | None = None,
    verify: bool = True,
) -> tuple[Model, tuple[str, ...]]:
    """The model of a file, and what is odd about it.

    Args:
        source: a model.bin, or a checkpoint.
        stack: closes it, lets go of the temporary file, and refuses what was done where the file changed meanwhile.
        tokenizer: to be used in place of what the file brings.
        policy: what its tensors become; a model.bin is converted then, too.
        verify: whether tensors are compared with their sums when they are first used.

    Raises:
        FourccError: as `fourcc.convert` and `fourcc.open` do; messages name the source.
    """
    path = Path(source)
    if policy is None and path.is_file() and recognisable(path):
        model = stack.enter_context(Model(path, verify=verify))
        notes = () if tokenizer is None else model.use_tokenizer(Path(tokenizer))
    else:
        fd, notes = _converted(path, stack, tokenizer, policy or Policy.keep())
        model = stack.enter_context(Model(path, verify=verify, fd=fd))
    stack.enter_context(model.unchanged())
    return model, notes


def _converted(
    path: Path, stack: ExitStack, tokenizer: str | Path | None, policy: Policy
) -> tuple[int, tuple[str, ...]]:
    with open_source(path, tokenizer) as opened:
        return carried_out(plan(opened, policy), stack)
