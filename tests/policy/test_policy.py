"""Policy as a value: files, the shorthand of `--format`, no policy at all, and policies written back."""

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from fourcc.errors import PluginError, PolicyError
from fourcc.plugins.registry import Registry
from fourcc.policy import Decision, Policy, Row, TensorInfo, explicit
from fourcc.policy.toml import MAX_BYTES
from fourcc.tags import as_tag

Make = Callable[..., TensorInfo]

VALID = 'version = 1\n[[rule]]\nmatch = "*"\nkeep = true\n'


def message(call: Callable[[], object]) -> str:
    with pytest.raises(PolicyError) as caught:
        call()
    return str(caught.value)


# Files.


def test_read(tmp_path: Path) -> None:
    """The text is kept as it is; the file is named in errors, now and when resolving."""
    path = tmp_path / "mixed.toml"
    path.write_bytes(VALID.replace("\n", "\r\n").encode())
    policy = Policy.read(path)
    assert policy.text == VALID.replace("\n", "\r\n")
    assert policy.rules == Policy.parse(VALID).rules
    assert message(lambda: policy.resolve([])).startswith(f"{path}: 1 problem in the policy:\n  line 2: rule[0]: ")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "version: no version, expected version = 1"),
        (b"version = 1\n# \xff", "line 2: not UTF-8: a byte 0xff (save it as UTF-8)"),
        ("version = 1".encode("utf-16"), "line 1: not UTF-8: UTF-16 (save it as UTF-8)"),
        ("version = 1".encode("utf-16-be"), "line 1: a NUL byte (save it as UTF-8, not UTF-16)"),
        (b"\xef\xbb\xbfversion = 1", "line 1: the text begins with a byte order mark (save it as UTF-8 without BOM)"),
        (b"#" * (MAX_BYTES + 1), "longer than 65536 bytes"),
        (b"#" * MAX_BYTES + "é".encode() * MAX_BYTES, "longer than 65536 bytes"),
        (b"#" * MAX_BYTES + "é".encode(), "longer than 65536 bytes"),
    ],
)
def test_files_that_are_no_policy(tmp_path: Path, content: bytes, expected: str) -> None:
    """The error says what they are."""
    path = tmp_path / "mixed.toml"
    path.write_bytes(content)
    assert f"\n  {expected}" in message(lambda: Policy.read(path))


def test_a_missing_file(tmp_path: Path) -> None:
    """The system's error, which names it."""
    with pytest.raises(FileNotFoundError, match=r"mixed\.toml"):
        Policy.read(tmp_path / "mixed.toml")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_regular_file(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """A directory, a pipe or a device is refused without reading or waiting."""
    path = tmp_path / "mixed.toml"
    make(path)
    assert message(lambda: Policy.read(path)) == (
        f"{path}: 1 problem in the policy:\n  not a regular file (a policy is a text file)"
    )


# The shorthand.


def test_shorthand(formats: Registry, tensor: Make) -> None:
    """Matrices by the chain, vectors as 32-bit floats, integers as they are."""
    tensors = [
        tensor("wide", (4, 256), tag="BF16"),
        tensor("narrow", (4, 32)),
        tensor("odd", (2, 4, 33)),
        tensor("norm", (256,), tag="F16"),
        tensor("scale", ()),
        tensor("ids", (4, 256), tag="U8", real=False),
    ]
    decisions = Policy.shorthand("Wide, Q8_0,F16", formats).resolve(tensors, formats)
    assert [(str(decision.tag), decision.keep) for decision in decisions] == [
        ("Wide", False),
        ("Q8_0", False),
        ("F16", False),
        ("F32", False),
        ("F32", True),
        ("U8", True),
    ]


def test_shorthand_is_its_own_text(formats: Registry, llama: Callable[[int], list[TensorInfo]]) -> None:
    """The text that is stored in a file means what the user asked for."""
    policy = Policy.shorthand("Wide,Q8_0", formats)
    assert Policy.parse(policy.text).rules == policy.rules
    assert Policy.parse(policy.text).resolve(llama(3), formats) == policy.resolve(llama(3), formats)
    assert (
        policy.text
        == """version = 1

[[rule]]
values = "integer"
keep = true
optional = true

[[rule]]
dims = "<2"
tag = "F32"
optional = true

[[rule]]
dims = ">=2"
tag = "Wide"
fallback = ["Q8_0"]
"""
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Q8_0,mute,Bad",
            [
                "--format Q8_0,mute,Bad: no installed package provides the format mute (did you mean 'Mute'?)",
                (
                    "--format Q8_0,mute,Bad: the format Bad of others 1.0 (others:Bad) cannot be used: "
                    "ImportError: no module named 'quux' (`fourcc formats --broken` lists every such plugin.)"
                ),
            ],
        ),
        ("", ["--format '': '' is not a tag: one to four of A-Z a-z 0-9 _, the first a letter"]),
        ("4bix", ["--format 4bix: '4bix' is not a tag: one to four of A-Z a-z 0-9 _, the first a letter"]),
        ("F\x1b", ["--format 'F\\x1b': 'F\\x1b' is not a tag: one to four of A-Z a-z 0-9 _, the first a letter"]),
    ],
)
def test_shorthand_errors_name_the_option(formats: Registry, text: str, expected: list[str]) -> None:
    """They give no line, since nobody wrote a text."""
    with pytest.raises(PolicyError) as caught:
        Policy.shorthand(text, formats)
    assert list(map(str, caught.value.problems)) == expected


