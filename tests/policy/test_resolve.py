"""Policies and models: which rule decides, what it decides, and everything that can stand against it."""

from collections.abc import Callable
from fractions import Fraction

import attrs
import pytest

from fourcc.errors import MissingFormatError
from fourcc.plugins.registry import Registry
from fourcc.policy import Policy, TensorInfo

Make = Callable[..., TensorInfo]
Problems = Callable[..., list[str]]

REST = "[[rule]]\nmatch = '*'\nkeep = true\noptional = true\n"


@pytest.fixture(scope="session")
def chosen(formats: Registry) -> Callable[..., list[str]]:
    """The names of the tensors that a selector selects."""

    def find(selector: str, *tensors: TensorInfo) -> list[str]:
        policy = Policy.parse(f"version = 1\n[[rule]]\n{selector}\nkeep = true\noptional = true\n{REST}")
        return [decision.tensor.name for decision in policy.resolve(tensors, formats) if decision.rule == 0]

    return find


def test_the_first_match_wins(formats: Registry, llama: Callable[[int], list[TensorInfo]]) -> None:
    """The example of the page, on a llama of 16 layers."""
    policy = Policy.parse(
        """
        version = 1
        [[rule]]
        match = "*norm*"
        tag = "F32"
        [[rule]]
        role = "ffn.down"
        layers = ":1/8, 7/8:, 1/8+2:7/8:3"
        tag = "Wide"
        encoder = { method = "kmeans" }
        fallback = ["Q8_0", "F16"]
        [[rule]]
        match = "*"
        tag = "Q8_0"
        """
    )
    decisions = {decision.tensor.name: decision for decision in policy.resolve(llama(16), formats)}
    assert {name: decision.rule for name, decision in decisions.items()} == {
        "tok_embeddings": 2,
        "norm": 0,
        **{f"layers.{i}.attention_norm": 0 for i in range(16)},
        **{f"layers.{i}.attention.w{kind}": 2 for i in range(16) for kind in "qv"},
        **{f"layers.{i}.feed_forward.w2": 1 if i in {0, 1, 4, 7, 10, 13, 14, 15} else 2 for i in range(16)},
    }
    assert decisions["norm"].keep
    assert not decisions["tok_embeddings"].keep


def test_selectors_must_all_hold(chosen: Callable[..., list[str]], tensor: Make) -> None:
    """Name, role and layer must all match."""
    tensors = [
        tensor(f"{name}.{i}", (2, 2), role, layer=i) for i in range(2) for name, role in [("a", "x"), ("b", "y")]
    ]
    assert chosen("match = '*'\nrole = 'x'\nlayers = 1", *tensors) == ["a.1"]
    assert chosen("match = 'b.*'\nrole = 'x'", *tensors) == []


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("match = 'w*'", ["w", "w3"]),
        ("match = ['w', 'scalar']", ["w", "scalar"]),
        ("role = 'output'", ["w"]),
        ("role = 'embedding'", ["w"]),
        ("role = ['norm', 'out*']", ["w", "bias"]),
        ("layers = ':'", ["w3", "bias"]),
        ("layers = -1", ["bias"]),
        ("layers = '1/3'", ["w3"]),
        ("dims = 2", ["w", "ints"]),
        ("dims = '<2'", ["bias", "scalar"]),
        ("rows = 1", ["bias", "scalar"]),
        ("rows = '>=64, <128'", ["w", "ints"]),
        ("cols = '%32'", ["w", "bias", "ints"]),
        ("cols = 1", ["scalar"]),
        ("weights = '>16000'", ["w", "ints"]),
        ("weights = 24", ["w3"]),
        ("values = 'integer'", ["ints"]),
        ("values = 'float'", ["w", "w3", "bias", "scalar"]),
        ("stored = 'BF16'", ["bias"]),
        ("stored = ['BF16', 'U8']", ["bias", "ints"]),
    ],
)
def test_selectors(chosen: Callable[..., list[str]], tensor: Make, selector: str, expected: list[str]) -> None:
    """Every selector is tried on a matrix, a stack, a vector, a scalar and integers, in a model of three layers."""
    tensors = [
        tensor("w", (64, 256), "embedding", "output"),
        tensor("w3", (2, 3, 4), layer=1),
        tensor("bias", (32,), "norm", layer=2, tag="BF16"),
        tensor("scalar", ()),
        tensor("ints", (64, 256), tag="U8", real=False),
    ]
    assert chosen(selector, *tensors) == expected


