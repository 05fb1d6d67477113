"""From a TOML tree to rules. Every key has one line in a table: the function that checks and converts its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fourcc.policy.amounts import BYTES, PLAIN, Comparison
from fourcc.policy.conditions import Condition
from fourcc.policy.expectations import Expectations, ExpectedTags
from fourcc.policy.globs import Globs
from fourcc.policy.layers import Layers
from fourcc.policy.places import Path, Problems
from fourcc.policy.rule import FormatChoice, Rule
from fourcc.settings import Params
from fourcc.tags import FourCC, as_tag

VERSION = 1

Table = Mapping[str, Any]
Reader = Callable[[object], object]  # value in the tree -> value in the rule; raises TypeError or ValueError


def _texts(value: object) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise ValueError(f"found {value!r}, expected a text or a list of texts, none empty")
    return tuple(texts)


def _globs(value: object) -> Globs:
    return Globs(_texts(value))


def _tag(value: object) -> FourCC:
    if not isinstance(value, str):
        raise TypeError(f"found {value!r}, expected a format's tag")
    return as_tag(value)


def _tags(value: object) -> frozenset[FourCC]:
    return frozenset(map(as_tag, _texts(value)))


def _layers(value: object) -> Layers:
    return Layers.parse(_text_or_whole(value, ""))


def _condition(value: object) -> Condition:
    return Condition.parse(_text_or_whole(value, "="))


def _limit(units: Mapping[str, int]) -> Reader:
    def read(value: object) -> Comparison:
        if not isinstance(value, str):
            raise TypeError(f"found {value!r}, expected a text such as '<= 4'")
        return Comparison.parse(value, units)

    return read


def _tables(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"found {value!r}, expected tables that begin with [[expect.tensors]]")
    return value


def _text_or_whole(value: object, sign: str) -> str:
    """The text, or the text that a plain integer stands for."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"found {value!r}, expected a text or an integer")
    return value if isinstance(value, str) else f"{sign}{value}"


def _one_of(meaning: Mapping[str, bool]) -> Reader:
    def read(value: object) -> bool:
        if not isinstance(value, str) or value not in meaning:
            raise ValueError(f"found {value!r}, expected one of {', '.join(map(repr, meaning))}")
        return meaning[value]

    return read


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"found {value!r}, expected true or false")
    return value


def _true(value: object) -> bool:
    if value is not True:
        raise ValueError(f"found {value!r}, expected true, or no such key")
    return True


def _settings(value: object) -> Params:
    if not isinstance(value, dict):
        raise TypeError(f"found {value!r}, expected a table such as {{ name = value }}")
    return value


def _fallback(value: object) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"found {value!r}, expected a list of tags, or of tables with a tag")
    return value


SHAPE: dict[str, Reader] = dict.fromkeys(("dims", "rows", "cols", "ratio", "weights"), _condition)
SELECTORS: dict[str, Reader] = {
    "match": _globs,
    "role": _globs,
    "layers": _layers,
    "depth": _condition,
    **SHAPE,
    "values": _one_of({"float": True, "integer": False}),
    "stored": _tags,
}
CHOICE: dict[str, Reader] = {"tag": _tag, "params": _settings, "encoder": _settings}
ENCODING: dict[str, Reader] = {**CHOICE, "fallback": _fallback}
RULE: dict[str, Reader] = {
    **SELECTORS,
    **ENCODING,
    "keep": _true,
    "nonfinite": _one_of({"refuse": False, "keep": True}),
    "optional": _truth,
}
EXPECT: dict[str, Reader] = {"bytes": _limit(BYTES), "bits": _limit(PLAIN), "tensors": _tables}
EXPECTED_TENSORS: dict[str, Reader] = {**SELECTORS, "tags": _tags}


