"""Policy: the formats in which a model's tensors are to be stored. Pure data; `specs/policy.md` describes the text."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Container, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import PluginError, PolicyError, Problem, UsageError
from fourcc.plugins.registry import Registry, registry
from fourcc.policy.asked_formats import rule_targets
from fourcc.policy.expectations import Expectations
from fourcc.policy.places import Places, Problems
from fourcc.policy.recipes import RECIPE, read_recipe
from fourcc.policy.resolve import Resolver
from fourcc.policy.rule import Decision, Rule, TensorInfo
from fourcc.policy.schema import Schema
from fourcc.policy.shorthand import fallback_entries, spelled_choices
from fourcc.policy.toml import MAX_BYTES, decode_toml, read_toml
from fourcc.policy.writing import Row, explicit_text, rules_text, shorthand_text
from fourcc.tags import FourCC

if TYPE_CHECKING:
    from fourcc.settings import Params

_PLAIN = re.compile(r"[A-Za-z0-9_,:=.]+")  # texts that are shown as typed
_TEXTS = {"format": "tags with commas between them", "recipe": "a recipe's name"}


@attrs.frozen
class Policy:
    """Ordered rules; the first that matches a tensor decides it.

    Attributes:
        rules: the rules.
        text: the TOML text from which `parse` makes these rules; it is stored in the converted file.
        file: the origin of the text, for messages.
        expect: what must hold of a conversion; None: nothing is said.
    """

    rules: tuple[Rule, ...]
    text: str
    file: str | None = None
    expect: Expectations | None = None
    _places: Places = attrs.field(factory=Places, eq=False, repr=False)

    def _repr_html_(self) -> str:
        """HTML for notebooks: the policy's text."""
        from fourcc.drawing import notebook

        words = f"{len(self.rules)} rule{'s' * (len(self.rules) != 1)}"
        head = notebook.known_facts({"policy": words, "file": self.file})
        return notebook.output(head, notebook.short_text(self.text, "Policy"))

    @classmethod
    def parse(cls, text: str, file: object = None) -> Policy:
        """The policy that a text spells.

        Args:
            text: TOML.
            file: the origin of the text, for messages.

        Raises:
            PolicyError: with every problem that can be found without a model. Only `resolve` compares a well-formed
                text with the installed formats.
        """
        tree, places = read_toml(text, file)
        problems = Problems(places)
        schema = Schema(problems)
        rules, expect = schema.rules(tree), schema.expectations(tree)
        if problems.listed:  # report all at once, with the problems that formats have with the readable rules
            for index, rule in rules.items():
                rule_targets(index, rule, registry, problems)
        problems.refuse(file)
        return cls(tuple(rules.values()), text, None if file is None else str(file), expect, places)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Policy:
        """The policy in a file.

        Raises:
            PolicyError: the file is not regular, not UTF-8, or not a policy.
            OSError: the file cannot be read.
        """
        return cls.parse(decode_toml(_read_bounded(Path(path)), path), path)

    @classmethod
    def chosen(
        cls,
        *,
        format: str | None = None,  # noqa: A002 - the word of `--format`
        recipe: str | None = None,
        policy: Policy | str | os.PathLike[str] | None = None,
        prefix: str = "",
    ) -> Policy:
        """The policy that one of three arguments gives, as `fourcc.convert` and the command line have them.

        With none of them, every tensor stays as it is stored.

        Args:
            format: ``Q,R``, as `shorthand` takes it.
            recipe: the name of a policy that this package ships.
            policy: a policy, a file's path, or TOML: a text with a newline or ``=`` in it is TOML, any other is a path.
            prefix: stands before the arguments' names in messages.

        Raises:
            UsageError: more than one is given, or there is no such recipe or file.
            PolicyError: it is not a policy.
        """
        given = {"policy": policy, "format": format, "recipe": recipe}
        several = [prefix + name for name, value in given.items() if value is not None]
        if len(several) > 1:
            hint = "`fourcc policy show --recipe NAME` prints a recipe to start a policy from."
            if recipe is None:
                hint = "A rule of the policy can have a fallback."
            raise UsageError(f"{' and '.join(several)} exclude each other", hint=hint)
        for name in ("format", "recipe"):
            if given[name] is not None and not isinstance(given[name], str):
                raise UsageError(f"{prefix}{name} is a text", found=given[name], expected=_TEXTS[name])
        if format is not None:
            return cls.shorthand(format, option=f"{prefix}format")
        if recipe is not None:
            return cls.recipe(recipe)
        return cls.keep() if policy is None else cls._given(policy)

    @classmethod
    def _given(cls, policy: Policy | str | os.PathLike[str]) -> Policy:
        if isinstance(policy, Policy):
            return policy
        if isinstance(policy, str) and ("=" in policy or "\n" in policy):
            return cls.parse(policy)
        if not isinstance(policy, (str, os.PathLike)):
            raise UsageError("policy is a Policy, a path or a text", found=policy)
        try:
            return cls.read(policy)
        except FileNotFoundError:
            short = isinstance(policy, str) and _PLAIN.fullmatch(policy) is not None
            hint = f"format={policy!r} names formats, recipe={policy!r} a recipe." if short else None
            raise UsageError("there is no such policy file", file=policy, hint=hint) from None

    @classmethod
    def shorthand(cls, text: str, registry: Registry = registry, option: str = "--format") -> Policy:
        """The policy of ``--format Q,R``: tag Q, or R where Q does not fit, for every tensor of two or more dimensions.

        A tag may have settings, ``Q4_Z:group=64``. Real tensors of fewer dimensions are stored as 32-bit floats;
        integers are kept. `option` is for messages.

        Raises:
            PolicyError: a tag is misspelled, or its format is missing or broken.
        """
        places = Places(option=f"{option} {text if _PLAIN.fullmatch(text) else repr(text)}")
        problems = Problems(places)
        choices = spelled_choices(text, registry, problems)
        problems.refuse()
        narrow = registry.foreign("numpy", "<f4")
        if narrow is None:
            raise PluginError("no format holds 32-bit floats as they are", hint="Install fourcc again.")
        policy = cls.parse(shorthand_text(choices[0], fallback_entries(choices[1:]), str(narrow.tag)))
        return attrs.evolve(policy, places=places)

    @classmethod
    def recipe(cls, name: str) -> Policy:
        """A policy that this package ships, such as ``Q4_K_M``; `fourcc.policy.recipes` lists them.

        Raises:
            UsageError: there is no recipe of that name.
        """
        text, file = read_recipe(name)
        return cls.parse(text, file)

    @property
    def is_recipe(self) -> bool:
        """Whether it is one of those that the package ships."""
        return self.file is not None and self.file.startswith(RECIPE)

    @classmethod
    def keep(cls) -> Policy:
        """The policy of a conversion without a policy: every tensor stays as it is stored."""
        return cls.parse(rules_text([{"match": "*", "keep": True, "optional": True}]))

    @property
    def rule_lines(self) -> tuple[int, ...]:
        """The line in the text, from 1, at which each rule begins; empty where the text did not come as one."""
        found = [self._places.lines.get(("rule", number)) for number in range(len(self.rules))]
        return tuple(line for line in found if line is not None) if None not in found else ()

    def resolve(
        self, tensors: Sequence[TensorInfo], registry: Registry = registry, wanted: Container[str] | None = None
    ) -> list[Decision]:
        """The decision for each wanted tensor, in order.

        Args:
            tensors: all tensors of the model; their names differ.
            registry: the formats.
            wanted: names of the tensors to decide; None: all. Rules are still judged by all tensors of the model.

        Raises:
            PolicyError: with every problem.
            PluginError: a tensor is kept whose size the source does not know, and its format is missing or broken.
        """
        problems = Problems(self._places)
        decisions = Resolver(self.rules, tensors, registry, problems, wanted).decisions()
        problems.refuse(self.file)
        return decisions

    def unmet(
        self, decisions: Sequence[Decision], layer_count: int, file_bytes: Callable[[], int]
    ) -> tuple[Problem, ...]:
        """The expectations that do not hold; see `Expectations.unmet`."""
        if self.expect is None:
            return ()
        found = self.expect.unmet(decisions, layer_count, file_bytes)
        return tuple(self._places.problem(path, message) for path, message in found)


def explicit(rows: Iterable[Decision | Row | tuple[str, FourCC, Params, Params]]) -> Policy:
    """The policy that stores each tensor as given, whatever rules led there.

    Args:
        rows: decisions, or (name, tag, params, options) of a file's tensors.

    Raises:
        PolicyError: the policy would be longer than a policy may be.
    """
    rows = list(rows)
    return Policy.parse(explicit_text(rows)) if rows else Policy.keep()


def _read_bounded(path: Path) -> bytes:
    """The bytes of a regular file, at most one more than a policy may have: enough to see that the file is too long."""
    if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its writer
        raise PolicyError([Problem("", "not a regular file", None, "a policy is a text file")], file=path)
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
