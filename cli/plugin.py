"""`fourcc plugin`: writing a format's package, examining a format, pinning its bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fourcc.cli.render import json_documents, plugin_report, terminal
from fourcc.cli.render.help_pages import Commands
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import completion, options
from fourcc.cli.shared.asked_tag import asked_tag
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.scaffold import Names
    from fourcc.tags import FourCC
    from fourcc.testing import Check, Report, Subject

NEW_EPILOG = """\b
Examples:
  fourcc plugin new fourcc-tern --tag Tern
  fourcc plugin new fourcc-book --tag Book --like codebook -o ~/src/book

\b
Kinds:
  fused       a formula for a block
  codebook    a codebook learnt for each matrix
  rotation    a Hadamard transform before the codes
  sparse      outliers, by their places
  calibrated  codes that weigh errors by importance

The package is complete: it installs, passes its own tests, and its format works. Change it into yours."""
TEST_EPILOG = """\b
Examples:
  fourcc plugin test Tern
  fourcc plugin test Tern --quick
  fourcc plugin test Tern --check 'each column' --check 'NaN*'
  fourcc plugin test --list
  fourcc plugin test Tern --param group=64 --json > report.json

Bits, SQNR and rates come first, beside the built-in formats of about as many bits. A check that stands on one that
failed is not made. Exit code 0 where no check fails, 1 where one does."""
PIN_EPILOG = """\b
Examples:
  fourcc plugin pin Tern -o fourcc_tern/vectors/tern.json"""

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the distribution, for example fourcc-tern.")]
NewTag = Annotated[str, typer.Option("--tag", metavar="TAG", help="Tag of the format, with a lower-case letter.")]
Like = Annotated[
    str, typer.Option("--like", metavar="KIND", help="What to begin with: see below.", autocompletion=completion.like)
]
Folder = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder to write.  [default: ./NAME]")
]
Refresh = Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")]
Tag = Annotated[str, typer.Argument(metavar="TAG", help="The format.", autocompletion=completion.tag)]
Params = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="Parameter of the layout; may be repeated.")
]
Options = Annotated[
    list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="Option of the encoder; may be repeated.")
]
Vectors = Annotated[
    Path | None, typer.Option("--vectors", metavar="FILE", help="Stored bytes.  [default: vectors/TAG.json beside it]")
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--check", metavar="GLOB", help="Only checks of these names; may be repeated.", autocompletion=completion.check
    ),
]
Quick = Annotated[bool, typer.Option("--quick", help="Leave out the checks that take long.")]
Lists = Annotated[bool, typer.Option("--list", help="List the checks with what they promise, and end.")]
Limit = Annotated[
    float | None, typer.Option("--limit", metavar="SECONDS", min=1, help="Seconds for one check.", show_default=False)
]
Asked = Annotated[
    str | None, typer.Argument(metavar="TAG", help="The format.", show_default=False, autocompletion=completion.tag)
]
File = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="File to write.")]

app = Commands(name="plugin", help="Write a format's package, or examine a format.")


def register(parent: typer.Typer) -> None:
    """Adds the commands."""
    parent.add_typer(app)


@app.command(epilog=NEW_EPILOG)
def new(
    name: Name,
    *,
    tag: NewTag,
    like: Like = "fused",
    output: Folder = None,
    force: Refresh = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Write a small package with a format that works."""
    from fourcc.scaffold import checked_names, starting_point, write_package

    folder = Path(name) if output is None else output
    begun, names = starting_point(like), checked_names(name, tag, folder)
    written = [*write_package(names, begun, folder, force=force), _stored_bytes(folder / names.module, names)]
    if as_json:
        files = [str(path) for path in written]
        told = {"folder": str(folder), "name": name, "tag": names.tag, "like": like, "files": files}
        json_documents.show("plugin-new", told)
        return
    if quiet:
        return
    for path in written:
        terminal.out(terminal.safe(str(path)))
    terminal.err(f"fourcc: next: pip install -e {terminal.safe(str(folder))} && fourcc plugin test {names.tag}")


def _stored_bytes(folder: Path, names: Names) -> Path:
    """Stores the bytes that a new format's encoder gives."""
    import runpy

    from fourcc.plugins.registry import registry
    from fourcc.testing import Subject

    made = runpy.run_path(str(folder / f"{names.stem}.py"))
    path = folder / "vectors" / f"{names.stem}.json"
    path.parent.mkdir(exist_ok=True)
    with registry.trying(made[names.constant]) as fmt:
        path.write_bytes(_pinned(Subject.of(fmt)))
    return path


def _pinned(subject: Subject) -> bytes:
    """The contents of the file of a format's stored bytes."""
    import json

    from fourcc.testing import pinned

    return (json.dumps(pinned(subject), indent=1) + "\n").encode("ascii")


