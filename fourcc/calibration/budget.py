"""The size that a mix may have: ``2.4MB`` or ``90%`` of a file, or ``4.0bpw``, bits a weight."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import floor, prod
from typing import TYPE_CHECKING, Literal

import attrs

from fourcc.errors import UsageError
from fourcc.policy.amounts import PLAIN, amount

if TYPE_CHECKING:
    from fourcc.conversion.plan import Plan
    from fourcc.sources.source import Source

MOST_BITS = 64  # a weight; so small a number of bytes is meant as bits
Unit = Literal["bytes", "bpw", "%"]


@attrs.frozen
class Budget:
    """A budget.

    Attributes:
        text: as written.
        number: of the unit, exact.
        unit: ``bytes`` of the file, with all that is in it; ``bpw``, stored bits of all tensors for each of their
            weights; ``%`` of the length of the source's files.
        length: the length of the file that a plan comes to, where that is no model.bin.
    """

    text: str
    number: Fraction
    unit: Unit
    length: Callable[[Plan], int] | None = attrs.field(default=None, eq=False, repr=False)

    @classmethod
    def of(cls, given: str | Budget) -> Budget:
        """The budget that an argument means. Raises UsageError."""
        return cls.parse(given) if isinstance(given, str) else given

    @classmethod
    def parse(cls, text: str) -> Budget:
        """The budget that a text spells. Raises UsageError."""
        text = text.strip()
        try:
            for unit in ("bpw", "%"):
                if text.lower().endswith(unit):
                    return cls(text, amount(text[: -len(unit)], PLAIN), unit)
            return cls(text, amount(text), "bytes")
        except ValueError as error:
            expected = (
                "bytes such as 2.4MB or 2400000, bits a weight such as 4.0bpw, or a share of the source such as 30%"
            )
            raise UsageError("no budget is spelled so", found=repr(text), expected=expected) from error

    def limit(self, source: Source) -> int:
        """The bytes that are allowed: of the file, or, where the unit is ``bpw``, of all tensors."""
        if self.unit == "bpw":
            return floor(self.number * sum(prod(tensor.shape) for tensor in source.tensors) / 8)
        if self.unit == "%":
            return floor(self.number * sum(path.stat().st_size for path in source.files) / 100)
        return floor(self.number)

    def spent(self, plan: Plan) -> int:
        """The bytes that a plan takes of it."""
        if self.unit == "bpw":
            return plan.nbytes
        return plan.file_bytes if self.length is None else self.length(plan)

    @property
    def too_small(self) -> str:
        """The advice where no mix is so small."""
        if self.unit == "bytes" and 0 < self.number <= MOST_BITS:
            return f"A number alone is bytes of the file; bits a weight are {_decimal(self.number)}bpw."
        return "Raise the budget, or take options of fewer bits."

    def expectation(self, limit: int) -> dict[str, object]:
        """The keys of a policy's table ``[expect]`` that say the same; none for a file that is no model.bin."""
        if self.unit != "bpw" and self.length is not None:
            return {}
        return {"bits": f"<= {_decimal(self.number)}"} if self.unit == "bpw" else {"bytes": f"<= {limit}"}

    def in_words(self, nbytes: int, weights: int) -> str:
        """A number of bytes that are spent, in the budget's unit."""
        return f"{8 * nbytes / max(1, weights):.5g} bits a weight" if self.unit == "bpw" else f"{nbytes} bytes"


def _decimal(number: Fraction) -> str:
    """A number with a finite decimal expansion, exactly."""
    digits = 0
    while (number * 10**digits).denominator > 1:
        digits += 1
    whole, rest = divmod(int(number * 10**digits), 10**digits)
    return f"{whole}.{rest:0{digits}}" if digits else str(whole)
