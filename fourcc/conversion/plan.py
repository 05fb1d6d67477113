"""Planning a conversion: the format of every tensor, decided before a weight is read or a byte written."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, Literal, Protocol

import attrs

from fourcc.arrays import Floats
from fourcc.conversion.activation_ranges import RangeData, calibrated_ranges, source_ranges
from fourcc.conversion.fallback_notes import fallback_notes
from fourcc.conversion.file_size import file_bytes
from fourcc.conversion.kept_policy import policy_before
from fourcc.conversion.pipeline import Step, feedback_record
from fourcc.conversion.step_checks import check_step, check_storable
from fourcc.conversion.without_feedback import without_feedback
from fourcc.errors import PluginError, PolicyError, Problem, UsageError
from fourcc.feedback.feedback import Feedback, as_feedback
from fourcc.format import Aids
from fourcc.naming import layer, roles
from fourcc.networks import left_out
from fourcc.plugins.registry import registry
from fourcc.policy import Decision, Policy, TensorInfo
from fourcc.records import Records
from fourcc.sources import warnings
from fourcc.sources.activation_ranges import BLOB as RANGES_BLOB
from fourcc.sources.activation_ranges import packed_ranges
from fourcc.sources.foreign_weights import refuse_encoding
from fourcc.sources.model_bin import POLICY_BLOB
from fourcc.sources.source import Source, SourceTensor


class CalibrationData(RangeData, Protocol):
    """The questions of a plan to a calibration; `fourcc.calibration.calibration.Calibration` answers them."""

    def check(self, source: Source) -> None:
        """Raises UsageError where it is a calibration of another model."""

    def aids(self, source: Source, *, hessian: bool = False) -> Mapping[str, Aids]:
        """The aids of each tensor that it knows."""

    def notes(self, asking: Sequence[str]) -> tuple[str, ...]:
        """Notes on what it cannot say of the tensors whose formats use calibration data."""


@attrs.frozen(eq=False, repr=False)
class Plan(Records):
    """The plan of a conversion, decided before anything is written.

    Attributes:
        source: the opened checkpoint.
        policy: what decided the formats.
        steps: the tensors, in the order in which they are written.
        calibration: where the aids of the steps come from; None where there is none.
        ranges: static ranges of activations that are stored, float32 (columns / 32,) by names of tensors.
        given: the tensors whose aids were given by name, not by the calibration.
    """

    source: Source
    policy: Policy
    steps: tuple[Step, ...]
    calibration: CalibrationData | None = None
    ranges: Mapping[str, Floats] = attrs.field(factory=dict)
    given: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        bits = 8 * self.nbytes / max(1, self.weights)
        return f"<Plan for {self.source.path}: {len(self.steps)} tensors, {bits:.4g} bits per weight>"

    def _repr_html_(self) -> str:
        """HTML for notebooks: the formats as a map of layers and kinds of tensors."""
        from fourcc.drawing import notebook

        return notebook.output(notebook.heading(self), notebook.tensors(self.records()))

    def records(self) -> list[dict[str, Any]]:
        """The decision about each tensor, in the order in which they are written.

        Returns:
            For each: ``name``, ``roles``, ``layer``, ``shape``, ``weights``, ``stored_tag``, ``tag`` and ``settings``
            (as text) of the output, ``kept``, ``bits_per_weight``, ``bytes``, ``rule`` (index of the rule that
            decided), and ``fallback_from``, the rule's first format where a later one was taken, else None.
        """
        return [step.decision.fields() for step in self.steps]

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors, without padding."""
        return sum(step.decision.nbytes for step in self.steps)

    @property
    def weights(self) -> int:
        """Number of weights."""
        return sum(prod(step.source.shape) for step in self.steps)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Notes on oddities of the source, on what keeps the output from being run, and on what it will lack."""
        source, taken = self.source, {step.source.name for step in self.steps}
        of_all = warnings(source)  # on the whole model; they are said of the wanted tensors instead
        lacking = left_out(source.architecture, (tensor.name for tensor in source.tensors), taken)
        return (
            *(note for note in source.notes if note not in of_all),
            *warnings(source, taken),
            *lacking,
            *fallback_notes(self.policy, (step.decision for step in self.steps)),
            *self._of_calibration,
            *self._of_feedback,
        )

    @property
    def _of_calibration(self) -> tuple[str, ...]:
        """Notes on what the calibration does not know of the tensors whose encoders, or their feedback, ask for it."""
        encoded = [step for step in self.steps if not step.decision.keep]
        seeing = {step.source.name for step in encoded if registry[step.decision.tag].sees} | self._fed
        asking = [step.source.name for step in encoded if step.source.name in seeing]
        if self.calibration is None or (self.ranges and not asking):  # else it would be said to be of no use
            return ()
        return self.calibration.notes(asking)

    @property
    def _of_feedback(self) -> tuple[str, ...]:
        """The note that nothing takes the error feedback that was asked for."""
        if self._fed or not any(step.feedback for step in self.steps):
            return ()
        return ("error feedback is not used: no tensor is encoded in a format that takes it",)

    @cached_property
    def _fed(self) -> frozenset[str]:
        """The tensors that are encoded with error feedback."""
        return frozenset(step.source.name for step in self.steps if feedback_record(step, lambda _: b"") is not None)

    @cached_property
    def blobs(self) -> Mapping[str, bytes]:
        """The blobs of the output: those of the source, the ranges of activations, the policy.

        A copy of a model.bin keeps the policy that it was made with, to which the numbers of its rules belong.
        """
        blobs = {name: data for name, data in self.source.blobs.items() if name != RANGES_BLOB}
        if self.ranges:
            blobs[RANGES_BLOB] = packed_ranges(self.ranges)
        before = policy_before(self.source, self.policy, (step.source for step in self.steps))
        return {**blobs, POLICY_BLOB: self.policy.text.encode() if before is None else before}

    @cached_property
    def file_bytes(self) -> int:
        """The output's length; `fourcc.conversion.file_size` says where it is only a bound, or an estimate."""
        return file_bytes(self.source, self.blobs, self.steps)

    @cached_property
    def unmet(self) -> tuple[Problem, ...]:
        """The policy's expectations that the file would not meet."""
        return self.unmet_by(lambda: self.file_bytes)

    def unmet_by(self, file_bytes: Callable[[], int]) -> tuple[Problem, ...]:
        """The policy's expectations that a file of another length would not meet."""
        layers = [number for tensor in self.source.tensors if (number := layer(tensor.name)) is not None]
        decisions = [step.decision for step in self.steps]
        return self.policy.unmet(decisions, 1 + max(layers, default=-1), file_bytes)

    def refuse_unmet(self) -> None:
        """Raises PolicyError where the policy's expectations do not hold."""
        if self.unmet:
            *others, last = self.unmet
            hint = "`fourcc policy check` shows what each tensor comes to"
            raise PolicyError([*others, last._replace(hint=hint)], file=self.policy.file)


