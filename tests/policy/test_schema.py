"""The allowed keys and values of a policy, and the errors for all others: without formats, without a model."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from fourcc.errors import PolicyError
from fourcc.policy import Policy
from fourcc.tags import as_tag

Problems = Callable[[str], list[str]]


def test_every_key() -> None:
    """Every key reaches the rule."""
    (rule,) = Policy.parse(
        """
        version = 1
        [[rule]]
        match = ["*.w1", "*.w2"]
        role = "ffn.*"
        layers = 3
        dims = 2
        rows = ">1"
        cols = "%32"
        weights = "<100"
        values = "float"
        stored = ["F32", "BF16"]
        tag = "Q4_A"
        params = { group = 64 }
        encoder = { method = "kmeans" }
        fallback = ["Q8_0", { tag = "Xy", params = { a = 1 }, encoder = { b = 2 } }]
        nonfinite = "keep"
        optional = true
        """
    ).rules
    assert rule.match is not None
    assert rule.match.patterns == ("*.w1", "*.w2")
    assert rule.role is not None
    assert rule.role.patterns == ("ffn.*",)
    assert rule.layers is not None
    assert [i for i in range(9) if rule.layers.match(i, 9)] == [3]
    assert {key: condition.tests for key, condition in rule.shape.items()} == {
        "dims": (("=", 2),),
        "rows": ((">", 1),),
        "cols": (("%", 32),),
        "weights": (("<", 100),),
    }
    assert rule.real is True
    assert rule.stored == {as_tag("F32"), as_tag("BF16")}
    assert [(str(choice.tag), choice.params, choice.options) for choice in rule.choices] == [
        ("Q4_A", {"group": 64}, {"method": "kmeans"}),
        ("Q8_0", {}, {}),
        ("Xy", {"a": 1}, {"b": 2}),
    ]
    assert rule.nonfinite
    assert rule.optional


def test_silence() -> None:
    """The defaults of keys that a rule does not have."""
    (rule,) = Policy.parse('version = 1\n[[rule]]\nmatch = "*"\nkeep = true').rules
    assert rule.choices == ()
    assert (rule.role, rule.layers, rule.shape, rule.real, rule.stored) == (None, None, {}, None, None)
    assert not rule.optional
    assert not rule.nonfinite


def test_every_problem_at_once(parse_problems: Problems) -> None:
    """Problems follow the order of the text, each with path, line and, where there is one, the nearest name."""
    text = """version = 2
