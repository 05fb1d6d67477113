"""Statistics of a whole model's weights, tensor by tensor, and their distance from those of another model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import inf, prod
from typing import Any, overload

import attrs

from fourcc.analysis.diff import value_difference
from fourcc.analysis.statistics import Bin, Statistics, first_reading, second_reading
from fourcc.conversion.plan import describe, name_filter
from fourcc.errors import PluginError, UsageError
from fourcc.metrics import ErrorSums
from fourcc.policy import Rule, TensorInfo
from fourcc.policy.globs import Globs
from fourcc.policy.layers import Layers
from fourcc.progress import OnProgress, counter
from fourcc.records import Records
from fourcc.sources.source import Source, SourceTensor

BARS = 2048  # of a histogram over the whole range: enough to show its middle where an outlier makes it wide
MEASURES = ("weights", "nonfinite", "minimum", "maximum", "mean", "std", "kurtosis", "outliers")  # of a record
SHOWN_BARS = 60  # of a histogram in a notebook
DRAWN = 4  # tensors of a survey whose histograms a notebook shows
ALONE = ("name", "shape", "tag", "std", "minimum", "maximum", "kurtosis", "outliers", "rows", "columns")
COMPARED = ("name", "shape", "before_tag", "tag", "bits_per_weight", "sqnr_db", "relative_rmse", "max_error")
NARROW = 4  # standard deviations on both sides of the mean that this middle spans


@attrs.frozen(repr=False)
class Surveyed:
    """A tensor and the statistics of its weights.

    Attributes:
        name: the tensor's.
        roles: its roles in the model.
        layer: the layer that it belongs to, or None.
        shape: the tensor's.
        tag: the tag of its format.
        bits_per_weight: stored bits per weight.
        now: the statistics; None where its format is missing.
        before: the statistics of the original, on the same bars, where it is compared with one.
        before_tag: the tag of the original's format.
        error: error sums of its weights against the original's.
        undecoded: why its weights could not be read, or None.
    """

    name: str
    roles: tuple[str, ...]
    layer: int | None
    shape: tuple[int, ...]
    tag: str
    bits_per_weight: float
    now: Statistics | None = None
    before: Statistics | None = None
    before_tag: str | None = None
    error: ErrorSums | None = None
    undecoded: str | None = None

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.shape)) or "scalar"
        std = "" if self.now is None or self.now.std is None else f", std {self.now.std:.3g}"
        kurtosis = "" if self.now is None or self.now.kurtosis is None else f", kurtosis {self.now.kurtosis:.3g}"
        error = "" if self.error is None else f", SQNR {self.error.sqnr_db:.1f} dB"
        return f"<Surveyed {self.name} {self.tag} {shape}{std}{kurtosis}{error}>"

    def drawn(self) -> str:
        """The histogram as SVG, before and after where both are known; empty where there is none."""
        from fourcc.drawing.histogram import histogram

        known = [each for each in (self.now, self.before) if each is not None and each.bins]
        if not known:
            return ""
        ends = middle(*known)
        now, *before = ([bar.count for bar in regrouped(each.bins, *ends, SHOWN_BARS)] for each in known)
        return histogram(
            now, ends, before=before[0] if before else None, title=f"Weights of {self.name}", open_ends=True
        )

    def _repr_html_(self) -> str:
        """HTML for notebooks: the statistics and the histogram."""
        from fourcc.drawing import notebook

        return notebook.output(notebook.heading(self), self.drawn(), notebook.known_facts(_record(self)))


@attrs.frozen(repr=False)
class Survey(Sequence[Surveyed], Records):
    """A model's tensors, in its order; also by name: ``survey["norm"]``."""

    tensors: tuple[Surveyed, ...]

    def __len__(self) -> int:
        return len(self.tensors)

    def records(self) -> list[dict[str, Any]]:
        """The tensors and their statistics, without the histograms.

        Returns:
            For each tensor: ``name``, ``roles``, ``layer``, ``shape``, ``tag``, ``bits_per_weight``; ``weights`` and
            ``nonfinite``, numbers of weights; of the finite ones ``minimum``, ``maximum``, ``mean``, ``std``,
            ``kurtosis``, ``outliers`` (share beyond four standard deviations), ``rows`` and ``columns`` (RMS of the
            loudest channel by that of the middle one); where it is compared ``before_tag``, ``before_std``,
            ``relative_rmse``, ``sqnr_db`` (infinite where nothing is lost) and ``max_error``; ``undecoded``: why it
            could not be read. None where something is not known.
        """
        return [_record(each) for each in self.tensors]

    def _repr_html_(self) -> str:
        """HTML for notebooks: a table, and for a few tensors their histograms."""
        from fourcc.drawing import notebook

        compared = any(each.error is not None for each in self.tensors)
        chosen = COMPARED if compared else ALONE
        table = notebook.short_table(self.records(), chosen, caption=repr(self).partition("\n")[0].strip("<>"))
        drawn = [each.drawn() for each in self.tensors] if len(self) <= DRAWN else []
        return notebook.output(table, *drawn)

    @overload
    def __getitem__(self, index: int | str) -> Surveyed: ...
    @overload
    def __getitem__(self, index: slice) -> Survey: ...
    def __getitem__(self, index: int | str | slice) -> Surveyed | Survey:
        if isinstance(index, slice):
            return Survey(self.tensors[index])
        if isinstance(index, str):
            named = next((tensor for tensor in self.tensors if tensor.name == index), None)
            if named is None:
                raise KeyError(index)
            return named
        return self.tensors[index]

    def __repr__(self) -> str:
        lines = [f"  {each!r}" for each in (*self.tensors[:8], *self.tensors[8:][-2:])]
        if len(self.tensors) > 10:
            lines.insert(8, f"  ... {len(self.tensors) - 10} more")
        return "\n".join([f"<Survey of {len(self.tensors)} tensor{'s' * (len(self.tensors) != 1)}", *lines, ">"])


