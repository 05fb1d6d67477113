"""The model that a command runs, opened as its options say; notes on it go to stderr."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.cli.render import terminal
from fourcc.cli.shared.policy_options import rules_of

if TYPE_CHECKING:
    from contextlib import ExitStack

    from fourcc.models.model import Model
    from fourcc.policy import Policy


def asked_rules(policy: Path | None, formats: str | None, recipe: str | None) -> Policy | None:
    """The policy that the options ask for; None where there is none of them. Raises as `rules_of` does."""
    return None if policy is None and formats is None and recipe is None else rules_of(policy, formats, recipe)


def model_to_run(
    source: Path,
    tokenizer: Path | None,
    rules: Policy | None,
    stack: ExitStack,
    *,
    quiet: bool,
    verify: bool = True,
    as_json: bool = False,
) -> Model:
    """The model of a file. While the stack is open, a file that is cut ends the process with an error's exit code.

    Args:
        source: a model.bin, or a checkpoint.
        tokenizer: to be used in place of the one that the file brings.
        rules: give the tensors their formats; a model.bin is converted then, too. None: they stay as they are stored.
        stack: closes the model.
        quiet: no notes.
        verify: whether tensors are compared with their sums.
        as_json: whether errors go to stdout as objects, too.
    """
    from fourcc.cli.shared.cut_files import watched
    from fourcc.models.opening import open_to_run

    model, notes = open_to_run(source, stack, tokenizer=tokenizer, policy=rules, verify=verify)
    stack.enter_context(watched(model, as_json=as_json))
    terminal.notes(notes, quiet=quiet)
    return model
