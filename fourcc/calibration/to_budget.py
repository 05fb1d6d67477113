"""From a checkpoint and a text to a model.bin of a given size, in one call: `fourcc.convert_to_budget`.

Calibrates on the first part of the text, measures the costs on the last, allocates, converts, and measures the result
beside the best uniform format and the best recipe that fit the budget. The best of them becomes the output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from fourcc.calibration.budget import Budget
from fourcc.calibration.conversion_trials import ConversionTrials, OnStage, write_model
from fourcc.calibration.costs import Costs
from fourcc.calibration.fitting import FittedMix, fit
from fourcc.calibration.pins import Pin, as_pins
from fourcc.calibration.rehearsal import rehearse
from fourcc.calibration.session import OnNote
from fourcc.calibration.two_texts import two_texts
from fourcc.container.shard_files import check_model_output
from fourcc.conversion.plan import plan
from fourcc.conversion.result import Result
from fourcc.feedback.feedback import Feedback, as_feedback
from fourcc.files.write import check_name
from fourcc.models.model import Model
from fourcc.models.text_files import read_text
from fourcc.models.windows import Protocol
from fourcc.records import Records
from fourcc.sources import open_source

if TYPE_CHECKING:
    from fourcc.models.intervals import Interval
    from fourcc.policy import Policy


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
class ToBudget(Records):
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

    def records(self) -> list[dict[str, Any]]:
        """The candidates; the first is the output.

        Returns:
            For each: ``name``, ``kind`` (``mix``, ``uniform`` or ``recipe``), ``bits_per_weight``, ``file_bytes``,
            ``predicted`` and ``divergence``, KL divergences from the original in nats a token, and ``divergence_low``
            and ``divergence_high``, the ends of its 95 % interval, None where there is too little text.
        """
        fields = ("name", "kind", "bits_per_weight", "file_bytes", "predicted")
        return [
            {
                **{name: getattr(each, name) for name in fields},
                "divergence": each.divergence.mean,
                "divergence_low": each.divergence.low,
                "divergence_high": each.divergence.high,
            }
            for each in self.candidates
        ]

    def _repr_html_(self) -> str:
        """HTML for notebooks: the candidates, and the frontier."""
        from fourcc.drawing import notebook

        table = notebook.short_table(self.records(), caption="Candidates within the budget; the first is the output")
        return notebook.output(
            notebook.heading(f"{self.result.path.name}: {self.kept.name}, KL divergence {self.kept.divergence}"),
            table,
            self.mix.drawn(),
        )

    @property
    def kept(self) -> MeasuredConversion:
        """The candidate that is the output."""
        return self.candidates[0]


@attrs.frozen(eq=False)
class BestConversion:
    """The best conversion within a budget.

    Attributes:
        model: in a temporary file.
        mix: as it was allocated.
        candidates: as those of `ToBudget`.
        costs: what the mix was allocated by.
    """

    model: Model
    mix: FittedMix
    candidates: tuple[MeasuredConversion, ...]
    costs: Costs


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
    shard_size: str | int | None = None,
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
        shard_size: bytes of tensors that a file holds at most, as `fourcc.convert` takes it.
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
        read = [*opened.all_files, Path(text)]
        target = check_model_output(Path(output), read, shard_size=shard_size, force=force)
        chosen = options if options is None or isinstance(options, str) else tuple(options)
        rehearse(opened, chosen, asked, pinned, as_feedback(feedback))
        reading = {"documents": documents, "tokenizer": tokenizer, "threads": threads}
        work = ConversionTrials(Path(source), opened, as_feedback(feedback), reading, stage, note, stack)
        best = best_within(work, parts, asked, pinned, chosen)
        path, files = write_model(best.model, target)
        result = Result(path, best.model.digest, best.model.index, tuple(dict.fromkeys(work.notes)), files)
    return ToBudget(result, best.mix, best.candidates, best.costs)


def best_within(
    work: ConversionTrials,
    texts: tuple[str, str],
    asked: Budget,
    pinned: Sequence[Pin],
    chosen: str | Iterable[str] | None,
) -> BestConversion:
    """Allocates, converts into temporary files, and measures: the best conversion within a budget.

    Args:
        work: on the opened source.
        texts: to calibrate on, and to measure on.
        asked: the budget.
        pinned: units whose format is given.
        chosen: the formats to choose from.
    """
    costs = work.costs(*texts, chosen)
    mix = fit(work.source, costs, asked, pinned)
    measured = [_candidate(work, costs, asked, *each) for each in _rivals(mix)]
    ranked = sorted(measured, key=lambda pair: pair[0].divergence.mean)  # a tie goes to the mix
    return BestConversion(ranked[0][1], mix, tuple(each for each, _ in ranked), costs)


def _candidate(
    work: ConversionTrials, costs: Costs, asked: Budget, name: str, kind: str, policy: Policy, predicted: float
) -> tuple[MeasuredConversion, Model]:
    """A conversion as it measures on the text of the costs, and its temporary model."""
    planned = plan(work.source, policy, calibration=work.calibration, feedback=work.feedback)
    protocol = Protocol(costs.context, 0, costs.documents, costs.tokens)
    found, model = work.measured(name, planned, protocol)
    size = model.file.size if asked.length is None else asked.length(planned)
    bits = model.index.bits_per_weight
    return MeasuredConversion(name, kind, predicted, found, size, bits), model


def _rivals(mix: FittedMix) -> Iterator[tuple[str, str, Policy, float]]:
    """Name, kind, policy and predicted divergence of the mix, and of the named mixes that are not the same."""
    yield "mix", "mix", mix.policy, mix.allocation.kld
    for rival in (mix.uniform, mix.recipe):
        if rival is not None and rival.mix.allocation.chosen != mix.allocation.chosen:
            yield rival.mix.name, rival.mix.kind, rival.plan.policy, rival.mix.allocation.kld
