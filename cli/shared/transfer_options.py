"""How the bytes of a model come that lies on a hub: the option ``--stream``, and what commands that only look take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fourcc.sources.source import Source

Stream = Annotated[
    bool,
    typer.Option("--stream", help="Download a model's files one after the other, each in the place of the one before."),
]


def opened_to_write(
    source: Path, tokenizer: Path | None, output: Path | None, *, stream: bool, dry_run: bool
) -> Source:
    """The model that a command writes in another way.

    Args:
        source: the model, which may lie here.
        tokenizer: to go with it, in place of its own.
        output: what is written; files lie beside it while they are used.
        stream: whether they are downloaded one after the other.
        dry_run: whether nothing is written, so that headers are enough.

    Raises:
        UsageError: `stream`, and the model lies here.
        FourccError: as `open_source` does.
    """
    from fourcc.sources import open_source
    from fourcc.sources.elsewhere import DOWNLOAD, RANGES, streaming

    told = streaming(source, output or Path("model.bin")) if stream else DOWNLOAD
    return open_source(source, tokenizer, RANGES if dry_run else told)


@contextmanager
def by_ranges(source: Path) -> Iterator[Path]:
    """A path at which a model that lies elsewhere can be looked at: only what is read is fetched. Paths here stay."""
    if source.exists():
        yield source
        return
    from fourcc.sources.elsewhere import RANGES, located

    with located(source, RANGES) as place:
        yield place