def test_shorthand_errors_when_resolving(formats: Registry, tensor: Make) -> None:
    """The option is named there too; a model in which nothing would be quantized is an error."""
    assert message(lambda: Policy.shorthand("Q8_0", formats).resolve([tensor("w", (4, 33))], formats)) == (
        "1 problem in the policy:\n  --format Q8_0: 'w': no format fits the shape (4, 33): "
        "Q8_0: rows of 33 are not a multiple of 32 (add a fallback)"
    )
    assert message(lambda: Policy.shorthand("Q8_0", formats).resolve([tensor("w", (33,))], formats)) == (
        "1 problem in the policy:\n  --format Q8_0: matches no tensor "
        "(tensors of fewer than two dimensions become 32-bit floats; a policy can say otherwise)"
    )


def test_shorthand_needs_the_format_of_floats() -> None:
    """An installation without any formats says so."""
    with pytest.raises(PolicyError, match="--format F32: no installed package provides the format F32"):
        Policy.shorthand("F32", Registry(scan=list))


def test_shorthand_without_32_bit_floats(formats: Registry) -> None:
    """Vectors would have no format."""
    bare = Registry(scan=lambda: [formats.entry(as_tag("Wide"))])
    with pytest.raises(PluginError, match="no format holds 32-bit floats as they are"):
        Policy.shorthand("Wide", bare)


# No policy.


def test_keep(formats: Registry, llama: Callable[[int], list[TensorInfo]], tensor: Make) -> None:
    """Every tensor as it is stored, integers and decode-only formats too; an empty model is fine."""
    tensors = [*llama(2), tensor("ids", tag="U8", real=False), tensor("x", tag="Mute")]
    decisions = Policy.keep().resolve(tensors, formats)
    assert [(decision.tag, decision.keep) for decision in decisions] == [(tensor.tag, True) for tensor in tensors]
    assert Policy.keep().resolve([]) == []
    assert Policy.parse(Policy.keep().text).rules == Policy.keep().rules


# Policies written back.


def outcome(decision: Decision) -> Decision:
    """A decision without the rule that led there."""
    return attrs.evolve(decision, rule=0, fallback_from=None)


MIXED = """
version = 1
[[rule]]
match = "*norm*"
tag = "F32"
nonfinite = "keep"
[[rule]]
layers = ":1/4"
tag = "Wide"
params = { group = 128 }
encoder = { damping = 1e-30, method = "kmeans" }
fallback = ["Q8_0"]
[[rule]]
values = "integer"
keep = true
[[rule]]
match = "*"
tag = "Q8_0"
"""


