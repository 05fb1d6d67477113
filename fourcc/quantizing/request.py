"""The request for a quantization: rules, a size or a budget, and what it is calibrated with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.calibration.budget import Budget
from fourcc.errors import UsageError
from fourcc.feedback.feedback import Feedback, as_feedback
from fourcc.policy import Policy

if TYPE_CHECKING:
    from fourcc.calibration.calibration import Calibration
    from fourcc.calibration.pins import Pin

RULES = ("format", "recipe", "policy")
SIZES = ("size", "budget")


@attrs.frozen(eq=False)
class Quantization:
    """A quantization, as it was asked for.

    Attributes:
        rules: the policy; None: a budget finds one.
        budget: the budget; None: the rules say it.
        calibration: weighs errors; None: none does, unless a text does.
        text: to calibrate and to measure on; None: neither is done.
        options: what a budget chooses from; None: the quantized formats of ggml.
        pins: units whose format is given.
        feedback: the settings of error feedback; None: none.
        documents: whether empty lines part the text's documents.
        instead: formats for tensors that the container cannot hold; empty: the container's own choice.
        no_feedback_for: globs of roles whose tensors have no error feedback.
        memory: bytes of resident memory that the process may take; None: any number.
    """

    rules: Policy | None
    budget: Budget | None
    calibration: Calibration | None = None
    text: Path | None = None
    options: str | tuple[str, ...] | None = None
    pins: tuple[Pin, ...] = ()
    feedback: Feedback | None = None
    documents: bool = False
    instead: str = ""
    no_feedback_for: tuple[str, ...] = ()
    memory: int | None = None

    def check(self, prefix: str = "") -> None:
        """Raises UsageError where the parts contradict each other; `prefix` stands before the arguments' names."""
        p = prefix
        wants: dict[str, tuple[object, object, str]] = {  # argument -> its value, what it goes with, what to do
            f"{p}options": (self.options, self.budget, f"It goes with {p}size and {p}budget."),
            f"{p}pin": (self.pins, self.budget, f"It goes with {p}size and {p}budget."),
            f"{p}documents": (self.documents, self.text, f"It goes with {p}calibration-text."),
        }
        for name, (value, needed, hint) in wants.items():
            if value and needed is None:
                raise UsageError(f"{name} does nothing here", hint=hint)
        if self.calibration is not None and (self.text is not None or self.budget is not None):
            rival = f"{p}calibration-text" if self.text is not None else f"{p}size and {p}budget"
            hint = f"{p}calibration weighs errors by a file that is there; a text is calibrated on now."
            raise UsageError(f"{p}calibration and {rival} exclude each other", hint=hint)
        if self.budget is not None and self.text is None:
            what = f"{p}size and {p}budget need a text: formats are measured on it"
            hint = f"Add {p}calibration-text FILE, some 100 kB of what the model is for; or name a {p}recipe."
            raise UsageError(what, hint=hint)
        for name, value in ((f"{p}no-feedback-for", self.no_feedback_for), (f"{p}memory", self.memory)):
            if value and self.budget is not None:
                rival = f"{p}size or {p}budget"
                hint = f"It goes with {p}recipe, {p}format or {p}policy; `fourcc calibrate` and `measure` have it, too."
                raise UsageError(f"{name} does not go with {rival}", hint=hint)
        if self.memory is not None and self.text is not None:
            hint = f"Calibrate and measure with `fourcc calibrate` and `eval`, and quantize with {p}calibration."
            raise UsageError(f"{p}memory and {p}calibration-text exclude each other", hint=hint)
        if self.instead and self.budget is not None:
            raise UsageError(f"{p}as and {p}budget exclude each other", hint=f"{p}options says what to mix.")


def rules_or_budget(given: Mapping[str, object], prefix: str = "") -> tuple[Policy | None, Budget | None]:
    """The policy or the budget that arguments ask for.

    Args:
        given: ``format``, ``recipe``, ``policy``, ``size``, ``budget``; just one is not None.
        prefix: stands before the arguments' names in messages.

    Raises:
        UsageError: none or several are given, or one is misspelled.
        PolicyError: it is not a policy.
    """
    asked = [name for name in (*RULES, *SIZES) if given.get(name) is not None]
    named = [prefix + name for name in asked]
    if not asked:
        hint = f"Add {prefix}recipe Q4_K_M, {prefix}format TAG, {prefix}size 500MB or {prefix}budget 4.5bpw."
        raise UsageError("nothing says what the model should become", hint=hint)
    if len(asked) > 1 and set(asked) & set(SIZES):
        hint = f"{prefix}size and {prefix}budget find the rules themselves; {prefix}pin gives a tensor its format."
        raise UsageError(f"{' and '.join(named)} exclude each other", hint=hint)
    if asked[0] in SIZES:
        return None, _budget(asked[0], given[asked[0]], prefix)
    return Policy.chosen(**{name: given.get(name) for name in RULES}, prefix=prefix), None  # type: ignore[arg-type]  # as it takes them


def _budget(name: str, value: object, prefix: str) -> Budget:
    """The budget of an argument; ``size`` takes bytes alone."""
    budget = value if isinstance(value, Budget) else Budget.parse(str(value))
    if name == "size" and budget.unit != "bytes":
        hint = f"{prefix}budget {budget.text} is of the tensors, or a share of the source."
        raise UsageError(f"{prefix}size is one in bytes of the output", found=budget.text, hint=hint)
    return budget


def feedback_for(given: str | Feedback | None, budget: Budget | None) -> Feedback | None:
    """The settings of error feedback: a budget has it, unless it is ``none``. Raises UsageError for other words."""
    if given == "none" or (given is None and budget is None):
        return None
    return as_feedback(given or "gptq")


def listed_options(options: str | Sequence[str] | None) -> str | tuple[str, ...] | None:
    """Options as they are kept: a text, or texts."""
    return options if options is None or isinstance(options, str) else tuple(options)