class Schema:
    """Reads a tree.

    Args:
        problems: takes every problem.
    """

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def rules(self, tree: Table) -> dict[int, Rule]:
        """The readable rules by their index; all rules, where there is no problem."""
        self._check_names(tree, (), ("version", "expect", "rule"))
        version = tree.get("version")
        if type(version) is not int or version != VERSION:
            hint = "a newer fourcc may read it" if type(version) is int and version > VERSION else None
            found = "no version" if version is None else f"found {version!r}"
            self._problems.add(("version",), f"{found}, expected version = {VERSION}", hint)
        rules = tree.get("rule")
        if not isinstance(rules, list) or not rules:
            self._problems.add(("rule",), "no rule", "a rule begins with [[rule]]")
            return {}
        return {index: rule for index, table in enumerate(rules) if (rule := self._rule(table, ("rule", index)))}

    def expectations(self, tree: Table) -> Expectations | None:
        """The table ``[expect]``, as far as it is readable; None where there is none."""
        path: Path = ("expect",)
        values = self._read(tree["expect"], path, EXPECT) if "expect" in tree else None
        if values is None:
            return None
        if not values:
            self._problems.add(path, "expects nothing", f"there are: {', '.join(EXPECT)}")
        tables = enumerate(values.get("tensors") or ())
        tensors = [each for index, table in tables if (each := self._expected_tags(table, (*path, "tensors", index)))]
        return Expectations(values.get("bytes"), values.get("bits"), tuple(tensors))

    def _expected_tags(self, table: object, path: Path) -> ExpectedTags | None:
        values = self._read(table, path, EXPECTED_TENSORS)
        if values is None:
            return None
        self._check_selectors(values, path)
        if "tags" not in values:
            self._problems.add(path, "no tags", 'tags = ["..."] are the formats that the tensors may have')
        return ExpectedTags(Rule(**_selectors(values)), values["tags"]) if values.get("tags") else None

    def _check_names(self, table: Table, path: Path, known: tuple[str, ...]) -> None:
        for name in table:
            if name not in known:
                hint = self._problems.nearest(name, known) or f"there are: {', '.join(known)}"
                self._problems.add((*path, name), "unknown key", hint)

    def _read(self, table: object, path: Path, readers: Mapping[str, Reader]) -> dict[str, Any] | None:
        """The values of a table; a key with a forbidden value maps to None. None where `table` is no table."""
        if not isinstance(table, dict):
            self._problems.add(path, f"found {table!r}, expected a table")
            return None
        self._check_names(table, path, tuple(readers))
        values: dict[str, Any] = {}
        for name in filter(readers.__contains__, table):
            try:
                values[name] = readers[name](table[name])
            except (TypeError, ValueError) as error:
                values[name] = None
                self._problems.add((*path, name), str(error))
        return values

    def _rule(self, table: object, path: Path) -> Rule | None:
        values = self._read(table, path, RULE)
        if values is None:
            return None
        self._check_outcome(values, path)
        self._check_selectors(values, path)
        choices = [self._choice(values)] if values.get("tag") else []
        for index, entry in enumerate(values.get("fallback") or ()):
            choices += self._fallback_choice(entry, (*path, "fallback", index))
        return Rule(
            **_selectors(values),
            choices=tuple(choices),
            optional=bool(values.get("optional")),
            nonfinite=bool(values.get("nonfinite")),
        )

    def _check_selectors(self, values: Mapping[str, Any], path: Path) -> None:
        if not values.keys() & SELECTORS.keys():
            self._problems.add(path, "selects nothing by itself", 'match = "*" selects every tensor')

    def _check_outcome(self, values: Mapping[str, Any], path: Path) -> None:
        if "keep" not in values:
            if "tag" not in values:
                self._problems.add(path, "no outcome: neither tag nor keep", 'tag = "..." encodes, keep = true carries')
            return
        for name in ENCODING:
            if name in values:
                self._problems.add((*path, name), "does nothing beside keep", "leave out one of them")

    def _fallback_choice(self, entry: object, path: Path) -> list[FormatChoice]:
        table = {"tag": entry} if isinstance(entry, str) else entry
        values = self._read(table, path, CHOICE)
        if values is not None and "tag" not in values:
            self._problems.add(path, "no tag")
        return [self._choice(values)] if values and values.get("tag") else []

    @staticmethod
    def _choice(values: Mapping[str, Any]) -> FormatChoice:
        return FormatChoice(values["tag"], values.get("params") or {}, values.get("encoder") or {})


def _selectors(values: Mapping[str, Any]) -> dict[str, Any]:
    """A rule's selectors."""
    return {
        **{key: values.get(key) for key in ("match", "role", "layers", "depth", "stored")},
        "shape": {key: values[key] for key in SHAPE if values.get(key)},
        "real": values.get("values"),
    }