def test_layers_count_from_the_highest(chosen: Callable[..., list[str]], tensor: Make) -> None:
    """A file that holds layers 6 and 7 only is a part of a model of eight; without layers no slice matches."""
    assert chosen("layers = '3/4:'", tensor("a", layer=6), tensor("b", layer=7), tensor("c")) == ["a", "b"]
    assert chosen("layers = ':'", tensor("c")) == []
    assert chosen("layers = '-1'", tensor("a", layer=10**40), tensor("b", layer=0)) == ["a"]


def only(policy: str, tensor: TensorInfo, formats: Registry):  # noqa: ANN201 - a Decision
    (decision,) = Policy.parse(f"version = 1\n[[rule]]\nmatch = '*'\n{policy}").resolve([tensor], formats)
    return decision


def test_a_decision_is_complete(formats: Registry, tensor: Make) -> None:
    """Defaults filled in, bits and bytes by hand: 64 x 256 weights of a byte each."""
    decision = only("tag = 'Wide'\nencoder = { steps = 3 }", tensor("w"), formats)
    assert str(decision.tag) == "Wide"
    assert decision.params == {"group": 64}
    assert decision.options == {"method": "round", "steps": 3, "damping": 0.5}
    assert (decision.keep, decision.nonfinite, decision.fallback_from) == (False, False, None)
    assert (decision.bits_per_weight, decision.nbytes) == (Fraction(8), 64 * 256)


def test_bits_are_those_of_the_tensor(formats: Registry, tensor: Make) -> None:
    """34 bytes for 32 weights, an expert stack's too; an empty tensor has none."""
    assert only("tag = 'Q8_0'", tensor("w", (2, 3, 64)), formats).nbytes == 2 * 3 * 2 * 34
    assert only("tag = 'Q8_0'", tensor("w", (3, 64)), formats).bits_per_weight == Fraction(17, 2)
    assert only("tag = 'Q8_0'", tensor("w", (0, 64)), formats).bits_per_weight == 0


def test_whole_numbers_may_stand_for_floats(formats: Registry, tensor: Make) -> None:
    """`damping = 1` is 1.0."""
    options = only("tag = 'Wide'\nencoder = { damping = 1 }", tensor("w"), formats).options
    assert repr(options["damping"]) == "1.0"


def test_keep(formats: Registry, tensor: Make) -> None:
    """Tag, parameters and size of what is stored."""
    decision = only("keep = true", tensor("w", tag="Wide", params={"group": 128}), formats)
    assert (str(decision.tag), decision.params, decision.options) == ("Wide", {"group": 128}, {})
    assert decision.keep
    assert decision.nbytes == 64 * 256


def test_a_tensor_that_is_stored_so_is_carried(formats: Registry, tensor: Make) -> None:
    """Same tag and parameters; a file's silence about parameters means defaults. Other parameters: encode."""
    rule = "tag = 'Wide'\nparams = { group = 128 }"
    assert only(rule, tensor("w", tag="Wide", params={"group": 128}), formats).keep
    assert not only(rule, tensor("w", tag="Wide", params={"group": 64}), formats).keep
    assert not only(rule, tensor("w", tag="Wide"), formats).keep
    assert only("tag = 'Wide'", tensor("w", tag="Wide"), formats).keep


def test_what_has_no_encoder_can_be_carried(formats: Registry, tensor: Make) -> None:
    """Integers and decode-only formats, by naming what they are stored in."""
    assert only("tag = 'U8'", tensor("w", tag="U8", real=False), formats).keep
    assert only("tag = 'Mute'", tensor("w", tag="Mute"), formats).keep


def test_the_fallback_is_the_first_that_fits(formats: Registry, tensor: Make) -> None:
    """Rows of 256, of 96 and of 33 in Wide (256), Q8_0 (32), F16 (any)."""
    rule = "tag = 'Wide'\nfallback = ['Q8_0', { tag = 'F16' }]"
    taken = [only(rule, tensor("w", (4, cols)), formats) for cols in (256, 96, 33)]
    assert [str(decision.tag) for decision in taken] == ["Wide", "Q8_0", "F16"]
    assert [decision.fallback_from and str(decision.fallback_from) for decision in taken] == [None, "Wide", "Wide"]


