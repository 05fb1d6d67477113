"""From a checkpoint and a text to a model.bin of a given size, in one call: `fourcc.convert_to_budget`.

Calibrates on the first part of the text, measures the costs on the last, allocates, converts, and measures the result
beside the best uniform format and the best recipe that fit the budget. The best of them becomes the output.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from fourcc.analysis.extraction import write_runs
from fourcc.calibration.budget import Budget
from fourcc.calibration.calibrating import calibrate
from fourcc.calibration.costs import Costs
from fourcc.calibration.fitting import FittedMix, fit
from fourcc.calibration.measure import measure
from fourcc.calibration.pins import Pin, as_pins
from fourcc.calibration.reading import open_calibration
from fourcc.calibration.rehearsal import rehearse
from fourcc.calibration.session import OnNote
from fourcc.calibration.two_texts import two_texts
from fourcc.conversion.convert import Result
from fourcc.conversion.plan import plan
from fourcc.feedback.feedback import Feedback, as_feedback
from fourcc.files.write import check_name, check_target
from fourcc.models import evaluation
from fourcc.models.evaluation import EvaluatedModel, read_text
from fourcc.models.model import Model
from fourcc.models.opening import open_to_run
from fourcc.models.temporary import carried_out
from fourcc.models.windows import Protocol
from fourcc.sources import open_source

if TYPE_CHECKING:
    from fourcc.calibration.calibration import Calibration
    from fourcc.models.intervals import Interval
    from fourcc.policy import Policy
    from fourcc.progress import OnProgress
    from fourcc.sources.source import Source

RUN = 1 << 20  # bytes that are copied at once
OnStage = Callable[[str, str], "OnProgress | None"]  # (what is done, its unit) -> what takes its progress


@attrs.frozen(eq=False)
class MeasuredConversion:
    """A conversion within the budget, measured.

    Attributes:
        name: ``mix``, or the name of a format or a recipe.
        kind: ``mix``, ``uniform`` or ``recipe``.
        predicted: KL divergence from the original by the costs, in nats a token.
        divergence: as it was measured, on the text of the costs and with exact activations.
        file_bytes: length of the file.
        bits_per_weight: of all tensors.
    """

    name: str
    kind: str
    predicted: float
    divergence: Interval
    file_bytes: int
    bits_per_weight: float


@attrs.frozen(eq=False)
class ToBudget:
    """The result of a conversion to a budget.

    Attributes:
        result: the output.
        mix: as it was allocated.
        candidates: the mix, the best uniform format and the best recipe that fit the budget; the first is the output.
        costs: what the mix was allocated by.
    """

    result: Result
    mix: FittedMix
    candidates: tuple[MeasuredConversion, ...]
    costs: Costs

    def __repr__(self) -> str:
        return f"<ToBudget {self.result.path}: {self.kept.name}, KL divergence {self.kept.divergence}>"

    @property
    def kept(self) -> MeasuredConversion:
        """The candidate that is the output."""
        return self.candidates[0]


def convert_to_budget(  # noqa: PLR0913 - keyword-only, one an option of the command
    source: str | Path,
    output: str | Path,
    budget: str | Budget,
    text: str | Path,
    *,
    options: str | Iterable[str] | None = None,
    pins: str | Iterable[str | Pin] = (),
    feedback: str | Feedback | None = "gptq",
    documents: bool = False,
    tokenizer: str | Path | None = None,
    threads: int | None = None,
    force: bool = False,
    stage: OnStage = lambda what, unit: None,  # noqa: ARG005 - a call that does nothing
    note: OnNote = lambda line: None,  # noqa: ARG005 - a call that does nothing
) -> ToBudget:
    """Converts a checkpoint to the model.bin with the least KL divergence that a budget can buy.

    Args:
        source: a checkpoint's file or folder, or a model.bin; it must be one that can be run.
        output: the model.bin to write.
        budget: ``"2.4MB"`` or ``"30%"`` (of the source) for the file, or ``"4.0bpw"`` for the tensors.
        text: the file that holds the text, UTF-8: seven eighths of it calibrate, the last eighth measures.
        options: the formats to choose from, ``TAG[:NAME=VALUE]...,TAG``; None: the quantized formats of ggml.
        pins: units whose format is given: ``role=GLOB:TAG`` or ``GLOB:TAG``.
        feedback: ``"gptq"``, or the settings of error feedback; None: no feedback.
        documents: whether empty lines separate documents, each of which is read by itself.
        tokenizer: a tokenizer file to store with the model.
        threads: number of threads. The bytes do not depend on it.
        force: replace an existing output.
        stage: called with each stage's name and unit, gives a function that takes the stage's progress.
        note: called with a line on each thing that is odd.

    Raises:
        UsageError: an argument is wrong, the model cannot be run, the text is too short, or no mix fits the budget.
        InputError: a file is damaged, or the network gives numbers that are not finite.
        PluginError: a format is missing, or does not keep its contract.
        OutputError: the output, or a temporary file, cannot be written.
    """
    asked, pinned = Budget.of(budget), as_pins(pins)
    check_name(Path(output))
    parts = two_texts(read_text(Path(text)), Path(text))
    with ExitStack() as stack:
        opened = stack.enter_context(open_source(Path(source), None if tokenizer is None else Path(tokenizer)))
        target = check_target(Path(output), [*opened.all_files, Path(text)], force=force)
        chosen = options if options is None or isinstance(options, str) else tuple(options)
        rehearse(opened, chosen, asked, pinned, as_feedback(feedback))
        reading = {"documents": documents, "tokenizer": tokenizer, "threads": threads}
        work = _BudgetSteps(Path(source), opened, as_feedback(feedback), reading, stage, note, stack)
        costs = work.costs(*parts, chosen)
        mix = fit(opened, costs, asked, pinned)
        measured = [work.candidate(*each, costs) for each in _rivals(mix)]
        ranked = sorted(measured, key=lambda pair: pair[0].divergence.mean)  # a tie goes to the mix
        kept = ranked[0][1]
        write_runs(_runs(kept), target)
        result = Result(target, kept.digest, kept.index, tuple(dict.fromkeys(work.notes)))
    return ToBudget(result, mix, tuple(each for each, _ in ranked), costs)


def _rivals(mix: FittedMix) -> Iterator[tuple[str, str, Policy, float]]:
    """Name, kind, policy and predicted divergence of the mix, and of the named mixes that are not the same."""
    yield "mix", "mix", mix.policy, mix.allocation.kld
    for rival in (mix.uniform, mix.recipe):
        if rival is not None and rival.mix.allocation.chosen != mix.allocation.chosen:
            yield rival.mix.name, rival.mix.kind, rival.plan.policy, rival.mix.allocation.kld


def _runs(model: Model) -> Iterator[bytes]:
    """The bytes of a model's file."""
    for start in range(0, model.file.size, RUN):
        yield bytes(model.file.read(start, min(RUN, model.file.size - start)))


