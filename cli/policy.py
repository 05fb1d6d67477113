"""`fourcc policy`: trying a policy without converting, and showing the policy that a file was made with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fourcc.cli.render import json_documents, plan_table, tables, terminal
from fourcc.cli.render.help_pages import Commands
from fourcc.cli.render.tables import Column
from fourcc.cli.shared import options
from fourcc.errors import InputError, UsageError

if TYPE_CHECKING:
    from fourcc.container.reader import ModelFile

CHECK_EPILOG = """\b
Examples:
  fourcc policy check mixed.toml stories.bin"""
SHOW_EPILOG = """\b
Examples:
  fourcc policy show model.bin > mixed.toml
  fourcc policy show --recipe Q4_K_M > mixed.toml
  fourcc policy show model.bin --resolved"""

RECIPES = (Column("recipe"), Column("summary", wraps=30))

PolicyFile = Annotated[Path, typer.Argument(metavar="POLICY", help="The policy, a TOML file.")]
File = Annotated[Path | None, typer.Argument(metavar="FILE", help="A model.bin.")]
Resolved = Annotated[
    bool, typer.Option("--resolved", help="Name each tensor's format instead of the rules that chose it.")
]

app = Commands(name="policy", help="Try a policy, or show a file's.")


def register(parent: typer.Typer) -> None:
    """Adds the commands."""
    parent.add_typer(app)


@app.command(epilog=CHECK_EPILOG)
def check(
    policy: PolicyFile,
    source: options.Source,
    *,
    include: options.Include = None,
    exclude: options.Exclude = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Show what a policy does with each tensor.

    Nothing is written. Expectations of the policy that do not hold are listed, and the exit code is 1.
    """
    from fourcc.conversion.plan import plan
    from fourcc.policy import Policy
    from fourcc.sources import open_source
    from fourcc.sources.elsewhere import RANGES

    rules = Policy.read(policy)
    with open_source(source, None, RANGES) as opened:
        terminal.notes(opened.notes, quiet=quiet)
        planned = plan(opened, rules, include=include or (), exclude=exclude or ())
        unmet = [str(problem) for problem in planned.unmet]
        if as_json:
            json_documents.show("plan", {**plan_table.document(planned), "unmet": unmet})
        else:
            plan_table.show(planned, as_json=False)
            for line in unmet:
                tables.paragraph(f"unmet: {line}", style=("red",))
    if unmet:
        raise typer.Exit(1)


@app.command("recipes")
def list_recipes(*, as_json: options.Json = False) -> None:
    """List the recipes that come with fourcc."""
    from fourcc.policy.recipes import recipes

    listed = recipes()
    if as_json:
        json_documents.show("recipes", {"recipes": [{"name": one.name, "summary": one.summary} for one in listed]})
        return
    tables.show(RECIPES, [[one.name, one.summary] for one in listed])


@app.command(epilog=SHOW_EPILOG)
def show(
    file: File = None, *, recipe: options.Recipe = None, resolved: Resolved = False, as_json: options.Json = False
) -> None:
    """Print the policy that a model.bin was made with, or a recipe."""
    if (file is None) == (recipe is None) or (recipe is not None and resolved):
        raise UsageError("show takes either a FILE or --recipe NAME", hint="--resolved goes with a FILE.")
    text = _recipe(str(recipe)) if file is None else _text(file, resolved=resolved)
    if as_json:
        name = {"recipe": recipe} if file is None else {"file": str(file), "resolved": resolved}
        json_documents.show("policy-show", {**name, "policy": text})
        return
    tame = terminal.on_terminal(sys.stdout)
    for line in text.splitlines():
        terminal.out(terminal.safe(line) if tame else line)


def _recipe(name: str) -> str:
    from fourcc.policy.recipes import read_recipe

    return read_recipe(name)[0]


def _text(file: Path, *, resolved: bool) -> str:
    from fourcc.container.reader import ModelFile

    with ModelFile(file) as model:
        return _resolved(model) if resolved else _stored(model)


def _stored(model: ModelFile) -> str:
    from fourcc.sources.model_bin import POLICY_BLOB

    try:
        return model.blob(POLICY_BLOB).decode()
    except KeyError as error:
        raise InputError("the file holds no policy", file=model.path, hint="--resolved writes one.") from error
    except UnicodeDecodeError as error:
        raise InputError("the file's policy is not UTF-8", file=model.path, offset=error.start) from error


def _resolved(model: ModelFile) -> str:
    from fourcc.policy import explicit

    return explicit((t.name, t.tag, t.params, t.options) for t in model.index.tensors).text
