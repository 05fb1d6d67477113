"""Settings of a format that a policy may choose: parameters of its layout, options of its encoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

import attrs

Params = Mapping[str, Any]  # name -> value, which has the type of the setting's default


@attrs.frozen
class Setting:
    """A parameter of the layout, or an option of the encoder, that a policy may set.

    Attributes:
        name: the key in the policy.
        default: the value where the policy has none; its type (bool, int, float or str) is the setting's type.
        summary: one line for readers.
        choices: the allowed values; empty: any.
        low, high: inclusive range of a number.
    """

    name: str
    default: bool | int | float | str
    summary: str
    choices: tuple[int | float | str, ...] = ()
    low: float | None = None
    high: float | None = None

    def check(self, value: object) -> bool | int | float | str:
        """The value, if it is allowed.

        Raises:
            ValueError: it is not allowed; the message says which values are.
        """
        kind = type(self.default)
        if kind is float and type(value) is int:
            value = float(value)
        if not isinstance(value, (bool, int, float, str)) or type(value) is not kind:
            raise ValueError(f"found {value!r}, expected {kind.__name__}")
        if self.choices and value not in self.choices:
            raise ValueError(f"found {value!r}, expected one of {', '.join(map(repr, self.choices))}")
        if not isinstance(value, (bool, str)):
            self._check_number(value)
        return value

    def _check_number(self, value: float) -> None:
        if isinstance(value, float) and not isfinite(value):
            raise ValueError(f"found {value!r}, expected a finite number")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError(f"found {value!r}, expected an integer of 64 bits")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise ValueError(f"found {value!r}, expected {self.low} to {self.high}")


def complete(settings: tuple[Setting, ...], given: Params) -> dict[str, object]:
    """The value of every setting: the given value, checked, or the default.

    Raises:
        ValueError: a value is not allowed, or a name belongs to no setting.
    """
    known = {setting.name: setting for setting in settings}
    for name in given:
        if name not in known:
            raise ValueError(f"no setting named {name!r}; there are: {', '.join(known) or 'none'}")
    return {name: setting.check(given.get(name, setting.default)) for name, setting in known.items()}


def settings_text(settings: Iterable[tuple[str, object]]) -> str:
    """Settings as text: ``group=64, exact=true``."""
    return ", ".join(f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in settings)
