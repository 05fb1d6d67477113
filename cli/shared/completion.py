"""Values that a shell offers while a command is typed: tags, recipes, roles, names of tensors, kinds of files.

A shell asks at each press of the tabulator key. So nothing is imported before it is needed, of files only the headers
are read, and whatever goes wrong, nothing is offered: an error would be printed into the line that is being typed.
Options name a `Completer`; paths are left to the shell.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import typer

COMPLETING = "_FOURCC_COMPLETE"  # set by the shell's script, as typer names it
MOST = 2000  # words that are offered
ACTS = frozenset(
    "\\$`\"'"
)  # what zsh, which evaluates the words that it is offered, would act on: a name could run a command


class TypedLine(NamedTuple):
    """The line so far.

    Attributes:
        context: typer's, with the arguments and options that are complete.
        word: the beginning of the word that is typed.
    """

    context: typer.Context
    word: str

    @property
    def listed(self) -> str:
        """The complete items of a comma list, with the last comma; empty where there is none."""
        before, comma, _ = self.word.rpartition(",")
        return before + comma

    @property
    def source(self) -> Path:
        """The file that the command is about: an argument, or where those are not parsed yet, a word that is a path."""
        given = self.context.params.get("source") or self.context.params.get("file")
        typed = [Path(word).expanduser() for word in words_typed()[1:]]
        return Path(str(given)).expanduser() if given else next(path for path in typed if path.exists())


Completer = Callable[[typer.Context, str], list[str]]  # (context, beginning of the word) -> whole words


def words_typed() -> list[str]:
    """The words of the line that is being completed, after `fourcc` and before the one that is typed; else none."""
    if COMPLETING not in os.environ:
        return []
    if "COMP_CWORD" in os.environ:  # bash
        words = os.environ.get("COMP_WORDS", "").splitlines()
        place = os.environ["COMP_CWORD"]
        return words[1 : int(place)] if place.isdecimal() else []
    import shlex

    line = os.environ.get("_TYPER_COMPLETE_ARGS", "")
    words = shlex.split(line) if line.count("'") % 2 == line.count('"') % 2 == 0 else line.split()
    return words[1:] if line.endswith(" ") else words[1:-1]


def _completer(offer: Callable[[TypedLine], Iterable[str]]) -> Completer:
    """A completer that keeps what begins as the word does; it offers nothing where the offer fails."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        try:
            with redirect_stderr(StringIO()):
                words = [word for word in offer(TypedLine(ctx, incomplete)) if _fits(word, incomplete)]
        except Exception:  # noqa: BLE001 - a shell asks, and can show no error
            return []
        return words[:MOST]

    complete.__doc__ = offer.__doc__
    return complete


def _fits(word: str, incomplete: str) -> bool:
    """Whether a word may follow; one that a shell or a terminal would act on, as names in files can be, may not."""
    return word.startswith(incomplete) and word.isprintable() and ACTS.isdisjoint(word)


@_completer
def tag(_: TypedLine) -> Iterator[str]:
    """Tags of the installed formats; none is imported."""
    return _tags_beside("")


@_completer
def tags(typed: TypedLine) -> Iterator[str]:
    """A list of tags with settings: a tag after each comma, a setting's name after each colon."""
    spelled, colon, _ = typed.word.removeprefix(typed.listed).rpartition(":")
    if colon:
        return (f"{typed.listed}{spelled}:{name}=" for name in _settings(spelled.partition(":")[0]))
    return (typed.listed + name for name in _tags_beside(typed.listed))


@_completer
def recipe(_: TypedLine) -> Iterable[str]:
    """Names of recipes."""
    from fourcc.policy.recipes import recipe_names

    return recipe_names()


@_completer
def role(_: TypedLine) -> Iterator[str]:
    """Roles of tensors, and globs for several."""
    return _roles()


@_completer
def roles_together(typed: TypedLine) -> Iterator[str]:
    """The sets of roles that usually share a format."""
    return (typed.listed + name for name in ("q+k+v", "gate+up"))


@_completer
def tensor(typed: TypedLine) -> Iterable[str]:
    """Names of the tensors of the file on the line."""
    return _tensors(typed.source)


@_completer
def blob(typed: TypedLine) -> Iterable[str]:
    """Names of the blobs of the model.bin on the line."""
    from fourcc.container.reader import ModelFile

    with ModelFile(typed.source) as model:
        return [each.name for each in model.index.blobs]


@_completer
def pin(typed: TypedLine) -> Iterator[str]:
    """``GLOB:TAG``: names of tensors or ``role=`` with a role, then a tag."""
    names, colon, _ = typed.word.rpartition(":")
    if colon:
        return (f"{names}:{each}" for each in _tags_beside(""))
    if typed.word.startswith("role="):
        return (f"role={each}:" for each in _roles())
    return iter(["role=", *(f"{each}:" for each in _tensors(typed.source))])


@_completer
def exported(_: TypedLine) -> Iterable[str]:
    """The kinds that `fourcc export` writes."""
    from fourcc import exporters

    return [*exporters.KINDS, *exporters.FOLDERS, *exporters.PLUGGED.names()]


@_completer
def template(_: TypedLine) -> Iterable[str]:
    """Names of chat templates."""
    from fourcc.models.templates import TEMPLATES

    return TEMPLATES


@_completer
def feedback(_: TypedLine) -> Iterable[str]:
    """The ways of error feedback."""
    return ("gptq", "none")


@_completer
def like(_: TypedLine) -> Iterator[str]:
    """The formats that a new plugin can begin with."""
    from fourcc.scaffold.starting_points import STARTING_POINTS

    return (each.name for each in STARTING_POINTS)


@_completer
def check(_: TypedLine) -> Iterator[str]:
    """Names of the checks of `fourcc plugin test`."""
    from fourcc.testing import CHECKS

    return (each.name for each in CHECKS)


@_completer
def simd_target(typed: TypedLine) -> Iterator[str]:
    """Families of processors that this machine can run."""
    from fourcc.kernels.simd.target import TARGETS, runs_here

    return (typed.listed + each.name for each in TARGETS if runs_here(each))


@_completer
def model_size(typed: TypedLine) -> Iterator[str]:
    """Names of the models that `fourcc bench-models` makes."""
    from fourcc.bench.models.shapes import SHAPES

    return (typed.listed + each for each in SHAPES)


def _tags_beside(listed: str) -> Iterator[str]:
    """Tags of the installed formats that a list does not have yet; none is imported."""
    from fourcc.plugins.registry import registry

    there = {piece.partition(":")[0].strip() for piece in listed.split(",")}
    return (str(each) for each in registry if str(each) not in there)


def _settings(spelled: str) -> Iterator[str]:
    """Names of the settings of a format."""
    from fourcc.plugins.registry import registry

    fmt = registry[spelled.strip()]
    return (each.name for each in (*fmt.params, *fmt.options))


def _roles() -> Iterator[str]:
    from fourcc.naming import ROLES

    groups = dict.fromkeys(f"{each.partition('.')[0]}.*" for each in ROLES if "." in each)
    return iter([*ROLES, *groups])


def _tensors(source: Path) -> Iterable[str]:
    """Names of the tensors of a file; of a model on a hub none, since a press of a key asks no network."""
    from fourcc.models.opening import open_to_look

    if not source.exists():
        return []
    with closing(open_to_look(source)) as opened:
        return list(opened)
