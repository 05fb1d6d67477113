"""Analyses of models by their paths: `fourcc.diff`, `fourcc.stats` and `fourcc.suggest`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fourcc.analysis import suggestion
from fourcc.analysis.diff import Difference, compare
from fourcc.analysis.offers import Suggestion, Wish
from fourcc.analysis.samples import SAMPLE
from fourcc.analysis.survey import Selection, Survey, survey
from fourcc.conversion.plan import as_globs
from fourcc.sources import open_source


def diff(a: str | Path, b: str | Path) -> Difference:
    """Compares two models: what they say of themselves, stored bytes, decoded weights.

    Args:
        a: a checkpoint, or a model.bin; it counts as the original.
        b: the one that is compared with it.

    Raises:
        FourccError: a model cannot be read.
    """
    with open_source(a) as original, open_source(b) as other:
        return compare(original, other)


def stats(
    model: str | Path,
    *,
    against: str | Path | None = None,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    role: Iterable[str] = (),
    layers: str = "",
) -> Survey:
    """Statistics of a model's weights: range, moments, outliers, channels, histograms.

    Args:
        model: a checkpoint, or a model.bin.
        against: the original that its weights are compared with.
        include: globs of the names of tensors; none: all.
        exclude: globs of names to leave out.
        role: globs of roles, such as ``ffn.*``; none: any.
        layers: slices of layers, such as ``0:2, -1``; empty: all tensors.

    Raises:
        FourccError: the model cannot be read, or no tensor is left.
    """
    selection = Selection(as_globs(include), as_globs(exclude), as_globs(role), layers)
    with open_source(model) as source:
        if against is None:
            return survey(source, selection)
        with open_source(against) as original:
            return survey(source, selection, original)


def suggest(  # noqa: PLR0913 - keyword-only, one an option of the command
    model: str | Path,
    *,
    min_sqnr: float | None = None,
    max_bits: float | None = None,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    role: Iterable[str] = (),
    layers: str = "",
    sample: int = SAMPLE,
) -> list[Suggestion]:
    """Tries the installed formats on each matrix of a model, and chooses one.

    Args:
        model: a checkpoint, or a model.bin.
        min_sqnr: the cheapest format of at least so many dB is wanted.
        max_bits: the best format of at most so many bits per weight is wanted; with `min_sqnr`, the cheapest of these.
            With neither, the one that is furthest above 6.02 dB for each bit.
        include: globs of the names of tensors; none: all.
        exclude: globs of names left out.
        role: globs of roles, such as ``ffn.*``; none: any.
        layers: slices of layers, such as ``0:2, -1``; empty: all tensors.
        sample: weights of a tensor to try formats on, in whole rows spread evenly over it; 0: all.

    Raises:
        FourccError: the model cannot be read, or no tensor is left.
    """
    selection = Selection(as_globs(include), as_globs(exclude), as_globs(role), layers)
    with open_source(model) as source:
        return suggestion.suggest(selection.of(source), Wish(min_sqnr, max_bits), sample)
