"""The results of a shootout: an entrant for each format, and those that no other entrant beats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from math import inf, log10
from typing import Any

import attrs

from fourcc.bench.timing import Timing
from fourcc.records import Records
from fourcc.tags import FourCC


@attrs.frozen
class ProductSpeed:
    """Products of one of the model's matrices in a format.

    Attributes:
        level: how it is multiplied: ``native``, ``fused`` or ``decode``.
        nbytes: bytes of the stored matrix.
        weights: of the matrix.
        activations: number of activations of the product with many.
        single: timing of a product with one activation.
        many: timing of a product with `activations`.
    """

    level: str
    nbytes: int
    weights: int
    activations: int
    single: Timing
    many: Timing

    @property
    def gb_s(self) -> float:
        """Stored bytes that one activation reads, 10^9 a second, at the median."""
        return self.single.rates(self.nbytes).median / 1e9

    @property
    def gops(self) -> float:
        """Operations of the product with many activations, 10^9 a second, at the median."""
        return self.many.rates(2 * self.weights * self.activations).median / 1e9


@attrs.frozen
class Entrant:
    """A format in a shootout.

    Attributes:
        tag: the format's, with settings that are not the defaults: ``TAG:NAME=VALUE``.
        provider: distribution and version that it comes from.
        fits: number of tensors whose shape it fits.
        bits: per weight, over these tensors, with scales and short blocks.
        sqnr_db: over these tensors; the error of a tensor's sample stands for that of the tensor.
        relative_rmse: likewise.
        output_error: sum h_j e_j^2 / sum h_j w_j^2 with the importance h of the columns j, of each tensor; their mean,
            by number of weights. None: no importance is known.
        speed: of products; None where they were not measured, or could not be.
        reason: why it has no figures, or no speed; None where all is well.
        compared: whether it fits as many tensors as any entrant: only those are compared with each other.
        on_front: whether no compared entrant has fewer bits and less error.
        on_speed_front: whether none has fewer bits, less error and a faster product with one activation.
    """

    tag: str
    provider: str
    fits: int = 0
    bits: Fraction = Fraction(0)
    sqnr_db: float = -inf
    relative_rmse: float = inf
    output_error: float | None = None
    speed: ProductSpeed | None = None
    reason: str | None = None
    compared: bool = False
    on_front: bool = False
    on_speed_front: bool = False

    @property
    def error(self) -> float:
        """The figure that entrants are compared by: the output error where it is known, else sum e^2 / sum w^2."""
        return self.relative_rmse**2 if self.output_error is None else self.output_error

    @property
    def output_db(self) -> float | None:
        """-10 log10 of the output error."""
        if self.output_error is None:
            return None
        return -10 * log10(self.output_error) if self.output_error else inf


@attrs.frozen
class ShootoutResult(Records):
    """Formats compared on one model.

    Attributes:
        tensors: number of tensors that they were tried on.
        weights: of these tensors.
        sampled: number of weights that were encoded.
        weighed: number of these tensors for which an importance of the columns is known.
        matrix: name and shape of the matrix whose products were timed; None where none was.
        rotation: number of copies of it that a product with one activation goes through in turn.
        threads: of the products.
        entrants: fewest bits first; those without figures last.
    """

    tensors: int
    weights: int
    sampled: int
    weighed: int
    matrix: tuple[str, tuple[int, ...]] | None
    rotation: int
    threads: int
    entrants: tuple[Entrant, ...]

    def records(self) -> list[dict[str, Any]]:
        """The formats, fewest bits first; those without figures last.

        Returns:
            For each: ``tag``, ``provider``, ``fits`` (number of tensors), ``bits_per_weight``, ``sqnr_db`` (infinite
            where nothing is lost), ``relative_rmse``, ``output_error``, ``level`` (how it is multiplied), ``gb_s`` and
            ``gops`` of its products, ``compared``, ``on_front``, ``on_speed_front``, and ``reason`` why figures are
            missing. None where something is not known.
        """
        return [_record(each) for each in self.entrants]

    def _repr_html_(self) -> str:
        """HTML for notebooks; formats that no other beats are marked in the column ``on_front``."""
        from fourcc.drawing import notebook

        columns = ("tag", "bits_per_weight", "sqnr_db", "output_error", "gb_s", "gops", "fits", "on_front")
        caption = f"{len(self.entrants)} formats on {self.tensors} tensors"
        return notebook.output(notebook.short_table(self.records(), columns, caption=caption))

    def __getitem__(self, tag: str | FourCC) -> Entrant:
        """The entrant of a tag."""
        for each in self.entrants:
            if each.tag == str(tag):
                return each
        raise KeyError(tag)

    def __repr__(self) -> str:
        tags = ", ".join(each.tag for each in self.entrants if each.on_front)
        return f"<ShootoutResult of {len(self.entrants)} formats on {self.tensors} tensors, on the front: {tags}>"


def _record(each: Entrant) -> dict[str, Any]:
    """An entrant as a record; one without figures has None in their place."""
    tried = bool(each.fits)
    return {
        "tag": each.tag,
        "provider": each.provider,
        "fits": each.fits,
        "bits_per_weight": float(each.bits) if tried else None,
        "sqnr_db": each.sqnr_db if tried else None,
        "relative_rmse": each.relative_rmse if tried else None,
        "output_error": each.output_error,
        "level": None if each.speed is None else each.speed.level,
        "gb_s": None if each.speed is None else each.speed.gb_s,
        "gops": None if each.speed is None else each.speed.gops,
        **{name: getattr(each, name) for name in ("compared", "on_front", "on_speed_front", "reason")},
    }


def judged(entrants: Iterable[Entrant]) -> tuple[Entrant, ...]:
    """The entrants in order, with those marked that no other beats.

    Entrants that fit fewer tensors than the best fitting ones are not compared: their means are over other weights.
    """
    ordered = sorted(entrants, key=lambda each: (not each.fits, each.bits, each.error, each.tag))
    most = max((each.fits for each in ordered), default=0)
    level = [each for each in ordered if each.fits == most and most]
    front = _tags_unbeaten(level, lambda each: (float(each.bits), each.error))
    timed = [each for each in level if each.speed is not None]
    fast = _tags_unbeaten(timed, lambda each: (float(each.bits), each.error, _seconds(each)))
    fitting = {each.tag for each in level}
    return tuple(
        attrs.evolve(each, compared=each.tag in fitting, on_front=each.tag in front, on_speed_front=each.tag in fast)
        for each in ordered
    )


def _seconds(entrant: Entrant) -> float:
    return inf if entrant.speed is None else entrant.speed.single.median


def _tags_unbeaten(entrants: Sequence[Entrant], costs: Callable[[Entrant], tuple[float, ...]]) -> set[str]:
    marks = unbeaten([costs(each) for each in entrants])
    return {each.tag for each, mark in zip(entrants, marks, strict=True) if mark}


def unbeaten(points: Sequence[tuple[float, ...]]) -> list[bool]:
    """Whether each point is in the Pareto set: none is as small in every coordinate, and smaller in one."""
    return [not any(_beats(other, point) for other in points) for point in points]


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
