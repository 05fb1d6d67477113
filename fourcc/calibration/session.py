"""One measurement of an opened model: what is asked for, what is done already, and the costs that come of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.calibration.asked_options import spelled_option
from fourcc.calibration.calibrating import window_context
from fourcc.calibration.costs import BEGIN, Costs
from fourcc.calibration.costs_reading import read_costs
from fourcc.calibration.encoded_options import EncodingSetting
from fourcc.calibration.measuring import (
    MeasuredHere,
    Measuring,
    Notes,
    NotesInMemory,
    is_measured,
    stages_to_run,
    steps_to_do,
    unit_seconds,
)
from fourcc.calibration.memory_need import MeasuringRoom, measuring_room
from fourcc.calibration.model_digest import model_digest
from fourcc.calibration.original_run import OriginalRun
from fourcc.calibration.product_timer import ProductTimer
from fourcc.calibration.run_facts import network_facts, windows_digest
from fourcc.calibration.unit_measurer import UnitMeasurer
from fourcc.calibration.units import Group, PlannedUnit, PlannedUnits, notes_on, planned_units
from fourcc.compute import target_name
from fourcc.errors import UsageError
from fourcc.execution import Execution
from fourcc.files.part_file import PartFile, completed
from fourcc.models.evaluation import architecture_of
from fourcc.models.staged import StagedNetwork
from fourcc.models.text_files import as_text
from fourcc.models.tokenizers.tokenizer import in_use
from fourcc.models.weights_in_turn import NetworkInTurn
from fourcc.models.windows import Cut, Protocol, cut
from fourcc.progress import OnProgress, counter

if TYPE_CHECKING:
    from fourcc.calibration.calibration import Calibration
    from fourcc.feedback.feedback import Feedback
    from fourcc.format import Aids
    from fourcc.models.model import Model
    from fourcc.models.stored_network import WorkElsewhere
    from fourcc.policy.asked_formats import TargetFormat
    from fourcc.sources.source import Source

TOKENS = 2000  # of the text
OnNote = Callable[[str], None]


@attrs.frozen(eq=False, kw_only=True)
class Wanted:
    """The measurement that is asked for.

    Attributes:
        options: the formats to try.
        spare: further formats, for a model with a matrix that none of the options fits.
        groups: roles whose matrices within a layer get one format.
        tokens: tokens to measure, at most.
        context: tokens of a window; 0: as `window_context` has it.
        documents: whether empty lines part documents, each read by itself.
        direct: whether every option is measured, none predicted.
        feedback: settings of the error feedback that encoders use; None: none.
        seconds: whether the time of products is taken, too.
    """

    options: tuple[TargetFormat, ...]
    spare: tuple[TargetFormat, ...] = ()
    groups: tuple[Group, ...] = ()
    tokens: int = TOKENS
    context: int = 0
    documents: bool = False
    direct: bool = False
    feedback: Feedback | None = None
    seconds: bool = False

    def head(self) -> dict[str, object]:
        """The part of it that no field of `Costs` has, as JSON has it."""
        groups = ["+".join(sorted(group)) for group in self.groups]
        flags = {"direct": self.direct, "seconds": self.seconds}
        return {"options": list(map(spelled_option, (*self.options, *self.spare))), "groups": groups, **flags}


@attrs.frozen(eq=False)
class Session:
    """One measurement, of opened files.

    Attributes:
        source: the original's tensors.
        model: the original, ready to run.
        wanted: what is asked for.
        calibration: of the original.
        file: the measuring text's.
        threads: number of threads.
        note: takes notes.
    """

    source: Source
    model: Model
    wanted: Wanted
    calibration: Calibration | None
    file: Path
    threads: int
    note: OnNote

    def costs(self, target: Path | None, how: Execution) -> Costs:
        """The costs; with a target they are written, and what is done is noted beside it until then."""
        data = self.file.read_bytes()
        planned = planned_units(self.source, self.wanted.options, self.wanted.groups, self.wanted.spare)
        self._note_all(planned.notes)
        self._check_feedback(planned)
        self._note_calibration(planned, hashlib.sha256(data).hexdigest())
        text = self._cut(data)
        head = self._head(planned, text, data)
        if target is None:
            return self._finished(planned, head, NotesInMemory(), text, how)
        facts = self._facts(head, text)
        if how.resume and completed(target, facts) is not None:
            return read_costs(target)
        with PartFile(target, facts, resume=how.resume, anew=how.anew) as out:
            out.write_at(0, BEGIN)
            if out.done:
                done = sum(is_measured(unit, out, direct=self.wanted.direct) for unit in planned.units)
                steps = f"{len(out.done)} options were encoded or run before the interruption"
                self.note(f"{steps}; {done} of {len(planned.units)} units are done")
            costs = self._finished(planned, head, out, text, how)
            out.write_at(0, costs.encoded())
        return costs

    def _finished(self, planned: PlannedUnits, head: Costs, notes: Notes, text: Cut, how: Execution) -> Costs:
        """The costs of all units."""
        with self._measuring(planned.units, notes, text, how) as measuring:
            units = {each.name: each for each in measuring.units(planned.units)}
        costs = attrs.evolve(head, units=tuple(units[unit.name] for unit in planned.units))
        self._note_all(notes_on(planned, costs.units))
        return costs

    def _note_all(self, notes: Iterable[str]) -> None:
        for each in notes:
            self.note(each)

    def _check_feedback(self, planned: PlannedUnits) -> None:
        """Raises UsageError where error feedback is asked for, and no Hessian is known."""
        if self.wanted.feedback is None:
            return
        names = [tensor.name for unit in planned.units if not unit.looked_up for tensor in unit.tensors]
        if self.calibration is None or all(self.calibration.hessian(name) is None for name in names):
            hint = "Give a calibration that was made with `fourcc calibrate --hessian`."
            raise UsageError("error feedback needs Hessians, and there is none", file=self.source.path, hint=hint)

    def _note_calibration(self, planned: PlannedUnits, text: str) -> None:
        """Notes what the calibration cannot say, and whether the text of this SHA-256 is its own, too."""
        if self.calibration is None:
            return
        self._note_all(self.calibration.notes([tensor.name for unit in planned.units for tensor in unit.tensors]))
        if text in {each.digest for each in self.calibration.texts}:
            self.note(
                f"{self.file.name} is the calibration's text, too: measure on another, else costs come out too low"
            )

    def _cut(self, data: bytes) -> Cut:
        """The windows of the measuring text."""
        context = window_context(self.model, self.wanted.context)
        protocol = Protocol(context, 0, self.wanted.documents, self.wanted.tokens)
        text = cut(as_text(data, self.file), self.model.tokenizer, protocol)
        if text.scored < self.wanted.tokens:
            short = f"the measuring text has {text.scored} tokens to score, fewer than {self.wanted.tokens}"
            self.note(f"{short}: a longer one gives surer costs")
        return text

    def _head(self, planned: PlannedUnits, text: Cut, data: bytes) -> Costs:
        """The costs without their units."""
        from fourcc import __version__

        return Costs(
            fourcc=__version__,
            machine=target_name(),
            model=model_digest(self.source),
            calibration=None if self.calibration is None else self.calibration.digest,
            text=hashlib.sha256(data).hexdigest(),
            tokens=text.scored,
            context=text.protocol.context,
            documents=self.wanted.documents,
            feedback=None if self.wanted.feedback is None else attrs.asdict(self.wanted.feedback),
            units=(),
            fixed=planned.fixed,
        )

    def _facts(self, head: Costs, text: Cut) -> dict[str, object]:
        """All that the results depend on."""
        known = {
            key: value for key, value in attrs.asdict(head, recurse=False).items() if key not in {"units", "fixed"}
        }
        windows = {"windows": windows_digest(text.windows), "vocabulary": self._vocabulary}
        return {**known, **network_facts(self.source), **windows, **self.wanted.head(), "unit": "step"}

    @contextmanager
    def _measuring(self, units: Sequence[PlannedUnit], notes: Notes, text: Cut, how: Execution) -> Iterator[Measuring]:
        """The measurement of units, here or on the workers of an executor."""
        weights, direct = sum(unit.weights for unit in units), self.wanted.direct
        layers, room = architecture_of(self.model).n_layers, self._room(units, text, how.memory)
        if how.executor is None:
            pending = [unit for unit in units if not is_measured(unit, notes, direct=direct)]
            stages = StageCounter(stages_to_run(pending, layers, direct=direct), how.progress)
            setting = EncodingSetting(self.wanted.feedback, weights, self.threads)
            original = partial(self._original, text, stages, room)
            measurer = UnitMeasurer(original, self._aids(), setting, sparing=room is not None)
            timed = partial(unit_seconds, measurer, ProductTimer(self.threads)) if self.wanted.seconds else None
            yield Measuring(MeasuredHere(measurer, layers, stages.begin), notes, direct, timed)
            return
        from fourcc.calibration.spread_options import MeasuringRequest, SpreadOptions
        from fourcc.cluster.workers import Workers

        spread = self._spread(text, how, in_turn=room is not None and room.in_turn)
        known = None if self.calibration is None else str(self.calibration.path.absolute())
        taken = (known, self.wanted.feedback, weights)
        request = MeasuringRequest(spread.networks[0], text.windows, self._vocabulary, *taken)
        count = counter(steps_to_do(units, notes, direct=direct), how.progress)
        with Workers(how.executor, spread.conditions) as workers:
            yield Measuring(SpreadOptions(workers, request, layers, lambda name: count(name, 1)), notes, direct)

    def _spread(self, text: Cut, how: Execution, *, in_turn: bool) -> WorkElsewhere:
        """The needs of workers. Raises UsageError where the time of products is asked for, too."""
        from fourcc.models.stored_network import WorkElsewhere

        if self.wanted.seconds:
            hint = "Measure them on one machine, without --cluster."
            raise UsageError("the time of products is that of one machine, not of many", hint=hint)
        files = [] if self.calibration is None else [self.calibration.path]
        tags = [option.format.tag for option in (*self.wanted.options, *self.wanted.spare)]
        context = text.protocol.context
        return WorkElsewhere.of([self.source.path], context, how.threads, files=files, tags=tags, in_turn=in_turn)

    def _room(self, units: Sequence[PlannedUnit], text: Cut, cap: int | None) -> MeasuringRoom | None:
        """The room under a cap on memory; None: there is none."""
        if cap is None:
            return None
        return measuring_room(self.model, text, units, feedback=self.wanted.feedback is not None, cap=cap)

    def _original(self, text: Cut, stages: StageCounter, room: MeasuringRoom | None) -> OriginalRun:
        """The original on the measuring text."""
        context = text.protocol.context
        turned = room is not None and room.in_turn
        network = (
            NetworkInTurn(self.model, context, self.threads) if turned else self.model.network(context, self.threads)
        )
        staged, kept = StagedNetwork(network), None if room is None else room.kept_bytes
        return OriginalRun(staged, text.windows, self._vocabulary, stages, kept)

    @property
    def _vocabulary(self) -> int:
        """The number of tokens; further rows of the classifier are padding."""
        return in_use(self.model.tokenizer, architecture_of(self.model).vocab_size)

    def _aids(self) -> Mapping[str, Aids]:
        """The calibration data of each tensor."""
        return {} if self.calibration is None else self.calibration.aids(self.source, hessian=True)


class StageCounter:
    """Reports how many stages were run, and for which unit.

    Args:
        total: stages that will be run, about.
        progress: is told; None: nobody is.
    """

    def __init__(self, total: int, progress: OnProgress | None) -> None:
        self._count, self._name = counter(total, progress), ""

    def begin(self, name: str) -> None:
        """Names the unit that is measured from now on."""
        self._name = name
        self(0)

    def __call__(self, stages: int) -> None:
        """Counts stages that were run."""
        self._count(self._name, stages)
