"""Conversions into temporary files, calibrated on one text and measured beside the original on another."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from fourcc.analysis.extraction import write_runs
from fourcc.calibration.calibrating import calibrate, window_context
from fourcc.calibration.costs import Costs
from fourcc.calibration.measure import measure
from fourcc.calibration.reading import open_calibration
from fourcc.calibration.session import OnNote
from fourcc.container.resharding import written_in_shards
from fourcc.container.shard_files import ShardTarget
from fourcc.execution import Execution
from fourcc.feedback.feedback import Feedback
from fourcc.models import evaluation
from fourcc.models.model import Model
from fourcc.models.opening import open_to_run
from fourcc.models.scored_models import EvaluatedModel
from fourcc.models.temporary import carried_out
from fourcc.models.text_files import read_text
from fourcc.models.windows import Protocol

if TYPE_CHECKING:
    from fourcc.calibration.calibration import Calibration
    from fourcc.conversion.plan import Plan
    from fourcc.models.intervals import Interval
    from fourcc.progress import OnProgress
    from fourcc.sources.source import Source

RUN = 1 << 20  # bytes that are copied at once
CALIBRATION = "model.calib"
OnStage = Callable[[str, str], "OnProgress | None"]  # (what is done, its unit) -> what takes its progress


@attrs.define(eq=False, slots=False)
class ConversionTrials:
    """Conversions of an opened source that are measured beside it; the stack closes what they open.

    Attributes:
        path: of the source.
        source: the opened source.
        feedback: with which encoders choose codes; None: none.
        reading: arguments that calibrating and measuring share: documents, tokenizer, threads.
        stage: called with each stage's name and unit, gives a function that takes the stage's progress.
        note: called with a line on each thing that is odd.
        stack: closes temporary files.
        notes: on the conversions.
    """

    path: Path
    source: Source
    feedback: Feedback | None
    reading: Mapping[str, Any]  # arguments that calibrating and measuring share
    stage: OnStage
    note: OnNote
    stack: ExitStack
    notes: list[str] = attrs.field(factory=list, init=False)

    @cached_property
    def folder(self) -> Path:
        """A folder for temporary files."""
        return Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="fourcc-")))

    @cached_property
    def calibration(self) -> Calibration:
        """The calibration, once `costs` has made it."""
        return open_calibration(self.folder / CALIBRATION)

    @cached_property
    def original(self) -> Model:
        """The original, ready to run."""
        return open_to_run(self.path, self.stack, tokenizer=self.reading["tokenizer"])[0]

    def calibrate(self, text: str) -> Calibration:
        """Calibrates on a text."""
        path = self.folder / "calibrating.txt"
        path.write_text(text, encoding="utf-8", newline="\n")
        hessian, progress = self.feedback is not None, self.stage("calibrating", "tokens")
        calibrate(self.path, path, self.folder / CALIBRATION, hessian=hessian, progress=progress, **self.reading)
        return self.calibration

    def costs(self, calibrating: str, measuring: str, options: str | Iterable[str] | None) -> Costs:
        """Calibrates on one text and measures on the other."""
        self.calibrate(calibrating)
        self.keep_for_measuring(measuring)
        return measure(
            self.path,
            self.measuring,
            calibration=self.calibration,
            feedback=self.feedback,
            options=options,
            progress=self.stage("measuring", "stages"),
            note=self.note,
            **self.reading,
        )

    @property
    def measuring(self) -> Path:
        """The file with the text that is measured on."""
        return self.folder / "measuring.txt"

    def keep_for_measuring(self, text: str) -> None:
        """Takes the text that is measured on."""
        self.measuring.write_text(text, encoding="utf-8", newline="\n")

    def measured(self, name: str, planned: Plan, protocol: Protocol | None = None) -> tuple[Interval, Model]:
        """The KL divergence of a conversion from the original, and its temporary model.

        Args:
            name: for the stage.
            planned: the conversion.
            protocol: how the text is read; None: all of it, in windows of the usual length.
        """
        fd, notes = carried_out(
            planned, self.stack, self.reading["threads"], self.stage(f"converting {name}", "weights")
        )
        progress = self.stage(f"comparing {name}", "tokens")
        self.notes.extend(notes)
        model = self.stack.enter_context(Model(self.path, fd=fd))
        how = protocol or Protocol(window_context(self.original, 0), 0, self.reading["documents"], 0)
        text, running = read_text(self.measuring), Execution(threads=self.reading["threads"], progress=progress)
        subjects = [EvaluatedModel(model, "exact")]
        found = evaluation.measure(subjects, text, how, self.original, running)[0].divergence
        assert found is not None
        return found, model


def write_model(model: Model, target: Path | ShardTarget) -> tuple[Path, tuple[Path, ...]]:
    """Writes a temporary model to its place, from `check_model_output`; gives what was written, and all files of it."""
    if isinstance(target, ShardTarget):
        made = written_in_shards(model, target)
        return made.path, made.files
    write_runs(_model_bytes(model), target)
    return target, (target,)


def _model_bytes(model: Model) -> Iterator[bytes]:
    """The bytes of a model's file, in runs."""
    for start in range(0, model.file.size, RUN):
        yield bytes(model.file.read(start, min(RUN, model.file.size - start)))
