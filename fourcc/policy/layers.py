"""Slices of a model's layers, as text, so that a recipe for every depth is data.

::

    layers = item, item, ...                    a layer that any of them selects
    item   = bound                              one layer
           | [bound] ":" [bound] [":" step]     as a slice in Python: the end is excluded
    bound  = ["-"] term {("+" | "-") term}      a leading minus counts from the end
    term   = integer | a "/" b                  a/b is n * a // b, where the model has n layers

>>> [i for i in range(16) if Layers.parse(":1/8, 7/8:, 1/8+2:7/8:3").match(i, 16)]
[0, 1, 4, 7, 10, 13, 14, 15]
"""

from __future__ import annotations

import re

import attrs

_BOUND = re.compile(r"-?[0-9]{1,9}(?:/[0-9]{1,9})?(?:[+-][0-9]{1,9}(?:/[0-9]{1,9})?)*")
_TERM = re.compile(r"([+-]?)([0-9]+)(?:/([0-9]+))?")
_SLICE = re.compile(r"([^:]*):([^:]*)(?::([1-9][0-9]{0,8}))?")
_SPACE = re.compile(r" *([-+/:]) *")
MAX_ITEMS = 256  # slices of a rule
_FORM = "expected slices such as '0:4, -2:' or '1/8+2:7/8:3'"


@attrs.frozen
class Bound:
    """One end of a slice.

    Attributes:
        terms: (sign, a, b), each worth sign * (n * a // b) of n layers; b is None for the integer a.
        from_end: whether the sum of the terms is added to n.
    """

    terms: tuple[tuple[int, int, int | None], ...]
    from_end: bool

    @classmethod
    def parse(cls, text: str) -> Bound:
        """The bound that a text spells. Raises ValueError where it spells none."""
        if not _BOUND.fullmatch(text):
            raise ValueError(f"found {text!r}, {_FORM}")
        parts = [(sign, int(a), int(b) if b else None) for sign, a, b in _TERM.findall(text)]
        if any(b == 0 for _, _, b in parts):
            raise ValueError(f"found {text!r}, which divides by zero")
        return cls(tuple((-1 if sign == "-" else 1, a, b) for sign, a, b in parts), text.startswith("-"))

    def of(self, count: int) -> int:
        """The layer number in a model of `count` layers; it may lie outside them."""
        total = sum(sign * (a if b is None else count * a // b) for sign, a, b in self.terms)
        return total + count if self.from_end else total


@attrs.frozen
class Slice:
    """A run of layers; `start` and `stop` are None where the slice is open."""

    start: Bound | None
    stop: Bound | None
    step: int = 1

    @classmethod
    def parse(cls, text: str) -> Slice:
        """The slice that a text with a colon spells. Raises ValueError where it spells none."""
        match = _SLICE.fullmatch(text)
        if match is None:
            raise ValueError(f"found {text!r}, {_FORM}")
        start, stop, step = match.groups()
        return cls(Bound.parse(start) if start else None, Bound.parse(stop) if stop else None, int(step or 1))

    def match(self, layer: int, count: int) -> bool:
        """Whether the slice selects a layer of `count`. A start before the first layer means the first."""
        start = 0 if self.start is None else max(0, self.start.of(count))
        stop = count if self.stop is None else self.stop.of(count)
        return layer in range(start, stop, self.step)


@attrs.frozen
class Layers:
    """The layers that a rule is for.

    Attributes:
        items: slices, and bounds, of which each selects one layer.
    """

    items: tuple[Bound | Slice, ...]
    _selected: dict[tuple[int, int], bool] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> Layers:
        """The selection that a text spells.

        Raises:
            ValueError: the text spells no selection.
        """
        items = [_SPACE.sub(r"\1", item.strip()) for item in text.split(",")]
        if len(items) > MAX_ITEMS:
            raise ValueError(f"found {len(items)} slices, expected at most {MAX_ITEMS}")
        return cls(tuple(Slice.parse(item) if ":" in item else Bound.parse(item) for item in items))

    def match(self, layer: int, count: int) -> bool:
        """Whether the layer, counted from 0, of a model with `count` layers is selected."""
        selected = self._selected.get((layer, count))
        if selected is None:  # kept, because all tensors of a layer have one answer
            selected = self._selected[layer, count] = any(
                item.match(layer, count) if isinstance(item, Slice) else item.of(count) == layer for item in self.items
            )
        return selected