def test_explicit_decides_the_same(formats: Registry, llama: Callable[[int], list[TensorInfo]], tensor: Make) -> None:
    """Names with every character a pattern, or TOML, has a use for."""
    odd = ["a[0]", "a[[]0]", "a*", "aa", '"', "\\", "\x7f\x01", "é\u2028", "1", "1.2", "x.1.y", "x.2.y", "=#\n"]
    ids = tensor("ids", tag="U8", real=False)
    tensors = [*llama(8), ids, *(tensor(name, (4, 33), tag="F16") for name in odd[::2]), *map(tensor, odd[1::2])]
    mixed = MIXED.replace('[[rule]]\nmatch = "*"', '[[rule]]\ncols = 33\nkeep = true\n[[rule]]\nmatch = "*"')
    decisions = Policy.parse(mixed).resolve(tensors, formats)
    written = explicit(decisions)
    assert list(map(outcome, written.resolve(tensors, formats))) == list(map(outcome, decisions))
    assert explicit(written.resolve(tensors, formats)).text == written.text


EXPLICIT = """version = 1

[[rule]]
match = ["tok_embeddings"]
keep = true

[[rule]]
match = [
  "norm",
  "layers.*.attention_norm",
]
keep = true
nonfinite = "keep"

[[rule]]
match = [
  "layers.0.attention.wq",
  "layers.0.attention.wv",
]
tag = "Wide"
params = { group = 128 }
encoder = { method = "kmeans", steps = 10, damping = 1e-30 }

[[rule]]
match = [
  "layers.*.feed_forward.w2",
  "layers.1.attention.wq",
  "layers.1.attention.wv",
]
tag = "Q8_0"
"""


def test_explicit_text(formats: Registry, llama: Callable[[int], list[TensorInfo]]) -> None:
    """One rule an outcome; numbers become stars where that takes in nothing else."""
    mixed = MIXED.replace('values = "integer"', 'match = "tok*"').replace(":1/4", "0")
    assert explicit(Policy.parse(mixed).resolve(llama(2), formats)).text == EXPLICIT


def test_explicit_of_rows() -> None:
    """Name, tag, parameters and options are enough: what a file knows of itself."""
    wide = as_tag("Wide")
    rows = [("a", as_tag("F32"), {}, {}), ("b", wide, {"group": 64}, {}), Row("c", wide, {"group": 64}, {})]
    assert tomllib.loads(explicit(rows).text)["rule"] == [
        {"match": ["a"], "tag": "F32"},
        {"match": ["b", "c"], "tag": "Wide", "params": {"group": 64}},
    ]


def test_explicit_keeps_what_cannot_be_encoded(formats: Registry, tensor: Make) -> None:
    """A format that is not installed, and NaN in a format that cannot make it."""
    gone = attrs.evolve(tensor("gone", tag="Gone"), nbytes=1)
    tensors = [gone, tensor("nan", tag="Q8_0")]
    policy = Policy.parse("version = 1\n[[rule]]\nmatch = '*'\nkeep = true\nnonfinite = 'keep'")
    decisions = policy.resolve(tensors, formats)
    assert explicit(decisions).resolve(tensors, formats) == decisions


def test_explicit_of_nothing() -> None:
    """The model has no tensors."""
    assert explicit([]) == Policy.keep()


@pytest.mark.thorough
def test_explicit_of_many_experts() -> None:
    """5120 tensors, their format by layer: experts share a pattern, so the text stays within a policy's length."""
    rows = [
        (f"layers.{i}.experts.{e}.w{k}", as_tag("Q8_0" if i % 3 else "F16"), {}, {})
        for i in range(40)
        for e in range(32)
        for k in range(4)
    ]
    policy = explicit(rows)
    assert [len(rule.match.patterns) for rule in policy.rules if rule.match] == [14 * 4, 26 * 4]


def test_explicit_may_be_too_long() -> None:
    """A format for each of thousands of names that have nothing in common."""
    rows = [(f"{'x' * 30}{i}", as_tag("Q8_0" if i % 2 else "F16"), {}, {}) for i in range(3000)]
    assert "longer than 65536 bytes" in message(lambda: explicit(rows))