def test_a_fallback_has_its_own_settings(formats: Registry, tensor: Make) -> None:
    """Parameters and options of the rule belong to its first format."""
    rule = "tag = 'Q8_0'\nfallback = [{ tag = 'Wide', params = { group = 128 }, encoder = { steps = 7 } }, 'F16']"
    assert only(rule, tensor("w", (4, 33)), formats).options == {}
    rule = "tag = 'Wide'\nencoder = { steps = 2 }\nfallback = [{ tag = 'Wide', params = { group = 128 } }, 'Q8_0']"
    assert only(rule, tensor("w", (4, 256)), formats).options["steps"] == 2


def test_stored_as_a_fallback(formats: Registry, tensor: Make) -> None:
    """Carried where the first format does not fit, encoded anew where it does."""
    rule = "tag = 'Wide'\nfallback = ['Q8_0']"
    assert only(rule, tensor("w", (4, 32), tag="Q8_0"), formats).keep
    assert not only(rule, tensor("w", (4, 256), tag="Q8_0"), formats).keep


def test_nonfinite_reaches_the_decision(formats: Registry, tensor: Make) -> None:
    """Floats can hold NaN, and only a rule lets it through."""
    assert only("tag = 'F16'\nnonfinite = 'keep'", tensor("w"), formats).nonfinite
    assert not only("tag = 'F16'\nnonfinite = 'refuse'", tensor("w"), formats).nonfinite
    assert only("keep = true\nnonfinite = 'keep'", tensor("w"), formats).nonfinite
    assert not only("keep = true", tensor("w"), formats).nonfinite


def test_a_rule_that_matches_nothing(resolve_problems: Problems, tensor: Make) -> None:
    """The nearest name or role, or how to allow it."""
    tensors = [tensor("layers.0.attention.wq", (64, 256), "attention.q", layer=0)]
    rules = """[[rule]]
match = "layers.0.attn.wq"
keep = true
[[rule]]
role = "atention.q"
keep = true
[[rule]]
layers = "1:"
keep = true
[[rule]]
match = "*"
keep = true
"""
    assert resolve_problems(rules, *tensors) == [
        "line 2: rule[0]: matches no tensor (did you mean 'layers.0.attention.wq'?)",
        "line 5: rule[1]: matches no tensor (did you mean 'attention.q'?)",
        "line 8: rule[2]: matches no tensor (optional = true allows that)",
    ]


def test_brackets_in_a_name(resolve_problems: Problems, tensor: Make) -> None:
    """A name given as it is, where brackets mean a set."""
    assert resolve_problems(f"[[rule]]\nmatch = 'blocks[0]'\nkeep = true\n{REST}", tensor("blocks[0]")) == [
        "line 2: rule[0]: matches no tensor (brackets enclose a set of characters; that name is written 'blocks[[]0]')"
    ]


def test_a_shadowed_rule(resolve_problems: Problems, tensor: Make) -> None:
    """The rules that took its tensors are named."""
    rules = """[[rule]]
match = "a"
keep = true
[[rule]]
match = "[b]"
keep = true
[[rule]]
match = "[c]"
keep = true
[[rule]]
match = ["a", "b"]
tag = "F16"
"""
    assert resolve_problems(rules, *map(tensor, "abc")) == [
        "line 11: rule[3]: every tensor that it matches is taken by rule[0], rule[1] (move it up, or remove it)"
    ]


def test_optional_rules_may_be_idle(formats: Registry, tensor: Make) -> None:
    """A recipe for many models: no such tensor here, or an earlier rule has it (a tied embedding)."""
    rules = "[[rule]]\nrole = 'embedding'\nkeep = true\n[[rule]]\nrole = 'output'\nkeep = true\noptional = true\n"
    Policy.parse(f"version = 1\n{rules}").resolve([tensor("e", (2, 2), "embedding", "output")], formats)
    Policy.parse(f"version = 1\n{rules}").resolve([tensor("e", (2, 2), "embedding")], formats)


