"""`fourcc cache`: the compiled kernels on disk; `fourcc cache build`: compiling them before they are needed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from fourcc.cli.render import json_documents, tables, terminal, units
from fourcc.cli.render.help_pages import Commands
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import completion
from fourcc.cli.shared.options import Json, Quiet, Threads
from fourcc.errors import OutputError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from fourcc.format import Format

EPILOG = """\b
Examples:
  fourcc cache
  fourcc cache --clear
  fourcc cache build

Kernels are compiled when they are first used, and kept. An entry is named by all that it depends on (its source, the
compilers' versions, the processor), so it is never stale. Clearing costs the time to compile again, 10 to 60 s for a
model.
Beside them a small file remembers how fast conversions and runs were here, for the forecasts of --dry-run.
FOURCC_CACHE=FOLDER keeps both elsewhere."""
BUILD_EPILOG = """\b
Examples:
  fourcc cache build --format Q8_0,F16
  fourcc cache build

Compiles what `fourcc run`, products, encoding and decoding need of these formats with their default options."""

Clear = Annotated[bool, typer.Option("--clear", help="Remove all of them.")]
Formats = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="TAG[,TAG]",
        help="Formats.  [default: all built-in ones with a kernel]",
        autocompletion=completion.tags,
    ),
]

app = Commands(name="cache", help="Show, clear or build the compiled kernels on disk.")


def register(parent: typer.Typer) -> None:
    """Adds the commands."""
    parent.add_typer(app)


@app.callback(invoke_without_command=True, epilog=EPILOG)
def cache(context: typer.Context, *, clear: Clear = False, as_json: Json = False) -> None:
    """Show, clear or build the compiled kernels on disk."""
    from fourcc import compute
    from fourcc.rates.remembered import rate_files, remembered

    if context.invoked_subcommand is not None:
        if clear or as_json:
            raise UsageError("the options of `fourcc cache build` come after the word `build`")
        return
    folder, paths = compute.cache_folder(), compute.cache_entries()
    current, size = len(compute.current_entries()), sum(path.stat().st_size for path in paths)
    if clear:
        _remove([*paths, *rate_files(), *compute.cache_leftovers()])
    not_kept, rates = compute.why_not_kept(), len(remembered())
    if as_json:
        counts = {"kernels": len(paths), "current": current, "bytes": size, "rates": rates}
        json_documents.show("cache", {"folder": str(folder), **counts, "cleared": clear, "not_used": not_kept})
        return
    kernels = f"{len(paths)} ({current} of this version of fourcc on this processor)" if paths else "0"
    tables.facts(
        [("folder", str(folder)), ("kernels", kernels), ("size", units.plain_bytes(size)), ("rates", _told(rates))]
    )
    if clear:
        terminal.out("cleared")
    if not_kept is not None:
        tables.paragraph(f"not used: {not_kept}")


def _told(rates: int) -> str:
    """How many rates are remembered of this processor, for forecasts."""
    return f"{rates} kinds of work, for forecasts" if rates else "none remembered"


def _remove(paths: list[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot be removed: {error.strerror}", file=path) from error


@app.command("build", epilog=BUILD_EPILOG)
def build(*, formats: Formats = None, threads: Threads = None, quiet: Quiet = False, as_json: Json = False) -> None:
    """Compile kernels before they are needed, on all cores."""
    from fourcc import compute
    from fourcc.compute import precompiling
    from fourcc.threads import thread_count

    processes = thread_count(threads)
    _check()
    needed = precompiling.needed(_tags(formats), _format)
    missing = precompiling.missing(needed)
    with Progress("compiling", 0, quiet=quiet, unit="kernels") as progress:
        for number, kernel in enumerate(precompiling.build(missing, _format, processes) if missing else ()):
            progress(f"{kernel.tag} {kernel.use}".strip(), number + 1, len(missing))
        seconds = progress.seconds
    there, folder = len(needed) - len(missing), str(compute.cache_folder())
    if as_json:
        counts = {"needed": len(needed), "there": there, "compiled": len(missing)}
        json_documents.show("cache-build", {"folder": folder, **counts, "seconds": round(seconds, 1)})
        return
    taking = f" in {units.clock(seconds)}" if missing else ""
    tables.paragraph(f"{len(needed)} kernels: {there} were there, {len(missing)} compiled{taking}")


def _check() -> None:
    """Nothing is compiled that could not be kept, or would not be used."""
    from fourcc import compute

    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in {"", "0"}:
        raise UsageError("NUMBA_DISABLE_JIT is set: kernels are not compiled")
    why = compute.why_not_kept()
    if why is not None:
        raise OutputError(f"compiled kernels cannot be kept: {why}", file=compute.cache_folder())


def _tags(formats: str | None) -> list[str]:
    """The formats that were named, or all built-in ones whose products need no decoded matrix."""
    from fourcc import compute
    from fourcc.plugins.entries import OWN
    from fourcc.plugins.registry import registry

    if formats is not None:
        return [tag.strip() for tag in formats.split(",")]
    own = [tag for tag in registry if registry.entry(tag).distribution == OWN]
    return [str(tag) for tag in own if compute.kernel_of(registry[tag]).level != "decode"]


def _format(tag: str) -> Format:
    """A format by its tag; processes that compile call it, too."""
    from fourcc.plugins.registry import registry

    return registry[tag]
