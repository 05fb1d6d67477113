"""The table `[expect]`: how it is read, what fails, and its errors."""

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.errors import PolicyError
from fourcc.plugins.registry import Registry
from fourcc.policy import Policy, TensorInfo
from fourcc.policy.amounts import BYTES, PLAIN, Comparison, amount

RULES = """
[[rule]]
role = "embedding"
tag = "Q8_0"
[[rule]]
dims = "<2"
tag = "F32"
[[rule]]
match = "*"
tag = "F16"
"""
BYTES_OF_ALL = 512 * 8 * 34 + 2 * (256 * 256 + 64 * 256 + 256 * 704) * 2 + 3 * 256 * 4
WEIGHTS = 512 * 256 + 2 * (256 * 256 + 64 * 256 + 256 * 704) + 3 * 256

Llama = Callable[[int], list[TensorInfo]]


def unmet(expect: str, tensors: list[TensorInfo], formats: Registry, file_bytes: int = 1000) -> list[str]:
    """The expectations of a policy that fail, each as it is printed."""
    policy = Policy.parse(f"version = 1\n[expect]\n{expect}{RULES}", "mixed.toml")
    return [str(each) for each in policy.unmet(policy.resolve(tensors, formats), 2, lambda: file_bytes)]


@given(st.integers(0, 10**15), st.integers(0, 9), st.sampled_from(["kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "B"]))
def test_lengths_are_exact(whole: int, tenths: int, unit: str) -> None:
    """Powers of 1000, or of 1024 with an i, with and without a space, in any case."""
    power = "BKMGT".index(unit[0].upper())
    expected = (whole + Fraction(tenths, 10)) * (1024 if "i" in unit else 1000) ** power
    for text in (f"{whole}.{tenths} {unit}", f"{whole}.{tenths}{unit.lower()}"):
        assert amount(text) == expected


@pytest.mark.parametrize("text", ["", "2.4 Mb/s", "two MB", "1e6", "-1", ".5", "1 bpw", "0x10", "1" * 21])
def test_what_is_no_length(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a number such as 2\.4 MB, 2400 kB, 2 MiB or 2400000"):
        amount(text)


def test_a_bare_number_has_no_unit() -> None:
    assert amount(" 4.25 ", PLAIN) == Fraction(17, 4)
    with pytest.raises(ValueError, match=r"found '4 MB', expected a number such as 4\.25"):
        amount("4 MB", PLAIN)


@pytest.mark.parametrize(
    ("text", "below", "at", "above"),
    [
        ("<= 2 kB", True, True, False),
        ("< 2 kB", True, False, False),
        (">= 2 kB", False, True, True),
        ("> 2000", False, False, True),
        ("=2000 B", False, True, False),
        (">= 2 kB, <= 2 kB", False, True, False),
    ],
)
def test_limits(text: str, *, below: bool, at: bool, above: bool) -> None:
    """Each sign, and several of them."""
    limit = Comparison.parse(text, BYTES)
    assert [limit.holds(Fraction(value)) for value in (1999, 2000, 2001)] == [below, at, above]


def test_what_holds_is_silent(llama: Llama, formats: Registry) -> None:
    """Without a table nothing is computed, either."""
    bits = Fraction(8 * BYTES_OF_ALL, WEIGHTS)
    expect = (
        f'bytes = "<= 1 kB"\nbits = ">= {float(bits) - 1e-6:.9f}, <= {float(bits) + 1e-6:.9f}"\n'
        '[[expect.tensors]]\nrole = "output"\ntags = ["Q8_0", "Q6_K"]\n'
        '[[expect.tensors]]\nlayers = -1\ndims = 2\ntags = "F16"\n'
    )
    assert unmet(expect, llama(2), formats) == []
    silent = Policy.parse(f"version = 1{RULES}")
    assert silent.unmet(silent.resolve(llama(2), formats), 2, lambda: 1 // 0) == ()


def test_every_failure_is_listed_with_its_line(llama: Llama, formats: Registry) -> None:
    """With what was found, and what was expected."""
    expect = (
        'bytes = "< 1 kB"\nbits = "<= 4.0"\n[[expect.tensors]]\nrole = "embedding"\ntags = ["Q6_K", "BF16"]\n'
        '[[expect.tensors]]\nmatch = "lm_head"\ntags = "F16"\n[[expect.tensors]]\nlayers = "0:"\ntags = "F32"\n'
    )
    bits = 8 * BYTES_OF_ALL / WEIGHTS
    names = ("0.attention.wq", "0.attention.wv", "0.feed_forward.w2", "1.attention.wq", "1.attention.wv")
    wrong = [f"F16 for 'layers.{name}'" for name in names]
    assert unmet(expect, llama(2), formats) == [
        "line 3: expect.bytes: found a file of 1000 bytes, expected < 1 kB",
        f"line 4: expect.bits: found {bits:.7g} bits per weight, expected <= 4.0",
        "line 7: expect.tensors[0].tags: found Q8_0 for 'tok_embeddings', expected BF16 or Q6_K",
        "line 8: expect.tensors[1]: selects no tensor",
        f"line 13: expect.tensors[2].tags: found {', '.join(wrong)} and 1 more, expected F32",
    ]


def test_the_table_is_checked_as_rules_are() -> None:
    """Every mistake at once, each with its line."""
    text = (
        'version = 1\n[expect]\nbytes = "2 MB"\nbits = 4\nbits_per_weight = "<= 4"\n'
        '[[expect.tensors]]\ntags = "Q8_0"\n[[expect.tensors]]\nrole = "norm"\n'
        '[[expect.tensors]]\nrole = "norm"\ntags = []\n[[expect.tensors]]\ndims = "=>2"\ntags = "F32"\n'
    )
    with pytest.raises(PolicyError) as caught:
        Policy.parse(text + RULES)
    assert [str(problem) for problem in caught.value.problems] == [
        "line 3: expect.bytes: found '2 MB', expected one of <= >= < > = before a number, such as '<= 2.4 MB'",
        "line 4: expect.bits: found 4, expected a text such as '<= 4'",
        "line 5: expect.bits_per_weight: unknown key (there are: bytes, bits, tensors)",
        'line 6: expect.tensors[0]: selects nothing by itself (match = "*" selects every tensor)',
        'line 8: expect.tensors[1]: no tags (tags = ["..."] are the formats that the tensors may have)',
        "line 12: expect.tensors[2].tags: found [], expected a text or a list of texts, none empty",
        "line 14: expect.tensors[3].dims: found '=>2', expected one of >= <= > < = % before a number, such as '>=2'",
    ]


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ("expect = 3", "line 2: expect: found 3, expected a table"),
        ("[expect]", "line 2: expect: expects nothing (there are: bytes, bits, tensors)"),
        (
            "[expect]\ntensors = 3",
            "line 3: expect.tensors: found 3, expected tables that begin with [[expect.tensors]]",
        ),
        ("[expect]\ntensors = [3]", "line 3: expect.tensors[0]: found 3, expected a table"),
    ],
)
def test_what_is_no_table(expect: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(f"version = 1\n{expect}{RULES}")
    assert [str(problem) for problem in caught.value.problems] == [message]