def test_tensors_that_no_rule_matches(resolve_problems: Problems, tensor: Make) -> None:
    """The message names all of them, or ten and the number of the others."""
    rule = "[[rule]]\nmatch = 'a'\nkeep = true"
    hint = '(add a last rule with match = "*")'
    assert resolve_problems(rule, *map(tensor, "abc")) == [f"no rule matches 'b', 'c' {hint}"]
    many = resolve_problems(rule, tensor("a"), *[tensor(f"t{i}") for i in range(13)])
    listed = ", ".join(f"'t{i}'" for i in range(10))
    assert many == [f"no rule matches {listed} and 3 more {hint}"]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("tag = 'mute'", "line 4: rule[0].tag: no installed package provides the format mute (did you mean 'Mute'?)"),
        (
            "tag = 'zz'",
            (
                "line 4: rule[0].tag: no installed package provides the format zz "
                "(Install the package that declares zz in the entry-point group fourcc.formats.1.)"
            ),
        ),
        (
            "tag = 'F16'\nfallback = [\n'F32',\n'Wid' ]",
            "line 7: rule[0].fallback[1]: no installed package provides the format Wid (did you mean 'Wide'?)",
        ),
        (
            "tag = 'Bad'",
            (
                "line 4: rule[0].tag: the format Bad of others 1.0 (others:Bad) cannot be used: "
                "ImportError: no module named 'quux' (`fourcc formats --broken` lists every such plugin.)"
            ),
        ),
        (
            "tag = 'Twin'",
            (
                "line 4: rule[0].tag: the tag Twin is declared by one 1.0 and by two 1.0 "
                "(Uninstall one of them, or name the one to use in FOURCC_PLUGINS.)"
            ),
        ),
        (
            "tag = 'Wide'\nparams = { grup = 64 }",
            "line 5: rule[0].params.grup: Wide has no such setting (did you mean 'group'?)",
        ),
        (
            "tag = 'Wide'\nencoder = { x = 1 }",
            "line 5: rule[0].encoder.x: Wide has no such setting (there are: method, steps, damping)",
        ),
        (
            "tag = 'F16'\nencoder = { method = 'kmeans' }",
            "line 5: rule[0].encoder.method: F16 has no such setting (there are: none)",
        ),
        (
            "tag = 'Wide'\nparams = { group = 32 }",
            "line 5: rule[0].params.group: found 32, expected one of 64, 128 (columns that share a scale)",
        ),
        (
            "tag = 'Wide'\nencoder.method = 'kmean'",
            "line 5: rule[0].encoder.method: found 'kmean', expected one of 'round', 'kmeans' (how codes are found)",
        ),
        (
            "tag = 'Wide'\nencoder = { steps = 101 }",
            "line 5: rule[0].encoder.steps: found 101, expected 1 to 100 (iterations)",
        ),
        (
            "tag = 'Wide'\nencoder = { steps = 3.5 }",
            "line 5: rule[0].encoder.steps: found 3.5, expected int (iterations)",
        ),
        (
            "tag = 'Wide'\nencoder = { steps = true }",
            "line 5: rule[0].encoder.steps: found True, expected int (iterations)",
        ),
        (
            "tag = 'Wide'\nencoder = { steps = [1] }",
            "line 5: rule[0].encoder.steps: found [1], expected int (iterations)",
        ),
        (
            "tag = 'Wide'\nencoder = { damping = nan }",
            "line 5: rule[0].encoder.damping: found nan, expected a finite number (of the step)",
        ),
        (
            "tag = 'Wide'\nencoder = { damping = -inf }",
            "line 5: rule[0].encoder.damping: found -inf, expected a finite number (of the step)",
        ),
        (
            "tag = 'Wide'\nfallback = [{ tag = 'Wide', params = { group = 1 } }]",
            "line 5: rule[0].fallback[0].params.group: found 1, expected one of 64, 128 (columns that share a scale)",
        ),
        (
            "tag = 'Wide'\nnonfinite = 'keep'",
            'line 5: rule[0].nonfinite: Wide cannot hold NaN or infinity (leave out "keep")',
        ),
        (
            "tag = 'F16'\nfallback = ['Q8_0']\nnonfinite = 'keep'",
            'line 6: rule[0].nonfinite: Q8_0 cannot hold NaN or infinity (leave out "keep")',
        ),
        ("tag = 'F16'\nfallback = ['F32', 'F16']", "line 5: rule[0].fallback[1]: does nothing: F16 was already tried"),
        ("tag = 'Mute'", "line 2: rule[0]: 'w': Mute has no encoder, and the tensor is stored as F32"),
        ("tag = 'U8'", "line 2: rule[0]: 'w': U8 has no encoder, and the tensor is stored as F32"),
    ],
)
def test_outcomes_that_cannot_be(resolve_problems: Problems, tensor: Make, outcome: str, expected: str) -> None:
    """Formats and settings, with path, line and nearest name."""
    assert resolve_problems(f"[[rule]]\nmatch = '*'\n{outcome}", tensor("w")) == [expected]


