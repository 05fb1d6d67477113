"""The chat templates that llama.cpp tests itself with: jinja2's text, origins and tokens, or a refusal that says why.

They lie in llama.cpp's sources, which the package llama-cpp-python brings along::

    pip download --no-deps --no-binary :all: llama-cpp-python && tar xzf llama_cpp_python-*.tar.gz
    FOURCC_CHAT_TEMPLATES=llama_cpp_python-*/vendor/llama.cpp/models/templates pytest tests/lanes/test_chat_templates.py

Where transformers is installed, its own rendering is compared, too.
"""

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import tokenizers

from fourcc.models.jinja.child import result_of
from fourcc.models.jinja.marked import OWN, Marked, from_runs
from fourcc.models.jinja.renderer import Renderer
from fourcc.models.jinja.template import JinjaTemplate
from fourcc.models.jinja.wire import Rendered, packed
from fourcc.models.tokenizers.huggingface import HuggingFaceTokenizer, read_json
from tests.running.templates_of_own import expected, talks
from tests.running.training import byte_pairs

pytestmark = pytest.mark.thorough
VARIABLE = "FOURCC_CHAT_TEMPLATES"
FOLDER = os.environ.get(VARIABLE)
FILES = sorted(Path(FOLDER).glob("*.jinja")) if FOLDER else []
NAME = re.compile(r"<[^<>\s'\"{}]{1,40}>|\[/?[A-Z_]{2,}\]")  # the look of special tokens
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
NOW = datetime(2026, 7, 8, 9, 10)  # noqa: DTZ001 - a template tells the user's own day
PIECES = ["Hi", " \n Hi {{ 1 }} {% endif %} \t", "\U000f0000é\u2028\x00", "a</think>b<think>"]

if not FOLDER:
    pytest.skip(f"{VARIABLE} names no folder: llama-cpp-python's source package brings one", allow_module_level=True)


@pytest.fixture(autouse=True)
def a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that templates tell."""

    class Fixed(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return NOW

    monkeypatch.setattr("fourcc.models.jinja.child.datetime", Fixed)


def names_in(template: str) -> list[str]:
    """All that looks like special tokens in a template's text."""
    return sorted(set(NAME.findall(template)))


def with_names(names: list[str]) -> HuggingFaceTokenizer:
    """A tokenizer with these special tokens."""
    made = byte_pairs()
    made.add_special_tokens([tokenizers.AddedToken(name, normalized=False) for name in names])  # type: ignore[list-item]
    return read_json(made.to_str().encode(), "t.json")


def hostile(template: str) -> list[str]:
    """Texts of users: each name, all of them, halves of them, and pieces of the template."""
    names = names_in(template)
    step = max(len(template) // 5, 1)
    cuts = [template[at : at + 40] for at in range(0, len(template), step)]
    return [*PIECES, *names[:12], "".join(names), *(name[:-1] for name in names[:3]), *cuts]


def outcome(template: str, values: dict[str, Any]) -> tuple[Rendered | None, dict[str, object], str]:
    """Result, variables, or why there is none."""
    variables = JinjaTemplate("t", Renderer(template), SPECIAL).values(values["messages"], values.get("tools") or ())
    result: dict[str, Any] = result_of({"template": template, "values": packed(variables)})
    if "why" in result:
        return None, variables, str(result["why"])
    return Rendered(result["text"], from_runs(result["runs"])), variables, ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_template(path: Path) -> None:
    """For every talk and every hostile text: jinja2's text; only names that the template wrote become tokens."""
    template = path.read_text()
    tokenizer = with_names(names_in(template))
    given = 0
    for text in hostile(template):
        for values in talks(text).values():
            found, variables, why = outcome(template, values)
            text_of_jinja2, reason = expected(template, values, NOW)
            if found is None:
                assert text_of_jinja2 is None, why
                assert reason[:60] in why
                continue
            assert found.text == text_of_jinja2
            given += 1
            check_tokens(tokenizer, template, found, variables)
    assert given > 0 or path.stem == "fireworks-ai-llama-3-firefunction-v2", "the template refuses all talks"


def check_tokens(tokenizer: HuggingFaceTokenizer, template: str, found: Rendered, variables: dict[str, object]) -> None:
    """The tokens say the text, and special ones are those of the template's own names."""
    script = JinjaTemplate("t", Renderer(template), SPECIAL)
    ids = script.encode(tokenizer, found, variables)
    assert tokenizer.package.decode(ids, skip_special_tokens=False) == found.text
    own = re.compile("|".join(map(re.escape, sorted(tokenizer.specials, key=len, reverse=True))))
    at, names = 0, []
    while match := own.search(found.text, at):
        inside = set(found.origin[match.start() : match.end()]) == {OWN}
        names += [tokenizer.specials[match[0]]] * inside
        at = match.end() if inside else match.start() + 1
    assert [token for token in ids if token in tokenizer.specials.values()] == names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_ordinary_texts_have_the_package_s_tokens(path: Path) -> None:
    """Where no user says a name, the tokens are those of the rendered text as any program reads it."""
    template = path.read_text()
    tokenizer = with_names(names_in(template))
    package = tokenizers.Tokenizer.from_str(tokenizer.package.to_str())
    package.encode_special_tokens = False
    for values in talks(" Hello,  how are\n\nyou? ").values():
        answers = [each for each in values["messages"] if each["role"] == "assistant"]
        for answer in answers:  # an answer of the model holds special tokens, where the model has made them
            answer["content"] = Marked(answer["content"], OWN)
        found, variables, _ = outcome(template, values)
        if found is not None:
            script = JinjaTemplate("t", Renderer(template), SPECIAL)
            ids = package.encode(found.text, add_special_tokens=False).ids
            assert script.encode(tokenizer, found, variables) == ids


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_transformers_agrees(path: Path) -> None:
    """Its function for templates gives the same text, or refuses in the same words."""
    utilities = pytest.importorskip("transformers.utils.chat_template_utils", reason="transformers is not installed")
    template = path.read_text()
    for values in talks(" Hello <think> there ").values():
        if "strftime_now" in template:
            continue  # its clock cannot be stopped
        found, _, why = outcome(template, values)
        theirs, reason = of_transformers(utilities, template, values)
        if found is None:
            assert theirs is None, why
            assert reason[:60] in why
        else:
            assert found.text == theirs


def of_transformers(utilities: Any, template: str, values: dict[str, Any]) -> tuple[str | None, str]:
    """The text that transformers gives, or why there is none."""
    options = {"add_generation_prompt": True, **SPECIAL}
    try:
        texts, _ = utilities.render_jinja_template([values["messages"]], values.get("tools"), None, template, **options)
    except Exception as error:  # noqa: BLE001 - whatever it says
        return None, str(error)
    return texts[0], ""


def test_marks_are_no_secret_way() -> None:
    """A user's text that is marked as the template's own cannot come from outside: texts are texts."""
    assert packed({"a": "b"}) == {"map": [["a", "b"]]}
    assert packed({"a": Marked("b", OWN)}) != {"map": [["a", "b"]]}


def test_refusals_are_few() -> None:
    """All that templates refuse by their own words, and what they need that a talk has not."""
    refused: dict[str, set[str]] = {}
    for path in FILES:
        for name, values in talks("Hi").items():
            found, _, why = outcome(path.read_text(), values)
            if found is None:
                refused.setdefault(f"{path.stem}: {why[:70]}", set()).add(name)
    lines = (f"{why} ({', '.join(sorted(names))})" for why, names in sorted(refused.items()))
    print("\n".join(lines))
    assert not [why for why in refused if "cannot be followed" in why]