rules = 1
[[rule]]
tga = "Q4_0"
layers = "a"
[[rule]]
match = "*"
tag = "Q8_0"
fallback = [
  "F16",
  { tag = "longer", encode = {} },
]
"""
    assert parse_problems(text) == [
        "line 1: version: found 2, expected version = 1 (a newer fourcc may read it)",
        "line 2: rules: unknown key (did you mean 'rule'?)",
        'line 3: rule[0]: no outcome: neither tag nor keep (tag = "..." encodes, keep = true carries)',
        "line 4: rule[0].tga: unknown key (did you mean 'tag'?)",
        "line 5: rule[0].layers: found 'a', expected slices such as '0:4, -2:' or '1/8+2:7/8:3'",
        "line 11: rule[1].fallback[1].encode: unknown key (did you mean 'encoder'?)",
        "line 11: rule[1].fallback[1].tag: 'longer' is not a tag: one to four of A-Z a-z 0-9 _, the first a letter",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["version: no version, expected version = 1", "rule: no rule (a rule begins with [[rule]])"]),
        ("version = 1", ["rule: no rule (a rule begins with [[rule]])"]),
        ("version = 1\nrule = 3", ["line 2: rule: no rule (a rule begins with [[rule]])"]),
        ("version = 1\n[rule]\nkeep = true", ["line 2: rule: no rule (a rule begins with [[rule]])"]),
        ("version = 1\nrule = [3]", ["line 2: rule[0]: found 3, expected a table"]),
        (
            'version = true\n[[rule]]\nmatch = "*"\nkeep = true',
            ["line 1: version: found True, expected version = 1"],
        ),
        ('version = 0\n[[rule]]\nmatch = "*"\nkeep = true', ["line 1: version: found 0, expected version = 1"]),
        (
            'version = 1\n"\\u001b[2J" = 1\n[[rule]]\nmatch = "*"\nkeep = true',
            ["line 2: '\\x1b[2J': unknown key (there are: version, expect, rule)"],
        ),
    ],
)
def test_problems_of_the_whole(parse_problems: Problems, text: str, expected: list[str]) -> None:
    """Version and rules; a key that would command a terminal is shown as text."""
    assert parse_problems(text) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("match = 3", "match: found 3, expected a text or a list of texts, none empty"),
        ("match = []", "match: found [], expected a text or a list of texts, none empty"),
        ('match = ["a", ""]', "match: found ['a', ''], expected a text or a list of texts, none empty"),
        ("role = [1]", "role: found [1], expected a text or a list of texts, none empty"),
        ("layers = true", "layers: found True, expected a text or an integer"),
        ("layers = 1.0", "layers: found 1.0, expected a text or an integer"),
        ("layers = '1/0'", "layers: found '1/0', which divides by zero"),
        ("dims = '2'", "dims: found '2', expected one of >= <= > < = % before a number, such as '>=2'"),
        ("rows = -1", "rows: found '=-1', expected one of >= <= > < = % before a number, such as '>=2'"),
        ("cols = '%0'", "cols: found '%0', which divides by zero"),
        ("weights = false", "weights: found False, expected a text or an integer"),
        ("values = 'int'", "values: found 'int', expected one of 'float', 'integer'"),
        ("values = []", "values: found [], expected one of 'float', 'integer'"),
        ("stored = 'F_32_'", "stored: 'F_32_' is not a tag: one to four of A-Z a-z 0-9 _, the first a letter"),
        ("params = 1", "params: found 1, expected a table such as { name = value }"),
        ("encoder = []", "encoder: found [], expected a table such as { name = value }"),
        ("fallback = 'F16'", "fallback: found 'F16', expected a list of tags, or of tables with a tag"),
        ("fallback = []", "fallback: found [], expected a list of tags, or of tables with a tag"),
        ("fallback = [1]", "fallback[0]: found 1, expected a table"),
        ("fallback = [{}]", "fallback[0]: no tag"),
        ("fallback = ['']", "fallback[0].tag: '' is not a tag: one to four of A-Z a-z 0-9 _, the first a letter"),
        ("fallback = [{ tag = 1 }]", "fallback[0].tag: found 1, expected a format's tag"),
        (
            "fallback = [{ tag = 'F16', keep = true }]",
            "fallback[0].keep: unknown key (there are: tag, params, encoder)",
        ),
        ("nonfinite = true", "nonfinite: found True, expected one of 'refuse', 'keep'"),
        ("optional = 1", "optional: found 1, expected true or false"),
        ("keep = true", "tag: does nothing beside keep (leave out one of them)"),
        ("keep = 'yes'", "keep: found 'yes', expected true, or no such key"),
        ("Tag = 'F16'", "Tag: unknown key (did you mean 'tag'?)"),
    ],
)
def test_values_that_are_not_allowed(parse_problems: Problems, key: str, expected: str) -> None:
    """One key of a rule; what was found and what would do."""
    text = f"version = 1\n[[rule]]\ntag = 'Q8_0'\n{'rows' if key.startswith('dims') else 'dims'} = 2\n{key}"
    assert expected in [problem.partition(": rule[0].")[2] for problem in parse_problems(text)]


@pytest.mark.parametrize("key", ["params = {}", "encoder = {}", "fallback = ['F16']"])
def test_what_does_nothing_beside_keep(parse_problems: Problems, key: str) -> None:
    """A kept tensor is not encoded."""
    name = key.partition(" ")[0]
    assert parse_problems(f"version = 1\n[[rule]]\nmatch = '*'\nkeep = true\n{key}") == [
        f"line 5: rule[0].{name}: does nothing beside keep (leave out one of them)"
    ]


def test_keep_is_true_or_absent(parse_problems: Problems) -> None:
    """`keep = false` would say nothing."""
    assert parse_problems("version = 1\n[[rule]]\nmatch = '*'\nkeep = false") == [
        "line 4: rule[0].keep: found False, expected true, or no such key"
    ]


def test_a_rule_selects_something(parse_problems: Problems) -> None:
    """A rule for everything says so: a forgotten selector would swallow the model."""
    assert parse_problems("version = 1\n[[rule]]\ntag = 'Q8_0'") == [
        'line 2: rule[0]: selects nothing by itself (match = "*" selects every tensor)'
    ]


def test_parsing_needs_no_formats_and_no_numpy() -> None:
    """A tag that nobody has passes; numpy is not loaded."""
    code = (
        "import sys; from fourcc.policy import Policy;"
        "Policy.parse(\"version = 1\\n[[rule]]\\nmatch = '*'\\ntag = 'Zz9'\"); Policy.keep();"
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_exit_code_and_heading() -> None:
    """A policy that cannot be carried out is wrong usage, with the number of its problems."""
    with pytest.raises(PolicyError, match=r"^2 problems in the policy:\n  ") as caught:
        Policy.parse("")
    assert caught.value.exit_code == 2


def test_unknown_formats_are_told_with_the_rest() -> None:
    """A policy with a misspelt key and a misspelt tag is mended in one go."""
    text = (
        'version = 1\n[[rule]]\nmatc = "x"\ntag = "F32"\n[[rule]]\nmatch = "*"\ntag = "Q9_Z"\nencoder = { metod = 1 }\n'
    )
    with pytest.raises(PolicyError) as caught:
        Policy.parse(text)
    assert {(problem.path, problem.line) for problem in caught.value.problems} >= {
        ("rule[0].matc", 3),
        ("rule[1].tag", 7),
    }
