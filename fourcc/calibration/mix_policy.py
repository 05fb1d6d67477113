"""An allocation as a policy: plain TOML with the tensors' names, which people read, edit and keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import fsum
from typing import TYPE_CHECKING

from fourcc.calibration.allocation import Allocation
from fourcc.conversion.plan import describe
from fourcc.errors import PluginError, UsageError
from fourcc.feedback.feedback import Feedback
from fourcc.plugins.registry import registry
from fourcc.policy import Policy, Row
from fourcc.policy.writing import explicit_rules, narrow_rules, rules_text

if TYPE_CHECKING:
    from fourcc.calibration.costs import Costs
    from fourcc.sources.source import Source

SHOWN = 12  # digits of a digest in a comment


def mix_policy(
    source: Source, allocation: Allocation, head: Sequence[str] = (), expect: Mapping[str, object] | None = None
) -> Policy:
    """The policy that stores each unit's tensors in the chosen option.

    Other tensors become what `Policy.shorthand` makes of them; a matrix that is in no unit stays as it is stored.

    Args:
        source: the model.
        allocation: an option for each unit.
        head: comments at the top.
        expect: what the policy expects.

    Raises:
        UsageError: the model lacks a tensor of a unit.
        PolicyError: the policy would be longer than a policy may be.
    """
    narrow = registry.foreign("numpy", "<f4")
    if narrow is None:
        raise PluginError("no format holds 32-bit floats as they are", hint="Install fourcc again.")
    before = narrow_rules(str(narrow.tag))
    rules = explicit_rules(_rows(source, allocation))
    notes = [*[""] * len(before), *(_note(names, allocation) for _, names in rules)]
    return Policy.parse(rules_text([*before, *(rule for rule, _ in rules)], head=head, expect=expect, notes=notes))


def origin(costs: Costs) -> list[str]:
    """Comments that say which costs a mix was made from."""
    calibration = "no calibration" if costs.calibration is None else f"calibration {costs.calibration[:SHOWN]}"
    feedback = "" if costs.feedback is None else f", feedback {costs.feedback.get('method')}"
    text = f"{costs.tokens} tokens of text {costs.text[:SHOWN]}"
    return [
        f"A mix for model {costs.model[:SHOWN]}, by costs on {text}, {calibration}{feedback}.",
        *([f"To convert as it was measured, give {_given(costs)}."] if costs.calibration else []),
    ]


def _given(costs: Costs) -> str:
    """The options of a conversion that encodes as the measurement did."""
    feedback = costs.feedback or {}
    method = [f"--feedback {feedback['method']}"] if "method" in feedback else []
    damping = [f"--damping {feedback['damping']}"] if feedback.get("damping") not in (None, Feedback().damping) else []
    return " ".join(["--calibration FILE", *method, *damping])


def _rows(source: Source, allocation: Allocation) -> Iterator[Row]:
    """The outcome of every real matrix, in the source's order."""
    chosen = {
        name: option for unit, option in zip(allocation.units, allocation.chosen, strict=True) for name in unit.tensors
    }
    missing = next((name for name in chosen if name not in source), None)
    if missing is not None:
        what = "the costs are of another model: this one has no such tensor"
        raise UsageError(what, file=source.path, tensor=missing, hint="Measure this model.")
    tied = bool(source.hyper.get("tied_embeddings", False))
    for tensor in source.tensors:
        option = chosen.get(tensor.name)
        if option is not None:
            yield Row(tensor.name, option.tag, option.params, option.options)
        elif len(tensor.shape) > 1 and describe(tensor, tied=tied).real:
            yield Row(tensor.name, tensor.tag, tensor.params, {}, keep=True)


def _note(names: Sequence[str], allocation: Allocation) -> str:
    """The comment of a rule: its bytes, and the KL divergence that it adds."""
    pairs = zip(allocation.units, allocation.chosen, strict=True)
    options = [option for unit, option in pairs if unit.tensors[0] in names]
    if not options:
        return "no option fits"
    kld = fsum(option.kld or 0.0 for option in options)
    tensors = f"{len(names)} tensor{'s' * (len(names) != 1)}"
    return f"{tensors}, {sum(option.nbytes for option in options)} bytes, KLD {kld:.3g}"
