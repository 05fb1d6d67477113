"""The lines of each rule of a policy."""

import pytest

from fourcc.policy import Policy
from fourcc.policy.recipes import read_recipe, recipes
from fourcc.reporting.document import TensorReport
from fourcc.reporting.rules import rule_reports, rule_texts


def tensor(rule: int | None) -> TensorReport:
    return TensorReport("w", "w", (2, 2), (), None, "F32", 16, rule=rule)


def test_a_rule_is_its_lines() -> None:
    text = (
        "version = 1\n\n[[rule]] # a\ntag = 'F32'\n  [[ rule ]]\ntag = 'F16'\n[rule.encoder]\nx = 1\n[expect]\ny = 2\n"
    )
    assert rule_texts(text) == ["[[rule]] # a\ntag = 'F32'", "[[ rule ]]\ntag = 'F16'\n[rule.encoder]\nx = 1"]


def test_every_recipe_has_as_many_texts_as_rules() -> None:
    for recipe in recipes():
        text, _ = read_recipe(recipe.name)
        assert len(rule_texts(text)) == len(Policy.parse(text).rules), recipe.name


def test_each_rule_has_its_tensors_and_those_without_are_there() -> None:
    text = Policy.shorthand("Q8_0,F16").text
    found = rule_reports(text, [tensor(1), tensor(1), tensor(None)])
    assert [len(rule.tensors) for rule in found[:2]] == [0, 2]
    assert all(rule.text.startswith("[[rule]]") for rule in found)


@pytest.mark.parametrize("text", ["rule = [{tag = 'F32'}, {tag = 'F16'}]", "x = '''\n[[rule]]\n'''", ""])
def test_lines_that_cannot_be_told_are_left_out(text: str) -> None:
    found = rule_reports(text, [tensor(1)])
    assert [(rule.number, rule.text, len(rule.tensors)) for rule in found] == [(0, "", 0), (1, "", 1)]
