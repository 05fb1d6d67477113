"""A policy's rules and a model's tensors -> what becomes of each tensor, or everything that stands against it."""

from __future__ import annotations

from collections.abc import Container, Sequence
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import listed
from fourcc.policy.globs import Globs, spelled
from fourcc.policy.places import NEAR_TAGS, Path, Report
from fourcc.policy.rule import Decision, Rule, TensorInfo
from fourcc.policy.targets import Target, rule_targets

if TYPE_CHECKING:
    from fourcc.registry import Registry

LISTED = 10  # names that a message lists before it only counts them


class Resolver:
    """Carries out one resolution.

    Args:
        rules: the policy's.
        tensors: all tensors of the model.
        registry: where formats are looked up.
        report: takes every problem.
        wanted: names of the tensors to decide; None: all.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        tensors: Sequence[TensorInfo],
        registry: Registry,
        report: Report,
        wanted: Container[str] | None = None,
    ) -> None:
        self._rules = rules
        self._tensors = tensors
        self._names = [tensor.name for tensor in tensors]
        self._roles = sorted({role for tensor in tensors for role in tensor.roles})
        self._wanted = {tensor.name for tensor in tensors} if wanted is None else wanted
        self._registry = registry
        self._report = report
        self._refusals: dict[tuple[int, str, str | None], list[str]] = {}  # (rule, message, hint) -> tensors refused

    def decisions(self) -> list[Decision]:
        """One decision a wanted tensor, in order; those that a problem prevents are missing."""
        self._check_stored_tags()
        targets = [rule_targets(i, rule, self._registry, self._report) for i, rule in enumerate(self._rules)]
        decided = [
            self._decide(tensor, owner, chain)
            for tensor, owner in zip(self._tensors, self._owners(), strict=True)
            if tensor.name in self._wanted and owner is not None and (chain := targets[owner]) is not None
        ]
        for (index, message, hint), names in self._refusals.items():
            self._report.add(("rule", index), f"{listed(map(repr, names), LISTED)}: {message}", hint)
        return [decision for decision in decided if decision is not None]

    def _check_stored_tags(self) -> None:
        """Reports tags that neither a tensor has nor a package provides: such a selector can only be a slip."""
        known = {*self._registry, *(tensor.tag for tensor in self._tensors)}
        for index, rule in enumerate(self._rules):
            for tag in sorted((rule.stored or frozenset()) - known):
                hint = self._report.nearest(str(tag), sorted(known), NEAR_TAGS)
                self._report.add(("rule", index, "stored"), f"no installed package provides the format {tag}", hint)

    def _owners(self) -> list[int | None]:
        """Index of the rule of each tensor; reports rules that take none, and tensors that none takes."""
        layer_count = 1 + max((tensor.layer for tensor in self._tensors if tensor.layer is not None), default=-1)
        owners: list[int | None] = [None] * len(self._tensors)
        for index, rule in enumerate(self._rules):
            selected = [at for at, tensor in enumerate(self._tensors) if rule.selects(tensor, layer_count)]
            earlier = {owner for at in selected if (owner := owners[at]) is not None}
            free = [at for at in selected if owners[at] is None]
            for at in free:
                owners[at] = index
            if not free and not rule.optional:
                self._report_idle(index, rule, sorted(earlier))
        unruled = [
            tensor.name
            for tensor, owner in zip(self._tensors, owners, strict=True)
            if owner is None and tensor.name in self._wanted
        ]
        if unruled:
            self._report.add(
                (), f"no rule matches {listed(map(repr, unruled), LISTED)}", 'add a last rule with match = "*"'
            )
        return owners

    def _report_idle(self, index: int, rule: Rule, earlier: list[int]) -> None:
        path: Path = ("rule", index)
        if earlier:
            takers = ", ".join(f"rule[{taker}]" for taker in earlier)
            self._report.add(path, f"every tensor that it matches is taken by {takers}", "move it up, or remove it")
            return
        unmet = [(globs, known) for globs, known in ((rule.match, self._names), (rule.role, self._roles)) if globs]
        hints = [_name_hint(globs, known, self._report) for globs, known in unmet if not globs.match_any(known)]
        self._report.add(path, "matches no tensor", next(filter(None, hints), self._report.idle_hint))

    def _decide(self, tensor: TensorInfo, rule: int, chain: tuple[Target, ...]) -> Decision | None:
        """The decision for a tensor; None where it is refused."""
        if not chain:
            return self._decision(tensor, rule)
        try:
            target = _chosen(tensor, chain)
        except _RefusedError as error:
            self._refusals.setdefault((rule, error.message, error.hint), []).append(tensor.name)
            return None
        first = chain[0].spec.tag
        decision = self._decision(tensor, rule, None if target.holds(tensor) else target)
        return decision if decision.tag == first else attrs.evolve(decision, fallback_from=first)

    def _decision(self, tensor: TensorInfo, rule: int, target: Target | None = None) -> Decision:
        """The tensor encoded as the target says, or kept where there is none."""
        nbytes = self._kept_bytes(tensor) if target is None else target.spec.stored_bytes(tensor.shape, target.params)
        return Decision(
            tensor=tensor,
            rule=rule,
            tag=tensor.tag if target is None else target.spec.tag,
            params=tensor.params if target is None else target.params,
            options={} if target is None else target.options,
            keep=target is None,
            nonfinite=self._rules[rule].nonfinite,
            fallback_from=None,
            bits_per_weight=Fraction(8 * nbytes, max(1, prod(tensor.shape))),
            nbytes=nbytes,
        )

    def _kept_bytes(self, tensor: TensorInfo) -> int:
        if tensor.nbytes is not None:
            return tensor.nbytes
        return self._registry[tensor.tag].spec.stored_bytes(tensor.shape, tensor.params)


class _RefusedError(Exception):
    """A tensor that a rule's formats cannot take; never leaves this file."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def _chosen(tensor: TensorInfo, chain: Sequence[Target]) -> Target:
    """The first of a rule's formats that the tensor fits. Raises _RefusedError where it cannot be stored so."""
    target = next((each for each in chain if each.spec.misfit(tensor.shape, each.params) is None), None)
    if target is not None and target.holds(tensor):
        return target
    if not tensor.real:
        hint = 'a rule before it with values = "integer" and keep = true carries them'
        raise _RefusedError(f"{tensor.tag} holds no real numbers, so it cannot become {chain[0].spec.tag}", hint)
    if target is None:
        reasons = "; ".join(f"{each.spec.tag}: {each.spec.misfit(tensor.shape, each.params)}" for each in chain)
        raise _RefusedError(f"no format fits the shape {tensor.shape}: {reasons}", "add a fallback")
    if not target.encodes:
        raise _RefusedError(f"{target.spec.tag} has no encoder, and the tensor is stored as {tensor.tag}")
    return target


def _name_hint(globs: Globs, known: Sequence[str], report: Report) -> str | None:
    """What could have been meant by patterns that match none of the known names."""
    literal = next((pattern for pattern in globs.patterns if pattern in known), None)
    if literal is not None:
        return f"brackets enclose a set of characters; that name is written {spelled(literal)!r}"
    return report.nearest(globs.patterns[0], known)
