"""The options with which `fourcc convert` finds the best mix for a budget by itself, and what they do."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from fourcc.cli.render import terminal
from fourcc.cli.render.progress import Progress
from fourcc.cli.shared import completion
from fourcc.cli.shared.execution_options import AskedExecution
from fourcc.cli.shared.feedback_options import feedback_of
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.calibration.to_budget import ToBudget
    from fourcc.progress import OnProgress

PANEL = "With a budget"  # heading of a help page

Size = Annotated[
    str | None,
    typer.Option("--budget", metavar="SIZE", help="Find the best mix of formats for 2.4MB, 30% of SRC, or 4.0bpw."),
]
Text = Annotated[
    Path | None,
    typer.Option(
        "--calibration-text",
        metavar="FILE",
        help="The text: 7/8 of it calibrate, the rest measures.",
        rich_help_panel=PANEL,
    ),
]
Options = Annotated[
    str | None,
    typer.Option(
        "--options",
        metavar="TAG[,TAG]",
        help="Formats to mix.  [default: ggml's quantized ones]",
        autocompletion=completion.tags,
        rich_help_panel=PANEL,
    ),
]
Pins = Annotated[
    list[str] | None,
    typer.Option(
        "--pin",
        metavar="GLOB:TAG",
        help="Format of these tensors, or of role=GLOB:TAG; may be repeated.",
        autocompletion=completion.pin,
        rich_help_panel=PANEL,
    ),
]
Documents = Annotated[
    bool, typer.Option("--documents", help="Empty lines part the text's documents.", rich_help_panel=PANEL)
]


class BudgetStages:
    """Progress of work in stages: a line for each, the last of which stays until the end.

    Args:
        stack: ends the last stage.
        quiet: whether to show nothing.
    """

    def __init__(self, stack: ExitStack, *, quiet: bool) -> None:
        self._stack, self._quiet = stack, quiet
        self._shown: Progress | None = None

    def begin(self, what: str, unit: str) -> OnProgress:
        """Begins the next stage; what it gives takes the stage's progress."""
        self.clear()
        self._shown = self._stack.enter_context(Progress(what, 0, quiet=self._quiet, unit=unit))
        return self._shown

    def note(self, line: str) -> None:
        """Shows a note."""
        self.clear()
        terminal.notes([line], quiet=self._quiet)

    def clear(self) -> None:
        """Removes the stage's line."""
        if self._shown is not None:
            self._shown.clear()


@attrs.frozen
class ConversionOptions:
    """The options of a conversion, whatever says what each tensor becomes."""

    source: Path
    output: Path | None
    tokenizer: Path | None
    feedback: str | None
    damping: float | None
    shard: str | None
    dry_run: bool
    how: AskedExecution
    quiet: bool
    as_json: bool


@attrs.frozen
class AskedBudget:
    """The options of a conversion to a budget, as they were given.

    Attributes:
        size: the budget; None: none, and then no other option may be given.
        text: of the calibration.
        tags: what to mix.
        pins: formats that are given.
        documents: whether empty lines part the text's documents.
    """

    size: str | None
    text: Path | None
    tags: str | None
    pins: list[str] | None
    documents: bool

    def check(self, others: Mapping[str, object]) -> None:
        """Raises UsageError where options contradict each other; `others` are those that a budget decides itself."""
        mine: dict[str, object] = {"--calibration-text": self.text, "--options": self.tags, "--pin": self.pins}
        mine["--documents"] = self.documents
        if self.size is None:
            for option in (option for option, value in mine.items() if value):
                raise UsageError(f"{option} goes with --budget")
            return
        for option in (option for option, value in others.items() if value):
            hint = "`fourcc calibrate`, `measure` and `allocate` do its steps one by one."
            raise UsageError(f"--budget and {option} exclude each other", hint=hint)
        if self.text is None:
            hint = "Add --calibration-text FILE: some 100 kB of what the model is for."
            raise UsageError("--budget needs a text", hint=hint)

    def converted(self, work: ConversionOptions) -> ToBudget:
        """Converts, with progress and notes. Raises UsageError where there is no output."""
        from fourcc.calibration.to_budget import convert_to_budget

        if self.size is None or self.text is None or work.output is None:
            raise UsageError("convert needs a budget, a text and an output", hint="Add -o FILE.")
        with ExitStack() as stack:
            stages = BudgetStages(stack, quiet=work.quiet)
            return convert_to_budget(
                work.source,
                work.output,
                self.size,
                self.text,
                options=self.tags,
                pins=self.pins or (),
                feedback=feedback_of(work.feedback or "gptq", work.damping),
                documents=self.documents,
                tokenizer=work.tokenizer,
                shard_size=work.shard,
                threads=work.how.threads,
                force=work.how.force,
                stage=stages.begin,
                note=stages.note,
            )