def plan(  # noqa: PLR0913 - keyword-only, one an option of the command
    source: Source,
    policy: Policy,
    *,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    aids: Mapping[str, Aids] | None = None,
    feedback: str | Feedback | None = None,
    no_feedback_for: Iterable[str] = (),
    calibration: CalibrationData | None = None,
    activations: Literal["static"] | None = None,
) -> Plan:
    """Decides every tensor's format; reads no weight and writes nothing.

    Args:
        source: an opened checkpoint.
        policy: the rules.
        include: globs of tensor names; none: all.
        exclude: globs of names to leave out.
        aids: calibration data by tensor name.
        feedback: ``"gptq"``, or the settings of error feedback, for the tensors with a `hessian` but embeddings.
        no_feedback_for: globs of roles whose tensors have none.
        calibration: an opened calibration file, which gives the data of tensors that `aids` has none of.
        activations: ``static``: store ranges of activations, from the calibration; None: those that the source has.

    Raises:
        PolicyError: the policy cannot be carried out on these tensors; the message has every reason.
        UsageError: a glob matches nothing, a format needs calibration data that is not given, the calibration is of
            another model, or has no ranges of activations.
        InputError: the calibration's statistics have another shape than their tensor, or ranges that the source has
            are damaged.
    """
    tensors = _selected(source, as_globs(include), as_globs(exclude))
    tied = bool(source.hyper.get("tied_embeddings", False))
    everything = [describe(tensor, tied=tied) for tensor in source.tensors]
    decisions = policy.resolve(everything, wanted={tensor.name for tensor in tensors})
    known = _known_aids(source, aids or {}, calibration)
    settings = as_feedback(feedback)
    steps = tuple(
        _step(tensor, decision, known, None if _looked_up(tensor, tied=tied) else settings)
        for tensor, decision in zip(tensors, decisions, strict=True)
    )
    if settings is not None and not any(step.feedback for step in steps):
        hint = "Give a calibration that was made with `fourcc calibrate --hessian`; an imatrix of llama.cpp has none."
        raise UsageError("error feedback needs Hessians, and there is none", file=source.path, hint=hint)
    steps = without_feedback(steps, as_globs(no_feedback_for))
    refuse_encoding(source, (step.source.name for step in steps if not step.decision.keep))
    for step in steps:
        check_storable(step.source, source.path)
        check_step(step)
    names = [step.source.name for step in steps]
    static = activations == "static"
    ranges = calibrated_ranges(calibration, source, names) if static else source_ranges(source, names)
    return Plan(source, policy, steps, calibration, ranges, frozenset(aids or ()))


