"""The commands as the code has them, for tests that say "every"."""

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from fourcc.cli.app import build


def leaves(command: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Words and object of each command that does something."""
    command = get_command(build([])) if command is None else command
    for name, each in command.commands.items():
        if hasattr(each, "commands"):
            yield from leaves(each, (*words, name))
        else:
            yield (*words, name), each


LEAVES = dict(leaves())


def options(command: Any) -> set[str]:
    """The names of a command's options."""
    return {name for parameter in command.params for name in parameter.opts}
