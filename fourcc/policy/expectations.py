"""The table ``[expect]`` of a policy: the numbers and formats that it must come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from math import prod

import attrs

from fourcc.errors import listed
from fourcc.policy.amounts import Comparison
from fourcc.policy.places import Path
from fourcc.policy.rule import Decision, Rule
from fourcc.tags import FourCC

LISTED = 5  # tensors that a message lists; it counts the others


@attrs.frozen
class ExpectedTags:
    """The formats of some tensors.

    Attributes:
        selector: a rule without an outcome, which selects the tensors.
        tags: the formats, of which each of them must have one.
    """

    selector: Rule
    tags: frozenset[FourCC]


@attrs.frozen
class Expectations:
    """Conditions of a conversion, without which it is not begun.

    Attributes:
        nbytes: limit of the file's length.
        bits: limit of the stored bits of all tensors for each of their weights.
        tensors: formats of some tensors.
    """

    nbytes: Comparison | None = None
    bits: Comparison | None = None
    tensors: tuple[ExpectedTags, ...] = ()

    def unmet(
        self, decisions: Sequence[Decision], layer_count: int, file_bytes: Callable[[], int]
    ) -> Iterator[tuple[Path, str]]:
        """The place of each expectation that does not hold, with what was found and what was expected.

        Args:
            decisions: of all tensors of the file.
            layer_count: number of the model's layers.
            file_bytes: gives the file's length; called only where a limit asks for it.
        """
        if self.nbytes is not None and not self.nbytes.holds(Fraction(found := file_bytes())):
            yield ("expect", "bytes"), f"found a file of {found} bytes, expected {self.nbytes.text}"
        stored = sum(decision.nbytes for decision in decisions)
        bits = Fraction(8 * stored, max(1, sum(prod(decision.tensor.shape) for decision in decisions)))
        if self.bits is not None and not self.bits.holds(bits):
            yield ("expect", "bits"), f"found {float(bits):.7g} bits per weight, expected {self.bits.text}"
        for index, expected in enumerate(self.tensors):
            yield from _unmet_tags(expected, ("expect", "tensors", index), decisions, layer_count)


def _unmet_tags(
    expected: ExpectedTags, path: Path, decisions: Sequence[Decision], layer_count: int
) -> Iterator[tuple[Path, str]]:
    selected = [decision for decision in decisions if expected.selector.selects(decision.tensor, layer_count)]
    wrong = [f"{each.tag} for {each.tensor.name!r}" for each in selected if each.tag not in expected.tags]
    if not selected:
        yield path, "selects no tensor"
    if wrong:
        words = " or ".join(sorted(map(str, expected.tags)))
        yield (*path, "tags"), f"found {listed(wrong, LISTED)}, expected {words}"
