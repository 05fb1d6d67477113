"""Pages of the command line, made from the commands themselves: usage, arguments, options with defaults, examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

FOLDER = "reference/commands"
Command = Any  # typer brings click's classes under names of its own


def pages() -> dict[str, str]:
    """Address -> page: one for each command or group of commands, and one that lists them."""
    group = application()
    found = {f"{FOLDER}/{name}.md": page(name, command) for name, command in group.commands.items()}
    return {f"{FOLDER}/index.md": _index(group), **found}


def application() -> Command:
    """The command line with all commands."""
    from typer.main import get_command

    from fourcc.cli.app import build

    return get_command(build([]))


def page(name: str, command: Command) -> str:
    """The page of a command, or of a group with all of its commands."""
    lines = list(_described(command, f"fourcc {name}", level=1))
    for inner, each in getattr(command, "commands", {}).items():
        lines += ["", *_described(each, f"fourcc {name} {inner}", level=2)]
    return "\n".join(lines) + "\n"


def _index(group: Command) -> str:
    """The page that lists the commands, with what all of them share."""
    rows = ["| command | does |", "|---|---|"]
    rows += [f"| [`fourcc {name}`]({name}.md) | {_summary(each)} |" for name, each in group.commands.items()]
    lines = ["# Commands", "", _prose(group.help), "", *rows, "", *_parameters(group, "fourcc", 2)]
    return "\n".join([*lines, "", *_epilog(group.epilog, 2)]) + "\n"


def _described(command: Command, path: str, level: int) -> Iterator[str]:
    """Title, text, usage, parameters, examples and what follows them."""
    context = command.context_class(command, info_name=path)
    yield f"{'#' * level} {path}"
    yield ""
    yield _prose(command.help)
    yield ""
    yield "```sh"
    yield " ".join([path, *command.collect_usage_pieces(context)])
    yield "```"
    yield ""
    yield from _parameters(command, path, level + 1)
    yield from _epilog(command.epilog, level + 1)


def _parameters(command: Command, path: str, level: int) -> Iterator[str]:
    """A table of the arguments, and one of the options, as `--help` has them."""
    context = command.context_class(command, info_name=path)
    for title, kind in (("Arguments", "argument"), ("Options", "option")):
        records = [
            each.get_help_record(context) for each in command.get_params(context) if each.param_type_name == kind
        ]
        shown = [record for record in records if record is not None]
        if shown:
            yield from (f"{'#' * level} {title}", "", f"| {title.lower()[:-1]} | meaning |", "|---|---|")
            yield from (f"| {_code(names)} | {_cell(text)} |" for names, text in shown)
            yield ""


def _epilog(text: str | None, level: int) -> Iterator[str]:
    """The paragraphs behind the options; one that click keeps as it stands, marked by a backspace, is code."""
    for paragraph in (text or "").split("\n\n"):
        if not paragraph.startswith("\b"):
            yield from (_prose(paragraph), "")
            continue
        title, *lines = paragraph.removeprefix("\b").strip("\n").splitlines()
        yield from (f"{'#' * level} {title.strip().removesuffix(':')}", "", "```sh")
        yield from (line.strip() for line in lines)
        yield from ("```", "")


def _summary(command: Command) -> str:
    """The first sentence of the help."""
    return _prose((command.help or "").partition("\n\n")[0])


def _prose(text: str | None) -> str:
    """Text of a help page as Markdown: signs that would mean something there are escaped."""
    return "\n\n".join(_plain(" ".join(paragraph.split())) for paragraph in (text or "").split("\n\n"))


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _code(text: str) -> str:
    return f"<code>{text.replace('&', '&amp;').replace('<', '&lt;').replace('|', '&#124;')}</code>"


def _plain(text: str) -> str:
    """Escapes outside of backticks."""
    pieces = text.split("`")
    for number in range(0, len(pieces), 2):
        pieces[number] = "".join(f"\\{sign}" if sign in "*_[]<>\\" else sign for sign in pieces[number])
    return "`".join(pieces)
