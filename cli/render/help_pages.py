"""Help pages, as wide as the terminal: options in aligned columns, or one below the other where it is narrow.

typer makes pages with the package rich, which takes longer to load than a listing of a model, or plain ones of 50 to 80
columns. These are plain, at any width. Long examples go on behind a backslash, so that they can be pasted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from fourcc.cli.render import terminal
from fourcc.cli.render.help_texts import commands, explanation, paragraphs, two_columns
from fourcc.cli.render.text_width import text_width, wrapped

if TYPE_CHECKING:
    from typer.models import CommandFunctionType

WIDEST = 110  # columns of a page: longer lines are hard to read
TERM = 28  # columns that the names of options take at most
BESIDE = 30  # columns that explanations need beside the names; if there are fewer, they stand below
INDENT, BELOW = "  ", "      "  # before a section's lines, and before explanations that stand below
Rows = list[tuple[str, str]]


class Command(TyperCommand):
    """A command whose help is a page of ours."""

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401 - typer's own context has no public name
        """The page."""
        return "\n".join(_page(self, ctx, {}))


class Group(TyperGroup):
    """A command with commands of its own, whose help is a page of ours.

    Attributes:
        purposes: heading -> names of the commands below it; the others stand below ``Commands``.
    """

    purposes: ClassVar[Mapping[str, Sequence[str]]] = {}

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401 - typer's own context has no public name
        """The page."""
        headed = {name: heading for heading, names in self.purposes.items() for name in names}
        sections: dict[str, Rows] = {heading: [] for heading in (*self.purposes, "Commands")}
        for name, command in self.commands.items():
            if not command.hidden:
                sections[headed.get(name, "Commands")].append((name, summary(command.help or "")))
        return "\n".join(_page(self, ctx, {heading: rows for heading, rows in sections.items() if rows}))


class Commands(typer.Typer):
    """An application, or commands of a command, with our pages; takes the arguments of typer's class."""

    def __init__(self, *, cls: type[TyperGroup] = Group, **settings: Any) -> None:  # noqa: ANN401 - handed on
        super().__init__(cls=cls, rich_markup_mode=None, **settings)

    def command(
        self,
        name: str | None = None,
        **settings: Any,  # noqa: ANN401 - handed on
    ) -> Callable[[CommandFunctionType], CommandFunctionType]:
        """Adds a command, as typer's method does."""
        return super().command(name, cls=Command, **settings)


def summary(text: str) -> str:
    """The first paragraph of a help text, in one line."""
    return " ".join(cleandoc(text).partition("\n\n")[0].split())


def _page(command: TyperCommand | TyperGroup, ctx: Any, lists: Mapping[str, Rows]) -> Iterator[str]:  # noqa: ANN401 - typer's own context has no public name
    width = min(WIDEST, terminal.width(sys.stdout))
    yield from _usage(command, ctx, width)
    if command.help:
        yield ""
        yield from (f"{INDENT}{line}".rstrip() for line in paragraphs(cleandoc(command.help), width - len(INDENT)))
    for sections in (_options(command, ctx), lists):
        everything = [row for rows in sections.values() for row in rows]
        for heading, rows in sections.items():
            yield from ("", terminal.styled(f"{heading}:", "bold"), *_definitions(rows, everything, width))
    if command.epilog:
        yield from ("", *_epilog(cleandoc(command.epilog), width))


def _usage(command: TyperCommand | TyperGroup, ctx: Any, width: int) -> Iterator[str]:  # noqa: ANN401 - typer's own context has no public name
    pieces = [piece.strip("{}") for piece in command.collect_usage_pieces(ctx)]
    first, *rest = wrapped(f"Usage: {' '.join([ctx.command_path, *pieces])}", width)
    yield first.replace("Usage:", terminal.styled("Usage:", "bold"), 1)
    yield from (BELOW + line for each in rest for line in wrapped(each, width - len(BELOW)))


def _options(command: TyperCommand | TyperGroup, ctx: Any) -> dict[str, Rows]:  # noqa: ANN401 - typer's own context has no public name
    """Heading -> names and explanations of the arguments or options below it; plain options come last but one."""
    sections: dict[str, Rows] = {"Arguments": [], "Options": []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
        if record is not None:
            sections.setdefault(getattr(parameter, "rich_help_panel", None) or usual, []).append(record)
    return {heading: rows for heading, rows in sections.items() if rows}


def _definitions(rows: Rows, everything: Rows, width: int) -> Iterator[str]:
    """Terms and their explanations, side by side, or one below the other where that is too narrow.

    Args:
        rows: a section's.
        everything: the rows that explanations are aligned with.
        width: columns of the page.
    """
    column = len(INDENT) + min(TERM, max(text_width(term) for term, _ in everything)) + len(INDENT)
    beside = width - column >= min(BESIDE, max(text_width(text) for _, text in everything))
    blanks = " " * column if beside else BELOW
    for term, text in rows:
        head, taken = INDENT + terminal.styled(term, "cyan"), len(INDENT) + text_width(term)
        lines = explanation(text, width - len(blanks))
        if beside and taken + len(INDENT) <= column:
            head += " " * (column - taken) + lines.pop(0)
        yield from (head, *(blanks + line for line in lines))


def _epilog(text: str, width: int) -> Iterator[str]:
    """Paragraphs; one that begins with a backspace keeps its lines: a heading, commands, or terms with explanations."""
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ""
        if paragraph.startswith("\b\n"):
            lines = paragraph.splitlines()[1:]
            fitted = commands if lines[0] == "Examples:" else two_columns
            if not lines[0].startswith(" ") and lines[0].endswith(":"):
                yield terminal.styled(lines.pop(0), "bold")
            for line in lines:
                yield from fitted(line, width)
        else:
            yield from paragraphs(paragraph, width)