def test_shapes_that_nothing_fits(resolve_problems: Problems, tensor: Make) -> None:
    """Every format of the chain says why; tensors with one reason share a line."""
    tensors = [tensor(name, (8, 33)) for name in "ab"] + [tensor("c", (2, 2, 34)), tensor("d", (4, 512))]
    assert resolve_problems("[[rule]]\nmatch = '*'\ntag = 'Wide'\nfallback = ['Q8_0']", *tensors) == [
        (
            "line 2: rule[0]: 'a', 'b': no format fits the shape (8, 33): Wide: rows of 33 are not a multiple of 256; "
            "Q8_0: rows of 33 are not a multiple of 32 (add a fallback)"
        ),
        (
            "line 2: rule[0]: 'c': no format fits the shape (2, 2, 34): Wide: rows of 34 are not a multiple of 256; "
            "Q8_0: rows of 34 are not a multiple of 32 (add a fallback)"
        ),
    ]


def test_integers_are_not_quantized(resolve_problems: Problems, tensor: Make) -> None:
    """Integers are refused in every shape."""
    ints = [tensor("ids", (4, 33), tag="U8", real=False), tensor("mask", (4, 32), tag="U8", real=False)]
    assert resolve_problems("[[rule]]\nmatch = '*'\ntag = 'Q8_0'", tensor("w"), *ints) == [
        (
            "line 2: rule[0]: 'ids', 'mask': U8 holds no real numbers, so it cannot become Q8_0 "
            '(a rule before it with values = "integer" and keep = true carries them)'
        )
    ]


def test_a_stored_format_that_nobody_has(resolve_problems: Problems, tensor: Make) -> None:
    """A slip in an optional rule would otherwise stay unseen."""
    rules = f"[[rule]]\nstored = ['BF16', 'mute']\nkeep = true\noptional = true\n{REST}"
    assert resolve_problems(rules, tensor("w")) == [
        "line 3: rule[0].stored: no installed package provides the format mute (did you mean 'Mute'?)"
    ]


def test_a_stored_format_may_be_known_by_the_tensor_only(formats: Registry, tensor: Make) -> None:
    """A tensor whose plugin is missing can be named and kept, if the source knows its size."""
    policy = Policy.parse("version = 1\n[[rule]]\nstored = 'Gone'\nkeep = true")
    (decision,) = policy.resolve([attrs.evolve(tensor("w", tag="Gone"), nbytes=4096)], formats)
    assert (str(decision.tag), decision.keep, decision.nbytes) == ("Gone", True, 4096)
    assert decision.bits_per_weight == 2
    with pytest.raises(MissingFormatError, match="no installed package provides the format Gone"):
        policy.resolve([tensor("w", tag="Gone")], formats)


def test_every_problem_of_every_kind_at_once(resolve_problems: Problems, tensor: Make) -> None:
    """Problems follow the order of the text; those without a line come last."""
    rules = """[[rule]]
match = "[ab]"
tag = "Wide"
encoder = { method = "x", stps = 1 }
[[rule]]
match = "c"
tag = "Q8_0"
[[rule]]
match = "z"
tag = "Q8_1"
"""
    found = resolve_problems(rules, tensor("a"), tensor("c", (2, 3)), tensor("d"))
    assert [problem.split(": ")[:2] for problem in found] == [
        ["line 5", "rule[0].encoder.method"],
        ["line 5", "rule[0].encoder.stps"],
        ["line 6", "rule[1]"],
        ["line 9", "rule[2]"],
        ["line 11", "rule[2].tag"],
        ["no rule matches 'd' (add a last rule with match = \"*\")"],
    ]


def test_names_are_shown_safely(resolve_problems: Problems, tensor: Make) -> None:
    """A name that would command a terminal."""
    (problem,) = resolve_problems("[[rule]]\nmatch = 'a'\nkeep = true", tensor("a"), tensor("\x1b[2J"))
    assert "'\\x1b[2J'" in problem
    assert "\x1b" not in problem
