"""``--format TAG:NAME=VALUE,TAG``: settings of the layout and of the encoder, each in its table."""

import pytest

from fourcc.errors import PolicyError
from fourcc.policy import Policy, TensorInfo


def decided(text: str, cols: int = 256) -> tuple[str, dict[str, object], dict[str, object]]:
    """Tag, parameters and options that a matrix gets."""
    tensor = TensorInfo(name="w", shape=(4, cols), roles=("other",), layer=None, tag="F32")  # type: ignore[arg-type]
    (found,) = Policy.shorthand(text).resolve([tensor])
    return str(found.tag), dict(found.params), dict(found.options)


def test_settings() -> None:
    """A parameter is the layout's, an option the encoder's; without them the defaults hold."""
    assert decided("Q4_Z") == ("Q4_Z", {"group": 128}, {"method": "extent"})
    assert decided("Q4_Z:group=64") == ("Q4_Z", {"group": 64}, {"method": "extent"})
    assert decided(" Q4_Z : method = hqq : group = 32 ") == ("Q4_Z", {"group": 32}, {"method": "hqq"})


def test_a_fallback_has_its_own() -> None:
    """Settings belong to the tag that they stand behind."""
    assert decided("Q8_0,Q8_Z:group=16,F16", cols=48 + 8) == ("Q8_Z", {"group": 16}, {})
    assert decided("Q8_0,F16", cols=50) == ("F16", {}, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Q4_Z:size=3", r"--format Q4_Z:size=3: Q4_Z has no setting 'size' \(it has group, method\)"),
        ("Q4_Z:grup=3", r"Q4_Z has no setting 'grup' \(did you mean 'group'\?\)"),
        ("Q8_0:group=3", r"Q8_0 has no setting 'group' \(it has none\)"),
        ("Q4_Z:group=many", r"found 'many', expected int"),
        ("Q4_Z:group=0", r"found 0, expected"),
        ("Q4_Z:group", r"found '', expected int"),
        ("Q9:group=3", r"no installed package provides the format Q9"),
    ],
)
def test_slips(text: str, message: str) -> None:
    """Each is named, with what would be right."""
    with pytest.raises(PolicyError, match=message):
        decided(text)


def test_the_policy_that_is_stored() -> None:
    """It is a policy as people write it."""
    text = Policy.shorthand("Q4_Z:group=64,Q8_0").text
    assert 'tag = "Q4_Z"\nparams = {group = 64}\nfallback = ["Q8_0"]' in text.replace("{ ", "{").replace(" }", "}")