@app.command("test", epilog=TEST_EPILOG)
def examine(  # noqa: PLR0913 - one an option
    tag: Asked = None,
    *,
    params: Params = None,
    option: Options = None,
    vectors: Vectors = None,
    only: Only = None,
    quick: Quick = False,
    limit: Limit = None,
    listed: Lists = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Examine a format: what it costs, what it promises, what it breaks.

    The checks run in processes of their own, so a format that crashes ends no more than those.
    """
    checks = _chosen(only or [], quick=quick)
    if listed:
        _list(checks, as_json=as_json)
        return
    if tag is None:
        raise UsageError("a tag is missing", hint="`fourcc formats` lists those that are installed.")
    settings = _pairs(params, "--param"), _pairs(option, "--option")
    report = _examined(asked_tag(tag), settings, vectors, checks, measures=not only, quiet=quiet, limit=limit)
    if as_json:
        json_documents.show("plugin-test", plugin_report.document(report))
    else:
        plugin_report.show(report)
    if not report.passed:
        raise typer.Exit(1)


def _list(checks: tuple[Check, ...], *, as_json: bool) -> None:
    if as_json:
        json_documents.show("plugin-checks", {"checks": [plugin_report.check_document(check) for check in checks]})
    else:
        plugin_report.show_checks(checks)


@app.command(epilog=PIN_EPILOG)
def pin(
    tag: Tag,
    *,
    output: File,
    params: Params = None,
    option: Options = None,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Store the bytes that a format's encoder gives.

    The format's tests compare later encoders with them.
    """
    from fourcc.files.write import AtomicFile, check_target
    from fourcc.testing.loading import subject_of

    subject = subject_of(asked_tag(tag), _pairs(params, "--param"), _pairs(option, "--option"))
    target = check_target(output, (), force=force)
    data = _pinned(subject)
    with AtomicFile(target) as file:
        file.write_at(0, data)
    if as_json:
        json_documents.show("plugin-pin", {"tag": tag.strip(), "output": str(output), "file_bytes": len(data)})


def _examined(
    tag: FourCC,
    settings: tuple[dict[str, str], dict[str, str]],
    vectors: Path | None,
    checks: tuple[Check, ...],
    *,
    measures: bool,
    quiet: bool,
    limit: float | None,
) -> Report:
    """The report of a format; if the format cannot be loaded, a report of that alone."""
    from fourcc.testing import Report
    from fourcc.testing.loading import loaded, owner, subject_of
    from fourcc.testing.process import LIMIT

    seconds = LIMIT if limit is None else limit
    with Progress("importing", 1, quiet=quiet, unit="formats") as progress:
        progress(str(tag), 0, 1)
        first = loaded(tag, seconds)
    provider, target = owner(tag)
    known = Report(tag=str(tag), owner=provider, target=target, outcomes=(first,))
    if not known.passed:
        return known
    return _filled(known, subject_of(tag, *settings, vectors), checks, measures=measures, quiet=quiet, limit=seconds)


def _filled(
    known: Report, subject: Subject, checks: tuple[Check, ...], *, measures: bool, quiet: bool, limit: float
) -> Report:
    """The report with the measures of formats and the outcomes of checks."""
    import attrs

    from fourcc.testing import Measure, Outcome
    from fourcc.testing.examination import examined, measurable

    tags = measurable(subject) if measures else []
    count = len(tags) + len(checks)
    numbers = iter(range(count))
    with Progress("examining", count, quiet=quiet, unit="checks") as progress:
        found = list(
            examined(
                subject,
                checks,
                lambda name: progress(name, next(numbers), count),
                measures=tags,
                limit=limit,
            )
        )
    return attrs.evolve(
        known,
        outcomes=known.outcomes + tuple(each for each in found if isinstance(each, Outcome)),
        measures=tuple(each for each in found if isinstance(each, Measure)),
    )


def _chosen(patterns: list[str], *, quick: bool) -> tuple[Check, ...]:
    """The checks whose names match; without those that are slow, if need be.

    Raises:
        UsageError: a pattern matches none.
    """
    from fnmatch import fnmatchcase

    from fourcc.testing import CHECKS

    for pattern in patterns:
        if not any(fnmatchcase(check.name, pattern) for check in CHECKS):
            names = ", ".join(check.name for check in CHECKS)
            raise UsageError(f"no check is named {pattern!r}", hint=f"There are: {names}.")
    return tuple(
        check
        for check in CHECKS
        if not (quick and check.slow)
        and (not patterns or any(fnmatchcase(check.name, pattern) for pattern in patterns))
    )


def _pairs(given: list[str] | None, flag: str) -> dict[str, str]:
    pairs = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise UsageError(f"{flag} takes NAME=VALUE", found=repr(text), expected="for example group=64")
        pairs[name] = value
    return pairs
