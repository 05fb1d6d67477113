"""The report as values: everything that the page shows, gathered, and nothing of how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from fourcc.analysis.statistics import Statistics
    from fourcc.metrics import ErrorSums


@attrs.frozen
class WeightPicture:
    """The weights of a tensor, or of a sample of it.

    Attributes:
        now: their statistics; weights counts those that were looked at.
        bars: counts of the histogram's bars.
        ends: of the range that the bars divide: four standard deviations around the mean, cut to the whole range.
        before: counts of the compared model's weights in the same bars; None where there is none.
        code_counts: counts of the stored codes, or of runs of them; empty where the format has none.
        code_ends: the first and the last code.
        error: of the weights against the compared model's, of those that are finite in both; None where there is none.
        differing: how many of the weights differ, those that are not finite among them.
        whole: whether all weights were looked at.
    """

    now: Statistics
    bars: tuple[int, ...] = ()
    ends: tuple[float, float] = (0.0, 0.0)
    before: tuple[int, ...] | None = None
    code_counts: tuple[int, ...] = ()
    code_ends: tuple[int, int] = (0, 0)
    error: ErrorSums | None = None
    differing: int = 0
    whole: bool = True


@attrs.frozen
class OfferedOption:
    """A format that a unit could have, by its costs.

    Attributes:
        name: tag and settings.
        bits: per weight.
        kld: nats a token, or None.
        here: whether the file has it.
    """

    name: str
    bits: float
    kld: float | None
    here: bool = False


@attrs.frozen
class TensorCosts:
    """Costs of a tensor's unit.

    Attributes:
        unit: its name.
        kld: nats a token that the unit loses in the file's format; None where the format was not measured.
        reference: the same in a format of about as many bits as other units' reference; None where unknown.
        reference_name: that format.
        options: those that lose clearly less than every smaller one, and the file's own, by bits.
    """

    unit: str
    kld: float | None
    reference: float | None
    reference_name: str
    options: tuple[OfferedOption, ...]


@attrs.frozen
class ReportedPart:
    """The place of a part in the file; `checksum` is the hexadecimal XXH3-64 of its chunks, shortened."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int
    checksum: str


@attrs.frozen
class Counterpart:
    """The tensor of the same name in the model that is compared with."""

    tag: str
    shape: tuple[int, ...]
    nbytes: int
    sqnr_db: float | None = None


@attrs.frozen
class TensorReport:
    """A tensor.

    Attributes:
        name: in fourcc's spelling.
        source_name: in the source's.
        shape: true shape.
        roles: in the model.
        layer: number of its layer, or None.
        tag: of its format; the foreign name of a layout that no format has.
        nbytes: stored bytes; None where a format is missing and nothing tells.
        readable: whether a format is installed for it.
        rule: index of the policy's rule, or None.
        sqnr_db: measured while encoding; infinite where nothing was lost; None: not known.
        relative_rmse: likewise.
        max_error: likewise.
        facts: further facts, by their words.
        parts: where its bytes are, if the file says.
        weights: what its weights are like; None where they were not read.
        trouble: why its weights could not be read, or None.
        other: the tensor of that name in the compared model.
        costs: what formats would cost, if costs were given.
        inputs: what the calibration knows of its inputs, by its words.
    """

    name: str
    source_name: str
    shape: tuple[int, ...]
    roles: tuple[str, ...]
    layer: int | None
    tag: str
    nbytes: int | None
    readable: bool = True
    rule: int | None = None
    sqnr_db: float | None = None
    relative_rmse: float | None = None
    max_error: float | None = None
    facts: Mapping[str, object] = attrs.field(factory=dict)
    parts: tuple[ReportedPart, ...] = ()
    weights: WeightPicture | None = None
    trouble: str | None = None
    other: Counterpart | None = None
    costs: TensorCosts | None = None
    inputs: Mapping[str, object] = attrs.field(factory=dict)

    @property
    def count(self) -> int:
        """Number of weights."""
        return prod(self.shape)

    @property
    def bits(self) -> float | None:
        """Stored bits per weight."""
        return None if self.nbytes is None else 8 * self.nbytes / max(1, self.count)

    @property
    def shown_sqnr(self) -> float | None:
        """The SQNR in dB: measured against the compared model where there is one, else as it is stored.

        None where only weights differ that are not finite, of which no error can be told.
        """
        found = self.weights
        if found is None or found.error is None:
            return self.sqnr_db
        return None if found.differing and found.error.noise == 0 else found.error.sqnr_db


@attrs.frozen
class RuleReport:
    """A rule of the policy: its place, its lines, and the tensors that it took."""

    number: int
    text: str
    tensors: tuple[TensorReport, ...]


@attrs.frozen
class FrontierReport:
    """The frontier of the costs, with this file and single formats beside it.

    Attributes:
        points: bytes of all tensors and nats a token.
        formats: name, bytes, nats a token of each format that all units can have.
        here: bytes and nats a token of this file; None where an option of it was not measured.
        there: the same of the compared model.
        missing: number of units whose option was not measured.
        units: number of units.
        weights: of the whole model.
        facts: of the costs' file.
    """

    points: tuple[tuple[int, float], ...]
    formats: tuple[tuple[str, int, float], ...]
    here: tuple[int, float] | None
    there: tuple[int, float] | None
    missing: int
    units: int
    weights: int
    facts: Mapping[str, object]


@attrs.frozen
class ComparedReport:
    """The model that is compared with.

    Attributes:
        name: of its file.
        kind: of its file.
        tensors, weights, nbytes: totals; bytes are None where a format is missing.
        changes: what differs of the files, as (what, here, there).
        only_here, only_there: names of tensors.
    """

    name: str
    kind: str
    tensors: int
    weights: int
    nbytes: int | None
    changes: tuple[tuple[str, str, str], ...]
    only_here: tuple[str, ...]
    only_there: tuple[str, ...]


@attrs.frozen
class ModelReport:
    """A model's report.

    Attributes:
        name: of the file.
        kind: of the file.
        facts: of the file, by their words.
        hyper: hyper-parameters.
        tensors: all of them, in the file's order.
        rules: of the stored policy; empty where there is none.
        troubles: what is wrong: damage, missing formats; sentences.
        notes: what is odd; sentences.
        checked: a sentence on checksums.
        sample: weights of a tensor that were looked at; 0: all; None: none.
        compared: the other model.
        frontier: of the costs.
        calibration: facts of the calibration; empty where there is none.
    """

    name: str
    kind: str
    facts: Mapping[str, object]
    hyper: Mapping[str, object]
    tensors: tuple[TensorReport, ...]
    rules: tuple[RuleReport, ...] = ()
    troubles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    checked: str = ""
    sample: int | None = None
    compared: ComparedReport | None = None
    frontier: FrontierReport | None = None
    calibration: Mapping[str, object] = attrs.field(factory=dict)

    @property
    def count(self) -> int:
        """Number of weights."""
        return sum(tensor.count for tensor in self.tensors)

    @property
    def nbytes(self) -> int | None:
        """Stored bytes of all tensors; None where one's are not known."""
        known = [tensor.nbytes for tensor in self.tensors]
        return None if None in known else sum(nbytes or 0 for nbytes in known)
