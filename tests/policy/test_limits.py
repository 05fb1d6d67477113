"""Policies that are within their 64 KiB and ask for much work: each is answered soon, in a message that can be read."""

import time
from collections.abc import Callable

import pytest

from fourcc.errors import PolicyError
from fourcc.plugins.registry import registry
from fourcc.policy import Policy, TensorInfo
from fourcc.policy.layers import MAX_ITEMS, Layers

MODEL = [
    TensorInfo(name, (64, 64), ("attention.q",), layer, registry["F32"].tag)
    for layer in range(32)
    for name in (f"layers.{layer}.attention.w{kind}" for kind in "qkvo12345")
]


def seconds(text: str) -> tuple[float, str]:
    """Processor time that a policy takes with a model of 288 tensors, and what is said of it."""
    start, said = time.process_time(), ""
    try:
        Policy.parse(text).resolve(MODEL)
    except PolicyError as error:
        said = str(error)
    return time.process_time() - start, said


def ruled(lines: list[str]) -> str:
    """A policy of as many such rules as there is room for."""
    text = "version = 1\n"
    for line in lines:
        rule = f"[[rule]]\n{line}\nkeep = true\n"
        if len(text) + len(rule) > 65_000:
            break
        text += rule
    return text


SLOW: dict[str, Callable[[], str]] = {
    "idle rules": lambda: ruled([f'match = "layers.{n}.attention.wz"' for n in range(2000)]),
    "idle roles": lambda: ruled([f'role = "attention.z{n}"' for n in range(2000)]),
    "slices": lambda: ruled([f'layers = "{",".join([":0"] * 256)}"' for _ in range(100)]),
    "slices in one rule": lambda: ruled([f'layers = "{",".join([":0"] * 20_000)}"']),
    "terms": lambda: ruled([f'layers = "{"+".join(["1/3"] * 15_000)}"']),
    "patterns": lambda: ruled([f"match = {[f'*{n:x}*z' for n in range(6000)]}"]),
    "tags": lambda: ruled([f'tag = "A{n:x}"\nmatch = "*"'.replace("keep", "") for n in range(2000)]),
    "fallbacks": lambda: (
        'version = 1\n[[rule]]\nmatch = "*"\ntag = "Q8_0"\nfallback = ['
        + ", ".join(f'"a{n:03x}"' for n in range(4000))
        + "]\n"
    ),
    "keys": lambda: 'version = 1\n[[rule]]\nmatch = "*"\nkeep = true\n' + "".join(f"k{n} = 1\n" for n in range(6000)),
}


@pytest.mark.thorough
@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
def test_much_work_in_little_text(text: Callable[[], str]) -> None:
    """N9: 6.2 s once, and messages of 930 kB."""
    policy = text()
    assert 20_000 < len(policy) < 65_536
    took, said = seconds(policy)
    assert took < 5  # half of it on a quiet machine
    assert 0 < len(said) < 60_000


def test_only_the_first_problems_have_hints() -> None:
    """N9: similar names are looked for among all tensors."""
    with pytest.raises(PolicyError) as caught:
        Policy.parse(SLOW["idle rules"]()).resolve(MODEL)
    hinted = ["did you mean" in str(problem) for problem in caught.value.problems]
    assert hinted[:10] == [True] * 10
    assert not any(hinted[10:])


def test_slices_of_a_rule_are_counted() -> None:
    """N9: as many as no honest rule has."""
    assert len(Layers.parse(",".join([":0"] * MAX_ITEMS)).items) == MAX_ITEMS
    with pytest.raises(ValueError, match="found 257 slices, expected at most 256"):
        Layers.parse(",".join([":0"] * (MAX_ITEMS + 1)))
