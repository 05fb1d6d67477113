"""The reference page `specs/policy.md`: its examples are policies, and it is complete."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fourcc.errors import PolicyError
from fourcc.policy import Policy, TensorInfo
from fourcc.policy.layers import Layers
from fourcc.policy.schema import CHOICE, EXPECT, EXPECTED_TENSORS, RULE, SELECTORS, SHAPE, VERSION
from fourcc.policy.toml import MAX_BYTES, MAX_DEPTH, MAX_DIGITS, MAX_PARTS
from fourcc.policy.writing import shorthand_text


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    """The page's text."""
    return (root / "specs" / "policy.md").read_text()


def examples(page: str) -> list[str]:
    """Examples of the page, each a whole policy: most leave out the version."""
    found = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    return [text if "version" in text else f"version = {VERSION}\n{text}" for text in found]


def test_examples_are_policies(page: str) -> None:
    """Every example is parsed without a problem."""
    assert len([Policy.parse(text) for text in examples(page)]) >= 8


def test_every_key_has_an_example(page: str) -> None:
    """The example is in TOML, not only in a table."""
    together = "\n".join(examples(page))
    assert [key for key in EXPECT if not re.search(rf"^{key} = |^\[\[expect.{key}]]", together, re.MULTILINE)] == []
    assert [key for key in {**EXPECTED_TENSORS, **RULE} if not re.search(rf"^{key} = ", together, re.MULTILINE)] == []
    assert [key for key in CHOICE if not re.search(rf"{{.*\b{key} = .*}}", together)] == []


def test_tables_list_every_key(page: str) -> None:
    """One lists the selectors, the other the outcomes; no key is missing or new."""
    listed = [
        key for cell in re.findall(r"^\| (`[a-z`, ]+) \|", page, re.MULTILINE) for key in re.findall("[a-z]+", cell)
    ]
    assert sorted(listed) == sorted(RULE)
    assert re.findall(r"^\| `expect\.([a-z]+)` \|", page, re.MULTILINE) == list(EXPECT)
    assert listed[: len(SELECTORS)] == list(SELECTORS)
    assert set(SHAPE) < set(SELECTORS)


def test_layers_of_32(page: str) -> None:
    """The table of slices is true."""
    rows = re.findall(r'^\| `"([^"]+)"` \| ([0-9, to.]+) \|', page, re.MULTILINE)
    for text, listed in rows:
        layers = [i for i in range(32) if Layers.parse(text).match(i, 32)]
        numbers = [int(number) for number in re.findall(r"\d+", listed)]
        assert set(numbers) <= set(layers)
        assert (numbers[0], numbers[-1]) == (layers[0], layers[-1])
        runs = sum(int(b) - int(a) - 1 for a, b in re.findall(r"(\d+) to (\d+)", listed))
        assert "..." in listed or runs + len(numbers) == len(layers)
    assert len(rows) == 5


def test_the_shorthand_is_shown_as_it_is(page: str) -> None:
    """The text that is stored."""
    assert shorthand_text({"tag": "Q4_0"}, ["F16"], "F32") in examples(page)


def test_the_first_example_decides_a_llama(page: str, llama: Callable[[int], list[TensorInfo]]) -> None:
    """Every tensor by one of its rules, and by the one that its comment says."""
    rules = Policy.parse(examples(page)[0]).rules
    first = {tensor.name: next(i for i, rule in enumerate(rules) if rule.selects(tensor, 16)) for tensor in llama(16)}
    assert {name for name, rule in first.items() if rule == 0} == {name for name in first if "norm" in name}
    more = {0, 1, 4, 7, 10, 13, 14, 15}
    kinds = ("feed_forward.w2", "attention.wv")
    assert {name for name, rule in first.items() if rule == 1} == {f"layers.{i}.{kind}" for i in more for kind in kinds}


def test_the_shown_errors_are_the_programs(page: str) -> None:
    """The page's error example is checked."""
    text = "version = 1\n[[rule]]\nmatch = '*'\ntag = 'F16'\nlayers = 'a'\nfallbck = ['F32']"
    with pytest.raises(PolicyError) as caught:
        Policy.parse(text, "mixed.toml")
    assert f"```\n{caught.value}\n```" in page


def test_the_limits_are_the_programs(page: str) -> None:
    """The numbers of the last paragraph are checked."""
    limits = page.rpartition("\n\n")[2]
    assert [int(number) for number in re.findall(r"(?<!-)\b\d+", limits)] == [
        MAX_BYTES,
        MAX_DEPTH,
        MAX_PARTS,
        MAX_DIGITS,
    ]
