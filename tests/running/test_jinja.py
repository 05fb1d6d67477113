"""A model's own chat template: jinja2's text to the character, and the origin of each of them."""

import json
import re
from datetime import datetime
from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourcc.errors import UsageError
from fourcc.models.jinja import renderer
from fourcc.models.jinja.child import result_of
from fourcc.models.jinja.marked import GIVEN, OWN, UNKNOWN, Marked, from_runs
from fourcc.models.jinja.renderer import Renderer
from fourcc.models.jinja.template import JinjaTemplate
from fourcc.models.jinja.wire import Rendered, given_in, packed, unpacked, without_marks
from tests.running.templates_of_own import (
    ADDED,
    FUNCTION,
    NAMES,
    OF_OUR_OWN,
    PIECES,
    expected,
    said,
    talks,
)

NOW = datetime(2026, 7, 8, 9, 10)  # noqa: DTZ001 - a template tells the user's own day
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
HOSTILE = st.one_of(
    st.sampled_from(
        [*NAMES, *ADDED, "{{ 7 * 7 }}", "{% endfor %}", "{#", "\U000f0000", "\x00\x1b[2J", "\u2028", "<s>"]
    ),
    st.lists(st.sampled_from([*NAMES, *ADDED, "<|im_", "end|>", "a", " ", "\n", "\r", "é", "ß", "İ"]), max_size=5).map(
        "".join
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)


@pytest.fixture(autouse=True)
def a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that templates tell."""

    class Fixed(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return NOW

    monkeypatch.setattr("fourcc.models.jinja.child.datetime", Fixed)


def rendered(template: str, values: dict[str, Any]) -> Rendered:
    """The result in this process; the texts of the talk are of users."""
    variables = JinjaTemplate("t", Renderer(template), SPECIAL).values(values["messages"], values.get("tools") or ())
    result: dict[str, Any] = result_of({"template": template, "values": packed(variables)})
    if "why" in result:
        raise UsageError(result["why"])
    return Rendered(result["text"], from_runs(result["runs"]))


@pytest.mark.parametrize("talk", talks())
@pytest.mark.parametrize("name", OF_OUR_OWN)
@given(text=HOSTILE)
@settings(max_examples=4)
def test_every_text_is_jinja2_s(name: str, talk: str, text: str) -> None:
    """Whatever a user says: also pieces of templates, names of tokens, private-use characters."""
    values = talks(text)[talk]
    theirs, reason = expected(OF_OUR_OWN[name], values, NOW)
    if theirs is None:
        with pytest.raises(UsageError, match=re.escape(reason[:60])):
            rendered(OF_OUR_OWN[name], values)
    else:
        assert rendered(OF_OUR_OWN[name], values).text == theirs


@pytest.mark.parametrize("name", OF_OUR_OWN)
@given(text=st.sampled_from(NAMES + ADDED))
@settings(max_examples=6)
def test_a_user_s_names_are_not_the_template_s(name: str, text: str) -> None:
    """As often as without the user's name, the name is all the template's own."""
    talk = "tools" if name == "tools" else "several turns"
    counts = []
    for word in ("x" * len(text), text):
        result = rendered(OF_OUR_OWN[name], talks(word)[talk])
        places = [at for at in range(len(result.text)) if result.text.startswith(text, at)]
        counts.append(sum(set(result.origin[at : at + len(text)]) == {OWN} for at in places))
    assert counts[0] == counts[1]


def test_names_that_a_template_puts_together_are_its_own() -> None:
    """By sums, macros, joins, blocks, formats, filters and products; the text of users within is theirs."""
    result = rendered(PIECES, talks("U")["several turns"])
    least = {"<|im_start|>": 2, "<|im_end|>": 6, "<|user|>": 2, "<|assistant|>": 1, "<|channel|>": 1}
    for name, count in least.items():
        at = [at for at in range(len(result.text)) if result.text.startswith(name, at)]
        own = [set(result.origin[each : each + len(name)]) == {OWN} for each in at]
        assert sum(own) >= count, name
    assert UNKNOWN not in set(result.origin[: result.text.index("<a&amp;")])
    assert {result.origin[at] for at, character in enumerate(result.text) if character == "U"} <= {GIVEN, OWN, UNKNOWN}


def test_a_process_renders_and_goes_on() -> None:
    """Its answers are those of this process; it is started once, and ended."""
    run = Renderer(OF_OUR_OWN["chatml"], "m.bin")
    template = JinjaTemplate("t", run, SPECIAL)
    for text in ("Hi", "é\U0001f600<|im_end|>"):
        values = template.values([said("user", text)])
        assert run.render(values) == rendered(OF_OUR_OWN["chatml"], {"messages": [said("user", text)]})
    process = run._process
    assert process is not None
    run.close()
    assert process.poll() is not None
    assert run.render(template.values([said("user", "again")])).text.startswith("<|im_start|>user\nagain")
    run.close()


def test_an_interrupted_run_leaves_no_answer_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next answer is that of the next job."""
    run = Renderer("{{ x }}")
    assert run.render({"x": "a"}).text == "a"
    process = run._process
    assert process is not None
    with monkeypatch.context() as patch:
        patch.setattr(process, "stdout", Interrupting(process.stdout))
        with pytest.raises(KeyboardInterrupt):
            run.render({"x": "b"})
    assert run.render({"x": "c"}).text == "c"
    run.close()


class Interrupting:
    """A pipe at which a person presses Ctrl-C."""

    def __init__(self, pipe: Any) -> None:
        self.close = pipe.close

    def readline(self) -> bytes:
        """Never comes to its end."""
        raise KeyboardInterrupt


ENDLESS = {  # only the end of the process ends them
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}": "it did not end within 1 seconds",
    "{{ 'a' * 10 ** 11 }}": r"it takes more than 1024 MiB of memory",
    "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}": (
        "it did not end within 1 seconds|it takes more than"
    ),
}
FAILURES = {
    "{{ 'ab' * 9000000 }}": "it gives 18000000 characters, more than 16777216",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}": "RecursionError: maximum recursion depth",
    "{{ ''.__class__.__mro__ }}": "SecurityError: access to attribute '__class__' of 'str' object is unsafe",
    "{{ messages.append(1) }}": "SecurityError: access to attribute 'append' of 'list' object is unsafe",
    "{{ namespace(_a=1) }}": "SecurityError: a namespace keeps no name that begins with an underscore: '_a'",
    "{{ a.b.c }}": "UndefinedError: 'a' is undefined",
    "{{ range(1000000) | list }}": "OverflowError: Range too big",
    "{% include 'x' %}": "TypeError: no loader for this environment",
}