@attrs.frozen
class Selection:
    """A selection of tensors.

    Attributes:
        include, exclude: globs of names; none included: all.
        role: globs of roles; none: any.
        layers: slices of layers, as a policy has them; empty: any, and tensors of no layer.

    A tensor in a layout that no installed format has is never selected.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    role: tuple[str, ...] = ()
    layers: str = ""

    def of(self, source: Source) -> list[SourceTensor]:
        """The selected tensors of a source. Raises UsageError where there is none, or a selector is malformed."""
        wanted = name_filter(source, self.include, self.exclude)
        try:
            layers = Layers.parse(self.layers) if self.layers else None
        except ValueError as error:
            raise UsageError(f"--layers: {error}") from error
        rule = Rule(role=Globs(self.role) if self.role else None, layers=layers)
        infos = _infos(source)
        count = 1 + max((info.layer for info in infos.values() if info.layer is not None), default=-1)
        tensors = [each for each in source.tensors if wanted(each.name) and rule.selects(infos[each.name], count)]
        if not tensors:
            raise UsageError("no tensor is left to look at", file=source.path, hint="`fourcc inspect` lists them.")
        return tensors


def survey(
    source: Source,
    selection: Selection,
    original: Source | None = None,
    progress: OnProgress | None = None,
    threads: int | None = None,
) -> Survey:
    """Surveys the tensors of an opened source; every tensor is read twice, in a bounded window of memory.

    Args:
        source: the source.
        selection: selects its tensors.
        original: a source to compare them with; tensors that it lacks, or has in another shape, are not compared.
        progress: called after every tensor.
        threads: number of threads; the results do not depend on it.

    Raises:
        UsageError: no tensor is left, or the original has none of them.
        InputError: bytes are damaged.
    """
    tensors, infos = selection.of(source), _infos(source)
    others = {} if original is None else {tensor.name: tensor for tensor in original.tensors}
    if original is not None and not any(_alike(tensor, others.get(tensor.name)) for tensor in tensors):
        what = f"none of the {len(tensors)} tensors has the name and the shape of one of the original"
        raise UsageError(what, file=original.path, hint="Is it another model?")
    count = counter(sum(prod(tensor.shape) for tensor in tensors), progress)
    surveyed = []
    for tensor in tensors:
        surveyed.append(_surveyed(tensor, infos[tensor.name], others.get(tensor.name), threads))
        count(tensor.name, prod(tensor.shape))
    return Survey(tuple(surveyed))


def _alike(tensor: SourceTensor, other: SourceTensor | None) -> bool:
    return other is not None and other.shape == tensor.shape


def _infos(source: Source) -> dict[str, TensorInfo]:
    tied = bool(source.hyper.get("tied_embeddings", False))
    return {tensor.name: describe(tensor, tied=tied) for tensor in source.tensors}


def _surveyed(tensor: SourceTensor, info: TensorInfo, other: SourceTensor | None, threads: int | None) -> Surveyed:
    weights = max(1, prod(tensor.shape))
    base = Surveyed(tensor.name, info.roles, info.layer, tensor.shape, str(tensor.tag), 0.0)
    try:
        base = attrs.evolve(base, bits_per_weight=8 * tensor.nbytes / weights)
        if other is None or not _alike(tensor, other):
            return attrs.evolve(base, now=_alone(tensor, threads))
        before, now = _beside(other, tensor, threads)
        error = value_difference(other, tensor).sums
        return attrs.evolve(base, now=now, before=before, before_tag=str(other.tag), error=error)
    except PluginError as error:
        return attrs.evolve(base, undecoded=str(error))


def _alone(tensor: SourceTensor, threads: int | None) -> Statistics:
    first = first_reading(tensor, codes=False, threads=threads)
    return second_reading(tensor, first, (first.moments.low, first.moments.high), BARS, threads)


def _beside(before: SourceTensor, now: SourceTensor, threads: int | None) -> tuple[Statistics, Statistics]:
    """The statistics of both, with histograms on the same bars."""
    firsts = [first_reading(tensor, codes=False, threads=threads) for tensor in (before, now)]
    extent = min(each.moments.low for each in firsts), max(each.moments.high for each in firsts)
    a, b = (second_reading(*each, extent, BARS, threads) for each in zip((before, now), firsts, strict=True))
    return a, b


def regrouped(bins: Sequence[Bin], low: float, high: float, count: int) -> list[Bin]:
    """Fewer, wider bars over a part of the range; the first and the last also count what lies beyond.

    A bar is counted in the wide bar that holds its middle.

    Args:
        bins: ascending and adjacent.
        low: start of the part.
        high: end of the part.
        count: number of bars.
    """
    counts, width = [0] * count, (high - low) / count
    for each in bins:
        place = ((each.low + each.high) / 2 - low) / width if width > 0 else 0.0
        counts[min(count - 1, max(0, int(place)))] += each.count
    ends = [low + number * width for number in range(count + 1)]
    return list(map(Bin, ends[:-1], ends[1:], counts))


def middle(*statistics: Statistics) -> tuple[float, float]:
    """The part of the range to show: four standard deviations around the mean, cut to the range."""
    ends = list(_ends(statistics))
    return min((low for low, _ in ends), default=-inf), max((high for _, high in ends), default=inf)


def _record(each: Surveyed) -> dict[str, Any]:
    """A tensor as a record of `Survey.records`."""
    now, error = each.now, each.error
    spreads = {name: None if now is None else getattr(now, name) for name in ("rows", "columns")}
    return {
        **{name: getattr(each, name) for name in ("name", "layer", "tag", "bits_per_weight")},
        "roles": list(each.roles),
        "shape": list(each.shape),
        **{name: None if now is None else getattr(now, name) for name in MEASURES},
        **{name: s.high / s.median if s is not None and s.median else None for name, s in spreads.items()},
        "before_tag": each.before_tag,
        "before_std": None if each.before is None else each.before.std,
        **{name: None if error is None else getattr(error, name) for name in ("relative_rmse", "sqnr_db", "max_error")},
        "undecoded": each.undecoded,
    }


def _ends(statistics: Iterable[Statistics]) -> Iterator[tuple[float, float]]:
    for each in statistics:
        if each.minimum is not None and each.maximum is not None:
            mean, far = each.mean or 0.0, NARROW * (each.std or inf)
            yield max(each.minimum, mean - far), min(each.maximum, mean + far)
