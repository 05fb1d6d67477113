"""The options of units that may be chosen: what ``--options`` and ``--pin`` leave of those in the costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from fourcc.calibration.costs import Costs, Option, Unit
from fourcc.errors import UsageError, listed
from fourcc.policy.globs import Globs
from fourcc.policy.places import nearest
from fourcc.tags import FourCC, as_tag

ROLE = "role="
LISTED = 6  # names in a message
WORDS = "TAG, or TAG:NAME=VALUE with settings"


@attrs.frozen
class WantedOption:
    """A format that is asked for, with some of its settings.

    Attributes:
        text: as written.
        tag: the format.
        settings: (name, value as text).
    """

    text: str
    tag: FourCC
    settings: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> WantedOption:
        """The option that ``TAG[:NAME=VALUE]...`` asks for. Raises UsageError."""
        tag, *settings = (piece.strip() for piece in text.split(":"))
        pairs = [setting.partition("=") for setting in settings]
        if not all(name and sign for name, sign, _ in pairs):
            raise UsageError("no option is spelled so", found=repr(text), expected=WORDS)
        try:
            return cls(text.strip(), as_tag(tag), tuple((name, value) for name, _, value in pairs))
        except ValueError as error:
            raise UsageError(f"no option is spelled so: {error}", expected=WORDS) from error

    def is_met_by(self, option: Option) -> bool:
        """Whether an option is of this format and has these settings."""
        known = {name: _word(value) for name, value in {**option.params, **option.options}.items()}
        return option.tag == self.tag and all(known.get(name) == value for name, value in self.settings)


@attrs.frozen
class Pin:
    """Units whose format is given.

    Attributes:
        selector: the pattern of their names, or ``role=`` and the pattern of their roles.
        wanted: their format.
    """

    selector: str
    wanted: WantedOption

    @classmethod
    def parse(cls, text: str) -> Pin:
        """The pin that ``role=GLOB:TAG`` or ``GLOB:TAG`` spells. Raises UsageError."""
        selector, _, option = text.partition(":")
        if not selector.strip() or selector.strip() == ROLE or not option.strip():
            expected = "role=GLOB:TAG, or GLOB:TAG with a pattern of names"
            raise UsageError("no pin is spelled so", found=repr(text), expected=expected)
        return cls(selector.strip(), WantedOption.parse(option))

    def selects(self, unit: Unit) -> bool:
        """Whether the pin is for this unit: one of its roles, its name, or the name of one of its tensors matches."""
        if self.selector.startswith(ROLE):
            return Globs((self.selector.removeprefix(ROLE),)).match_any(unit.roles)
        return Globs((self.selector,)).match_any((unit.name, *unit.tensors))


def as_options(given: str | Iterable[str] | None) -> tuple[WantedOption, ...] | None:
    """The options that an argument asks for; None: all."""
    if given is None:
        return None
    texts = given.split(",") if isinstance(given, str) else given
    return tuple(map(WantedOption.parse, texts))


def as_pins(given: str | Iterable[str | Pin]) -> tuple[Pin, ...]:
    """The pins that an argument gives; a single text is one pin."""
    several = [given] if isinstance(given, str) else given
    return tuple(pin if isinstance(pin, Pin) else Pin.parse(pin) for pin in several)


def choosable(
    costs: Costs, pins: Sequence[Pin] = (), wanted: Sequence[WantedOption] | None = None
) -> list[tuple[Option, ...]]:
    """The options of each unit that may be chosen: those with a KL divergence that are wanted, or the pinned one.

    The first pin that selects a unit decides it, whatever the other options are.

    Raises:
        UsageError: a pin selects no unit, or none that an earlier one leaves; no unit has an option that is wanted; or
            one unit has none of them.
    """
    for each in wanted or ():
        if not any(each.is_met_by(option) for unit in costs.units for option in unit.options):
            known = {str(option.tag): None for unit in costs.units for option in unit.options}
            raise UsageError(f"the costs have no option {each.text!r}", expected=f"some of {', '.join(known)}")
    deciding = [next((pin for pin in pins if pin.selects(unit)), None) for unit in costs.units]
    for pin in pins:
        if pin not in deciding:
            raise _idle(pin, costs)
    return [_options(unit, pin, wanted) for unit, pin in zip(costs.units, deciding, strict=True)]


def _options(unit: Unit, pin: Pin | None, wanted: Sequence[WantedOption] | None) -> tuple[Option, ...]:
    measured = [option for option in unit.options if option.kld is not None]
    if not measured:
        raise UsageError(f"the costs have no KL divergence of {unit.name!r}", hint="Measure the model again.")
    if pin is not None:
        wanted = [pin.wanted]
    left = tuple(option for option in measured if wanted is None or any(each.is_met_by(option) for each in wanted))
    if not left:
        asked = ", ".join(each.text for each in wanted or ())
        known = ", ".join(spelled(option) for option in measured)
        what = f"{unit.name!r} cannot have {asked}"
        raise UsageError(what, expected=f"one of {known}", hint="The costs hold what was measured and fits its shape.")
    return left


def _idle(pin: Pin, costs: Costs) -> UsageError:
    """The error for a pin that decides no unit."""
    if any(pin.selects(unit) for unit in costs.units):
        return UsageError(f"the pin {pin.selector!r} decides nothing", hint="Pins before it take all of its units.")
    by_role = pin.selector.startswith(ROLE)
    roles = sorted({role for unit in costs.units for role in unit.roles})
    known = roles if by_role else [name for unit in costs.units for name in unit.tensors]
    if not by_role and Globs((pin.selector,)).match_any(roles):
        return UsageError(f"the pin {pin.selector!r} selects no unit", hint=f"A role is {ROLE}{pin.selector}.")
    hint = nearest(pin.selector.removeprefix(ROLE), known) or f"there are {listed(known, LISTED)}"
    what = f"the pin {pin.selector!r} selects no unit"
    return UsageError(what, hint=f"{hint[:1].upper()}{hint[1:]}{'' if hint.endswith('?') else '.'}")


def spelled(option: Option) -> str:
    """An option as text, with all its settings.

    >>> spelled(Option("NF4", {"group": 64}, {}, 10, None, 0.5))
    'NF4:group=64'
    """
    settings = [f"{name}={_word(value)}" for name, value in {**option.params, **option.options}.items()]
    return ":".join([str(option.tag), *settings])


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
