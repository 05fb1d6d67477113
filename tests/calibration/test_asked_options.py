"""Options are spelled in one line; every slip is an error that says what there is."""

from collections.abc import Iterable

import pytest

from fourcc.calibration.asked_options import asked_options, default_options, spelled_option
from fourcc.calibration.units import asked_groups
from fourcc.errors import FourccError, UsageError


def test_an_option_is_a_tag_with_settings() -> None:
    plain, grouped, steered = asked_options("Q4_0, Q4_Z:group=64 ,Q4_A:method=equal-count")
    assert (str(plain.format.tag), plain.params, plain.options) == ("Q4_0", {}, {})
    assert (str(grouped.format.tag), grouped.params) == ("Q4_Z", {"group": 64})
    assert (str(steered.format.tag), steered.options) == ("Q4_A", {"method": "equal-count"})


@pytest.mark.parametrize("text", ["Q4_0", "Q4_Z:group=64", "Q4_A:method=equal-count"])
def test_an_option_is_spelled_as_it_was_asked_for(text: str) -> None:
    (option,) = asked_options(text)
    assert spelled_option(option) == text


def test_settings_that_are_the_default_are_not_spelled() -> None:
    assert spelled_option(asked_options(["Q4_Z:group=128"])[0]) == "Q4_Z"


def test_one_format_with_two_settings_is_two_options() -> None:
    assert len(asked_options(["Q4_Z:group=64", "Q4_Z"])) == 2


def test_the_default_options_are_what_most_files_hold() -> None:
    """Quantized, with an encoder, the fewest bits first."""
    options = default_options()
    tags = [str(option.format.tag) for option in options]
    assert {"Q2_K", "Q3_K", "Q4_0", "Q4_K", "Q6_K", "Q8_0", "IQ4N"} <= set(tags)
    assert not {"F32", "F16", "BF16", "Q8_A"} & set(tags)
    bits = [option.format.bits_per_weight() for option in options]
    assert bits == sorted(bits)
    assert asked_options(None) == options


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("Q9", UsageError, "no installed package provides the format Q9"),
        ("Q4_9", UsageError, "did you mean 'Q4_"),
        ("", UsageError, "'' is not a tag: one to four"),
        ("Q4_0,,Q8_0", UsageError, "'' is not a tag"),
        ("Q4_0,Q8_0,Q4_0", UsageError, "an option is asked for twice: found Q4_0"),
        ("Q4_Z,Q4_Z:group=128", UsageError, "an option is asked for twice: found Q4_Z:group=128"),
        ("Q4_0:x=1", UsageError, "Q4_0 has no such setting: found x, expected none: it has no settings"),
        ("Q4_Z:size=1", UsageError, "Q4_Z has no such setting: found size, expected group"),
        ("Q4_Z:group=x", UsageError, "Q4_Z: bad group: found 'x', expected int"),
        ("Q4_Z:group=0", UsageError, "Q4_Z: bad group: found 0, expected 1 to"),
        ("Q4_Z:group", UsageError, "Q4_Z: bad group: found '', expected int"),
        ("Q4_A:method=best", UsageError, "Q4_A: bad method: found 'best', expected one of 'kmeans', 'equal-count'"),
        ("F8E4", UsageError, "the format F8E4 has no encoder. Leave it out of the options"),
        (["Q4_0,Q8_0"], UsageError, "'Q4_0,Q8_0' is not a tag"),
    ],
)
def test_a_slip_is_an_error(text: str | Iterable[str], kind: type[FourccError], message: str) -> None:
    with pytest.raises(kind) as caught:
        asked_options(text)
    assert message in str(caught.value)


def test_groups_are_roles_with_a_plus_between_them() -> None:
    assert asked_groups("q+k+v, gate+up") == (
        frozenset({"attention.q", "attention.k", "attention.v"}),
        frozenset({"ffn.gate", "ffn.up"}),
    )
    assert asked_groups(None) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q+w", "a group has an unknown word: found w. A group is words with + between them"),
        ("", "a group has an unknown word: found . A group"),
        ("q+k,k+v", "a role is in two groups: found k"),
        ("q+q", "a role is in two groups: found q"),
    ],
)
def test_a_bad_group_is_an_error(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked_groups(text)
    assert message in str(caught.value)