def _known_aids(source: Source, aids: Mapping[str, Aids], calibration: CalibrationData | None) -> Mapping[str, Aids]:
    """The calibration data of each tensor; those that are given by name come first."""
    if calibration is None:
        return aids
    if isinstance(calibration, (str, Path)):
        raise UsageError(
            "a calibration is opened first", found=repr(calibration), hint="Use `fourcc.open_calibration`."
        )
    calibration.check(source)
    return ChainMap(dict(aids), calibration.aids(source, hessian=True))  # type: ignore[arg-type]  # it is only read


def _step(tensor: SourceTensor, decision: Decision, known: Mapping[str, Aids], feedback: Feedback | None) -> Step:
    """The step of a tensor, with error feedback if its inputs are known and it is encoded."""
    aids = Aids() if decision.keep else known.get(tensor.name, Aids())
    fed = not decision.keep and not decision.nonfinite and aids.hessian is not None
    return Step(tensor, decision, aids, feedback if fed else None)


def _looked_up(tensor: SourceTensor, *, tied: bool) -> bool:
    """Whether rows of the tensor are looked up, so that a Hessian does not tell what its errors cost."""
    return "embedding" in roles(tensor.name, tied=tied)


def describe(tensor: SourceTensor, *, tied: bool) -> TensorInfo:
    """The properties of a tensor that a policy can ask for."""
    try:
        real = registry[tensor.tag].real
    except PluginError:  # missing or broken, so the tensor can only be kept
        real = True
    return TensorInfo(
        name=tensor.name,
        shape=tensor.shape,
        roles=roles(tensor.name, tied=tied),
        layer=layer(tensor.name),
        tag=tensor.tag,
        params=tensor.params,
        real=real,
        nbytes=None if tensor.record is None else tensor.record.nbytes,
    )


def as_globs(given: Iterable[str]) -> tuple[str, ...]:
    """The globs that an argument gives; a single text is one glob."""
    return (given,) if isinstance(given, str) else tuple(given)


def name_filter(source: Source, include: tuple[str, ...], exclude: tuple[str, ...]) -> Callable[[str], bool]:
    """A function that tells of a name whether it is wanted. Raises UsageError where a glob matches no tensor."""
    names = [tensor.name for tensor in source.everything]
    for option, globs in (("--include", include), ("--exclude", exclude)):
        for glob in globs:
            if not any(fnmatchcase(name, glob) for name in names):
                raise UsageError(f"{option} {glob!r} matches no tensor", hint="`fourcc inspect` lists the names.")

    def wanted(name: str) -> bool:
        included = not include or any(fnmatchcase(name, glob) for glob in include)
        return included and not any(fnmatchcase(name, glob) for glob in exclude)

    return wanted


def _selected(source: Source, include: tuple[str, ...], exclude: tuple[str, ...]) -> list[SourceTensor]:
    wanted = name_filter(source, include, exclude)
    source.refuse_unreadable(wanted)
    tensors = [tensor for tensor in source.tensors if wanted(tensor.name)]
    if source.tensors and not tensors:
        what = f"--include and --exclude leave none of the {len(source.tensors)} tensors"
        raise UsageError(what, file=source.path, hint="`fourcc inspect` lists the names.")
    return tensors