@attrs.define(eq=False, slots=False)
class _BudgetSteps:
    """The steps of a conversion to a budget, for an opened source; the stack closes what they open."""

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
        return open_calibration(self.folder / "model.calib")

    @cached_property
    def original(self) -> Model:
        """The original, ready to run."""
        return open_to_run(self.path, self.stack, tokenizer=self.reading["tokenizer"])[0]

    def costs(self, calibrating: str, measuring: str, options: str | Iterable[str] | None) -> Costs:
        """Calibrates on one text and measures on the other."""
        texts = self.folder / "calibrating.txt", self.folder / "measuring.txt"
        for path, text in zip(texts, (calibrating, measuring), strict=True):
            path.write_text(text, encoding="utf-8")
        hessian, progress = self.feedback is not None, self.stage("calibrating", "tokens")
        made = self.folder / "model.calib"
        calibrate(self.path, texts[0], made, hessian=hessian, progress=progress, **self.reading)
        return measure(
            self.path,
            texts[1],
            calibration=self.calibration,
            feedback=self.feedback,
            options=options,
            progress=self.stage("measuring", "stages"),
            note=self.note,
            **self.reading,
        )

    def candidate(
        self, name: str, kind: str, policy: Policy, predicted: float, costs: Costs
    ) -> tuple[MeasuredConversion, Model]:
        """A conversion as it measures on the text of the costs, and its temporary file."""
        progress = self.stage(f"comparing {name}", "tokens")
        planned = plan(self.source, policy, calibration=self.calibration, feedback=self.feedback)
        fd, notes = carried_out(planned, self.stack, self.reading["threads"])
        self.notes.extend(notes)
        model = self.stack.enter_context(Model(self.path, fd=fd))
        protocol = Protocol(costs.context, 0, costs.documents, costs.tokens)
        text, threads = read_text(self.folder / "measuring.txt"), self.reading["threads"]
        subjects = [EvaluatedModel(model, "exact")]
        found = evaluation.measure(subjects, text, protocol, self.original, threads, progress)[0].divergence
        assert found is not None
        size, bits = os.fstat(model.file.fd).st_size, model.index.bits_per_weight
        return MeasuredConversion(name, kind, predicted, found, size, bits), model
