"""The commands as typer holds them: each has -v and -q; a word of another tool leads to the command that is meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup, TyperOption

from fourcc.cli.render import help_pages, terminal
from fourcc.cli.shared.suggestions import ELSEWHERE, command_advice

if TYPE_CHECKING:
    import typer

OLD_NAMES = {"--max-shard-size": "--shard-size"}  # what options were called before; help shows the new name alone
QUIET = ("--quiet", "-q")
VERBOSE = ("--verbose", "-v")


class CommandGroup(help_pages.Group):
    """The list of commands. Takes what typer's groups do."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - as `TyperGroup`
        super().__init__(**attributes)
        for command in _leaves(self.commands):
            _add_common(command)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's click is not public
        """Runs the command; what an interrupted one says of how it goes on is shown."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            for note in getattr(error, "__notes__", ()):
                terminal.err(f"fourcc: {terminal.safe(note)}")
            raise

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - typer's click is not public
        """The command that is named; an unknown word is refused with advice, where there is some."""
        word = args[0]
        known = word in self.commands
        cutoff = 0.8 if word in ELSEWHERE else 0.6  # a word of other tools has to be very like one of ours
        like = difflib.get_close_matches(word, self.commands, n=1, cutoff=cutoff)
        if not (known or like) and (advice := command_advice(word)) is not None:
            ctx.fail(f"No such command {word!r}: {advice}.")
        return super().resolve_command(ctx, [word, *map(_renamed, args[1:])])


def _renamed(word: str) -> str:
    """The word of a command line, with an option's old name replaced; its value may stand behind a ``=``."""
    name, equals, value = word.partition("=")
    return f"{OLD_NAMES[name]}{equals}{value}" if name in OLD_NAMES else word


def _leaves(commands: Mapping[str, object]) -> Iterator[TyperCommand]:
    """The commands that do something, those of groups included."""
    for command in commands.values():
        if isinstance(command, TyperGroup):
            yield from _leaves(command.commands)
        elif isinstance(command, TyperCommand):
            yield command


def _add_common(command: TyperCommand) -> None:
    """Adds the options that all commands have, where the command has none of its own."""
    own = {name for option in command.params for name in option.opts}
    if own.isdisjoint(QUIET):
        command.params.append(_flag(QUIET, "No notes."))
    if own.isdisjoint(VERBOSE):
        command.params.append(_flag(VERBOSE, "Tell on stderr what is done.", callback=_narrate))


def _flag(names: tuple[str, ...], text: str, **more: Any) -> TyperOption:  # noqa: ANN401 - as `TyperOption`
    """An option that its command does not see: the command line itself heeds it."""
    return TyperOption(param_decls=list(names), is_flag=True, default=False, expose_value=False, help=text, **more)


def _narrate(context: typer.Context, _: object, value: bool) -> bool:  # noqa: FBT001 - as typer calls it
    """Begins to tell what is done, where the option is given."""
    if value and not context.resilient_parsing:
        from fourcc.cli.shared import narration  # here: `logging` is loaded only where it is used

        context.call_on_close(narration.begin())
    return value
