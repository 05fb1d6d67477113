"""Whatever is thrown at a policy, it is carried out or refused by name."""

import contextlib
import json
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from fourcc.errors import PolicyError
from fourcc.plugins.registry import Registry
from fourcc.policy import Policy, TensorInfo, explicit
from fourcc.policy.schema import RULE

TEXTS = ("", "*", "a*", "Q8_0", "Wide", "F16", "U8", "Mute", "Bad", "zz", ":1/2", "-1", ">=2", "%2", "keep", "float")
SCALARS = st.sampled_from(
    ["true", "false", "0", "-1", "3.5", "nan", "-0.0", "1979-05-27", *(f'"{text}"' for text in TEXTS)]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from(["tag", "params", "encoder", "group", "steps", "q"]), inner, max_size=3).map(
            lambda table: f"{{ {', '.join(f'{key} = {value}' for key, value in table.items())} }}"
        )
    ),
    max_leaves=4,
)
RULES = st.dictionaries(st.sampled_from([*RULE, "unknown"]), VALUES, max_size=5)
ACCEPTED = st.fixed_dictionaries(
    {"match": st.sampled_from(['"*"', '"a*"', '"b.?"']), "tag": st.sampled_from(['"F16"', '"Q8_0"', '"Wide"'])},
    optional={
        "fallback": st.just('["Q8_0", "F32"]'),
        "layers": st.sampled_from(['":1/2"', '"-1"']),
        "optional": st.just("true"),
    },
)
NAMES = st.text("ab.*[0]", min_size=1, max_size=6)


def text_of(rules: list[dict[str, str]]) -> str:
    return "version = 1\n" + "".join(
        "[[rule]]\n" + "".join(f"{key} = {value}\n" for key, value in rule.items()) for rule in rules
    )


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text is a policy, or gives PolicyError."""
    with contextlib.suppress(PolicyError):
        Policy.parse(text)


@given(st.lists(RULES | ACCEPTED, max_size=3), st.dictionaries(NAMES, st.sampled_from([(), (64,), (2, 256), (3, 33)])))
def test_any_rules(
    formats: Registry,
    tensor: Callable[..., TensorInfo],
    rules: list[dict[str, str]],
    shapes: dict[str, tuple[int, ...]],
) -> None:
    """A decision a tensor, in order, which the explicit policy repeats; or PolicyError."""
    tensors = [tensor(name, shape, layer=len(name)) for name, shape in shapes.items()]
    try:
        decisions = Policy.parse(text_of(rules)).resolve(tensors, formats)
    except PolicyError:
        return
    assert [decision.tensor for decision in decisions] == tensors
    repeated = explicit(decisions).resolve(tensors, formats)
    assert [(again.tag, again.params, again.options, again.keep) for again in repeated] == [
        (decision.tag, decision.params, decision.options, decision.keep) for decision in decisions
    ]


@given(st.lists(ACCEPTED, min_size=1, max_size=3))
def test_a_text_is_parsed_to_itself(rules: list[dict[str, str]]) -> None:
    """The stored text gives the same rules."""
    policy = Policy.parse(text_of(rules))
    assert Policy.parse(policy.text) == policy


@given(st.dictionaries(NAMES, st.sampled_from(["F16", "Q8_0", "F32"]), min_size=1))
def test_explicit_names_are_exact(formats: Registry, tensor: Callable[..., TensorInfo], tags: dict[str, str]) -> None:
    """No pattern of the explicit policy takes a tensor of another rule."""
    one_each = "".join(f"[[rule]]\nmatch = {json.dumps(spelled(name))}\ntag = '{tag}'\n" for name, tag in tags.items())
    tensors = [tensor(name, (2, 32)) for name in tags]
    decisions = explicit(Policy.parse(f"version = 1\n{one_each}").resolve(tensors, formats)).resolve(tensors, formats)
    assert [str(decision.tag) for decision in decisions] == list(tags.values())


def spelled(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*[" else letter for letter in name)
