"""The lines of each rule of a policy."""

import pytest

from fourcc.policy import Policy
from fourcc.policy.recipes import read_recipe, recipes
from fourcc.reporting.document import TensorReport
from fourcc.reporting.rules import rule_reports, rule_texts


def tensor(rule: int | None) -> TensorReport:
    return TensorReport("w", "w", (2, 2), (), None, "F32", 16, rule=rule)


TABLES = """version = 1

[[rule]] # a
role = "norm"
tag = "F32"

# on the next rule
  [[ rule ]]
match = "*"
tag = "F16"
[rule.encoder]
[expect]
bits = "<= 8"
"""
ARRAY = """version = 1
rule = [ # rules
  { role = "norm", tag = "F32" }, # small
  # all others
  { match = "*", fallback = [
    "F16"], tag = "F32" },
]
"""


def test_a_rule_is_its_lines() -> None:
    assert rule_texts(TABLES) == [
        '[[rule]] # a\nrole = "norm"\ntag = "F32"',
        '[[ rule ]]\nmatch = "*"\ntag = "F16"\n[rule.encoder]',
    ]


def test_a_rule_in_an_array_is_its_lines() -> None:
    assert rule_texts(ARRAY) == [
        '{ role = "norm", tag = "F32" }, # small',
        '{ match = "*", fallback = [\n    "F16"], tag = "F32" },',
    ]


def test_rules_in_one_line_have_it_in_common() -> None:
    line = 'rule = [{ role = "norm", tag = "F32" }, { match = "*", tag = "F16" }]'
    assert rule_texts(f"version = 1\n{line}") == [line, line]


def test_every_recipe_has_as_many_texts_as_rules() -> None:
    for recipe in recipes():
        text, _ = read_recipe(recipe.name)
        assert len(rule_texts(text)) == len(Policy.parse(text).rules), recipe.name


def test_each_rule_has_its_tensors_and_those_without_are_there() -> None:
    text = Policy.shorthand("Q8_0,F16").text
    found = rule_reports(text, [tensor(1), tensor(1), tensor(None)])
    assert [len(rule.tensors) for rule in found[:2]] == [0, 2]
    assert all(rule.text.startswith("[[rule]]") for rule in found)


@pytest.mark.parametrize("text", ["rule = [{", "version = 9", "[[rule]]\nnonsense = 1", ""])
def test_the_lines_of_what_is_no_policy_are_left_out(text: str) -> None:
    found = rule_reports(text, [tensor(1)])
    assert [(rule.number, rule.text, len(rule.tensors)) for rule in found] == [(1, "", 1)]


def test_a_number_beyond_the_policy_takes_no_room() -> None:
    """An index may hold any number: a rule for each smaller one would be more than the memory holds."""
    found = rule_reports(Policy.shorthand("Q8_0,F16").text, [tensor(1), tensor(1 << 62)])
    assert [(rule.number, rule.text) for rule in found] == [(1, ""), (1 << 62, "")]