def test_what_no_template_may_do_is_an_error() -> None:
    """It never hangs, nor takes all memory; the message says what it did."""
    for template, why in ENDLESS.items():
        run = Renderer(template, "m.bin", 1.0)
        with pytest.raises(UsageError, match=rf"m\.bin: the chat template fails: found .*({why})"):
            run.render({"messages": []})
        run.close()


@pytest.mark.parametrize("template", FAILURES)
def test_what_fails_says_why(template: str) -> None:
    """In the words of Python or jinja2."""
    result = result_of({"template": template, "values": packed({"messages": []})})
    assert re.search(FAILURES[template], str(result["why"]))


def test_a_template_with_a_mistake_is_refused() -> None:
    """The error tells the line."""
    broken = Renderer("a\n{% if %}", "m.bin")
    with pytest.raises(UsageError, match=r"m\.bin: the chat template is not one that jinja2 takes: found line 2: Ex"):
        broken.render({})
    broken.close()


def test_a_template_that_draws_lots_is_an_error() -> None:
    """Both runs must give the same text."""
    with pytest.raises(UsageError, match="it works on texts in a way in which their origin cannot be followed"):
        rendered("{{ range(99999) | random }}", {"messages": []})


def test_a_process_that_dies_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error tells its last words."""
    monkeypatch.setattr(renderer, "CHILD", "fourcc.models.jinja.no_such_module")
    with pytest.raises(UsageError, match=r"the chat template fails: found it ended with exit code 1; .*No module"):
        Renderer("x").render({})


def test_a_process_that_dies_between_two_messages() -> None:
    """The next message says so, and the one behind it is rendered by a new process."""
    renderer = Renderer("{{ text }}", "m")
    assert renderer.render({"text": "one"}).text == "one"
    assert renderer._process is not None
    renderer._process.kill()
    renderer._process.wait()
    with pytest.raises(UsageError, match="the chat template fails: found"):
        renderer.render({"text": "two" * 10})
    assert renderer.render({"text": "three"}).text == "three"
    renderer.close()


@pytest.mark.parametrize("found", ["3.1.5", "2.11", None])
def test_without_jinja2(monkeypatch: pytest.MonkeyPatch, found: str | None) -> None:
    """The error says how to install it; so it does for a version whose sandbox has holes."""

    def version(name: str) -> str:
        if found is None:
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr(renderer, "version", version)
    with pytest.raises(
        UsageError,
        match=r"m: the package 'jinja2', of version 3.1.6 or later, .*'jinja2>=3.1.6'",
    ):
        Renderer("x", "m").render({})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | HOSTILE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_values_on_their_way(value: Any) -> None:
    """They come out as they went in, as users' texts."""
    again = unpacked(json.loads(json.dumps(packed(value))))
    assert without_marks(again) == value
    assert packed(again) == packed(unpacked(packed(value)))
    assert given_in(again) == given_in(value)


@pytest.mark.parametrize("wrong", [object(), float("nan"), {1: b"x"}, {"a": {2, 3}}])
def test_other_values_are_refused(wrong: object) -> None:
    """With what may be there."""
    with pytest.raises(UsageError, match=r"not a value for a chat template: found .*expected texts, numbers"):
        packed(wrong)


def test_texts_that_are_none_are_refused() -> None:
    """A lone surrogate; and what is too deep."""
    with pytest.raises(UsageError, match=r"the text is not Unicode: found U\+D800 at character 1"):
        packed({"a": "x\ud800"})
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    with pytest.raises(UsageError, match="a value for a chat template is too deep"):
        packed(deep)


def test_marks_survive_the_way() -> None:
    """A marked text among others."""
    value = {"a": Marked("ab", bytes([OWN, UNKNOWN]))}
    again = unpacked(packed(value))
    assert packed(again) == packed({Marked("a", GIVEN): value["a"]})


def test_a_template_of_tools_sees_them() -> None:
    """Names with braces and quotes are shown as JSON has them."""
    text = rendered(OF_OUR_OWN["tools"], {"messages": [said("user", "a")], "tools": [FUNCTION]}).text
    assert '"Tells the <weather> & \\"more\\" in a city\'s streets"' in text
