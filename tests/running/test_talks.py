"""Talks by a model's own template: what the network reads, what it keeps, and where an answer ends."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import msgpack
import numpy as np
import pytest

from fourcc.cli.shared.chat_script import ChatScript
from fourcc.errors import InputError, UsageError
from fourcc.models import template_choice
from fourcc.models.chat import Conversation
from fourcc.models.jinja.child import result_of
from fourcc.models.jinja.renderer import Renderer
from fourcc.models.jinja.stored import chosen, special_texts, templates_in
from fourcc.models.jinja.template import JinjaTemplate
from fourcc.models.sampling import Sampler
from fourcc.models.template_choice import TemplateChoice
from fourcc.models.templates import TEMPLATES
from fourcc.models.tokenizers.gguf import read_gguf
from fourcc.models.tokenizers.specials import SpecialNames
from fourcc.sources.tokenizer import CHAT_TEMPLATE, CONFIGURATION, GGUF
from tests.running.templates_of_own import CHATML, FUNCTION, OF_OUR_OWN, THINKING

CONTROL, USER_DEFINED = 3, 4
EXTRA = {
    **dict.fromkeys(("<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>", "<|endoftext|>"), CONTROL),
    **dict.fromkeys(("<think>", "</think>"), USER_DEFINED),
}
PIECES = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *EXTRA, "\u2581"]
KEYS = {
    "model": "llama",
    "tokens": PIECES,
    "scores": [0.0] * len(PIECES),
    "token_type": [2, 3, 3, *[6] * 256, *EXTRA.values(), 1],
    "add_space_prefix": False,
}
BLOB = msgpack.packb({f"tokenizer.ggml.{key}": value for key, value in KEYS.items()})
OURS = read_gguf(BLOB, "m.gguf")
NAMES = SpecialNames.of(OURS, "<think></think>")


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates run here; ``test_jinja.py`` has the process."""

    def answer(_: Renderer, job: bytes) -> bytes:
        return json.dumps(result_of(json.loads(job))).encode()

    monkeypatch.setattr(Renderer, "_answer", answer)


def ids(text: str) -> list[int]:
    """The tokens of a text with all names in it."""
    return NAMES.encode(text, lambda start, end: True)


@attrs.define
class ScriptedNetwork:
    """Stands for a network: it gives answers that are written down, and remembers all that it reads."""

    answers: list[str]
    context: int = 4000
    position: int = 0
    held: list[int] = attrs.field(factory=list)
    reads: list[int] = attrs.field(factory=list)
    _left: list[int] = attrs.field(factory=list)

    def reset(self, position: int = 0) -> None:
        """As a network's."""
        self.position = position

    def forward(self, tokens: Sequence[int]) -> Any:
        """Logits by which the next token of the answer is sure."""
        if len(tokens) > 1 or not self._left:
            self._left = ids(self.answers.pop(0))
        self.held = [*self.held[: self.position], *tokens]
        self.reads.append(len(tokens))
        self.position = len(self.held)
        logits = np.zeros((1, len(PIECES)), np.float32)
        logits[0, self._left.pop(0)] = 9
        return logits


def talk_of(template: str, *answers: str, **more: Any) -> tuple[Conversation, ScriptedNetwork]:
    """A talk whose answers are known beforehand."""
    network = ScriptedNetwork(list(answers))
    script = JinjaTemplate("own", Renderer(template, "m.bin"), {"bos_token": "<s>"})
    sampler = Sampler.from_flags(len(PIECES), 0.0, 0.9, 1)
    return Conversation(network, OURS, script, sampler, **more), network  # type: ignore[arg-type]


def turn(role: str, text: str) -> str:
    """A message in ChatML."""
    return f"<|im_start|>{role}\n{text}<|im_end|>\n"


def test_only_what_is_new_is_read() -> None:
    """The second message is read behind what is there; the end of the answer among it."""
    talk, network = talk_of(CHATML, "Hello.<|im_end|>", "Yes<|endoftext|>", "x<|im_end|>", system="Be kind.")
    assert talk.answer("Hi") == "Hello."
    first = ids(turn("system", "Be kind.") + turn("user", "Hi") + "<|im_start|>assistant\n")
    assert network.held == first + ids("Hello.")
    assert network.reads[0] == len(first)
    network.reads.clear()
    assert talk.answer("Are you <|im_end|> sure?") == "Yes"
    begun = "<|im_end|>\n<|im_start|>user\nAre you "
    assert network.reads[0] == len(ids(begun)) + len("<|im_end|>") + len(
        ids(" sure?<|im_end|>\n<|im_start|>assistant\n")
    )
    assert network.held[: len(first) + 6 + len(ids(begun))] == first + ids("Hello.") + ids(begun)
    assert talk.answer("a") == "x"  # <|endoftext|> ended the answer, and the template closes it with its own token
    assert OURS.special("<|endoftext|>") not in network.held
    assert talk.seen == network.held


def test_a_template_that_drops_thoughts() -> None:
    """All that comes behind the first token that differs is read again; a thought of the last answer stays."""
    talk, network = talk_of(THINKING, "hm</think>\nHello.<|im_end|>", "so</think>\nYes<|im_end|>")
    assert talk.answer("Hi") == "hm</think>\nHello."
    start = turn("user", "Hi") + "<|im_start|>assistant\n"
    assert network.held == ids(f"{start}<think>\nhm</think>\nHello.")
    talk.answer("b")
    whole = ids(f"{start}Hello.<|im_end|>\n" + turn("user", "b") + "<|im_start|>assistant\n<think>\n")
    assert network.held[: len(whole)] == whole
    assert network.reads[len(ids("hm</think>\nHello.")) + 1] == len(whole) - len(ids(start))
    assert [message["role"] for message in talk.messages] == ["user", "assistant"] * 2


def test_added_tokens_of_an_answer_stay_tokens() -> None:
    """Only those that the model made; not those that a user spells, nor letters that the model itself spells."""
    knows = "{# writes <think> and </think> elsewhere #}" + CHATML
    talk, network = talk_of(knows, "<think>a</think><|im_end|>", "x<|im_end|>")
    talk.answer("<think>")
    talk.answer("b")
    think = OURS.special("<think>")
    assert network.held.count(think) == 1
    then = ids("<|im_end|>\n" + turn("user", "b") + "<|im_start|>assistant\n")
    assert network.reads[1:6] == [1, 1, 1, len(then), 1]


GEMMA = OF_OUR_OWN["alternating"]
SILENT = "{% for message in messages if message.role != 'system' %}" + CHATML.partition("%}")[2]


@pytest.mark.parametrize(("template", "end"), [(GEMMA, "<end_of_turn>"), (SILENT, "<|im_end|>")])
def test_a_template_without_a_place_for_the_system(template: str, end: str) -> None:
    """It refuses the role, or drops the message; the text then stands before the first message, and a note says so."""
    talk, network = talk_of(template, f"a{end}", f"b{end}", system="Be kind.")
    talk.answer("Hi")
    talk.answer("Ho")
    assert OURS.text(network.held).count("user\nBe kind.\n\nHi") == 1
    assert talk.notes == ["the chat template takes no system prompt, so it stands before the first message"]


def test_a_system_prompt_in_another_form_is_there() -> None:
    """A template may show it as JSON, say; nothing is merged then."""
    shown = "{{ messages[0].content | tojson if messages[0].role == 'system' }}" + SILENT
    talk, network = talk_of(shown, "a<|im_end|>", system='Say "a".')
    talk.answer("Hi")
    assert OURS.text(network.held).startswith('"Say \\"a\\"."user\nHi')
    assert talk.notes == []


def test_a_talk_that_the_template_refuses() -> None:
    """In its own words; the talk goes on without the message."""
    talk, _ = talk_of(GEMMA, "a<end_of_turn>", "b<end_of_turn>")
    with pytest.raises(UsageError, match=r"m\.bin: the chat template refuses this talk: roles must alternate"):
        talk.answer("22", role="tool")
    assert talk.messages == []
    assert (talk.answer("Hi"), talk.answer("Ho")) == ("a", "b")


def test_an_answer_that_is_left() -> None:
    """It counts as far as it was read; the network holds what it read of it."""
    talk, network = talk_of(CHATML, "Hello<|im_end|>", "b<|im_end|>")
    pieces = talk.say("Hi")
    assert [next(pieces).text for _ in range(3)] == ["Hi", "H", "e"]
    pieces.close()  # type: ignore[attr-defined]
    assert talk.messages[-1] == {"role": "assistant", "content": "He"}
    assert talk.seen == network.held[: network.position]
    assert talk.answer("b") == "b"
    assert OURS.text(network.held).startswith("user\nHi\nassistant\nHe\nuser\nb\n")


def test_a_talk_longer_than_the_context() -> None:
    """The message that does not fit is refused; so is a template that writes nothing."""
    talk, network = talk_of(CHATML)
    network.context = 20
    with pytest.raises(
        UsageError, match=r"the message does not fit: found \d+ tokens, expected at most 20, the positions"
    ):
        talk.answer("x" * 30)
    talk, _ = talk_of("{# nothing #}")
    with pytest.raises(UsageError, match="the chat template own gives nothing for the model to read"):
        talk.answer("x")


def test_tools_and_options_reach_the_template() -> None:
    """And results of functions, as messages of their role."""
    template = "{{ tools | tojson }}{{ enable_thinking | default('?') }}" + CHATML
    talk, network = talk_of(
        template, "a<|im_end|>", "b<|im_end|>", tools=[FUNCTION], options={"enable_thinking": False}
    )
    talk.answer("Hi")
    assert OURS.text(network.held).startswith(f"[{json.dumps(FUNCTION, ensure_ascii=False)}]Falseuser\nHi")
    talk.messages[-1]["tool_calls"] = [{"function": {"name": "weather", "arguments": {}}}]
    assert talk.answer("22", role="tool") == "b"
    assert "tool\n22" in OURS.text(network.held)


@pytest.mark.parametrize(
    ("template", "end"),
    [
        (CHATML, "<|im_end|>"),
        (GEMMA, "<end_of_turn>"),
        ("{% for m in messages %}<|im_start|>{{ m.content }}{% endfor %}", "<|im_start|>"),  # the next one's start
        (
            "{% for m in messages %}{{ m.content ~ ('<|im_end|>' if loop.last else '</s>') }}{% endfor %}",
            "<|im_end|>",
        ),
    ],
)
def test_an_answer_ends_where_the_template_closes_it(template: str, end: str) -> None:
    """The token behind a last answer counts, else the one before what follows."""
    found = JinjaTemplate("own", Renderer(template)).ends(OURS)
    assert found == OURS.ends | {OURS.special(end)}


def test_a_template_that_closes_by_text() -> None:
    """Only the tokenizer's ends count; so they do where the template fails."""
    for template in ("{% for m in messages %}{{ m.content }} END <|im_end|>{% endfor %}", "{{ x.y }}", "{{ '' }}"):
        assert JinjaTemplate("own", Renderer(template)).ends(OURS) == OURS.ends


def test_a_name_of_unknown_origin() -> None:
    """It is a user's where a user says it, else the template is refused."""
    template = JinjaTemplate("own", Renderer("{{ '%s<|im_end|>' | format(messages[0].content) }}", "m.bin"))
    for text, plain in (("<|im_end|>", True), ("Hi", False)):
        values = template.values([{"role": "user", "content": text}])
        rendered = template.renderer.render(values)
        if plain:
            assert OURS.special("<|im_end|>") not in template.encode(OURS, rendered, values)
            continue
        with pytest.raises(UsageError, match=r"m\.bin: the chat template writes a special token in a .*<\|im_end\|>"):
            template.encode(OURS, rendered, values)


def keys(**more: object) -> dict[str, bytes]:
    """Blobs of a model with a vocabulary of GGUF."""
    named = {name.replace("__", "."): value for name, value in more.items()}
    return {GGUF: msgpack.packb({**msgpack.unpackb(BLOB), **named})}


def test_where_templates_live() -> None:
    """A file, a folder of files, a configuration, keys: each by its name; the first of one name counts."""
    named = [{"name": "default", "template": "c"}, {"name": "rag", "template": "d"}]
    configured = {CONFIGURATION: json.dumps({"chat_template": named}).encode()}
    assert templates_in(configured) == {"default": "c", "rag": "d"}
    files = {CHAT_TEMPLATE: b"a", "additional_chat_templates/tool_use.jinja": b"b"}
    assert templates_in({**configured, **files}) == {"default": "a", "tool_use": "b", "rag": "d"}
    assert templates_in({CONFIGURATION: b'{"chat_template": "e"}'}) == {"default": "e"}
    assert templates_in(keys(tokenizer__chat_template="f", tokenizer__chat_template__rag="g")) == {
        "default": "f",
        "rag": "g",
    }
    assert templates_in({**files, **keys(tokenizer__chat_template="f")})["default"] == "a"
    assert templates_in({CONFIGURATION: b"{}"}) == {}


def test_a_damaged_template_is_named() -> None:
    """A number, an entry without a name, bytes that are no UTF-8."""
    wrong = {"no text": {"chat_template": 3}, "has no name": {"chat_template": [{"template": "a"}]}}
    for why, stated in wrong.items():
        with pytest.raises(InputError, match=rf"m \(tokenizer_config\.json\): .*{why}"):
            templates_in({CONFIGURATION: json.dumps(stated).encode()}, "m")
    with pytest.raises(InputError, match=r"m, byte 1: chat_template\.jinja is not UTF-8"):
        templates_in({CHAT_TEMPLATE: b"a\xff"}, "m")


def test_which_of_several() -> None:
    """``tool_use`` for tools, else ``default``, else the only one."""
    several = {"default": "a", "tool_use": "b"}
    assert chosen(several, "m", tools=True) == ("tool_use", "b")
    assert chosen(several, "m", tools=False) == ("default", "a")
    assert chosen({"rag": "c"}, "m", tools=False) == ("rag", "c")
    with pytest.raises(
        UsageError, match=r"several chat templates, and none is the default\. --template NAME chooses one: a, b"
    ):
        chosen({"a": "x", "b": "y"}, "m", tools=True)


def test_variables_of_special_tokens() -> None:
    """The configuration counts, then the map of special tokens, then the tokenizer."""
    files = {
        CONFIGURATION: json.dumps({"bos_token": {"content": "<B>"}, "image_token": "<I>", "eos_token": None}).encode(),
        "special_tokens_map.json": json.dumps({"bos_token": "<M>", "pad_token": "<P>"}).encode(),
    }
    assert special_texts(keys(), OURS) == {"bos_token": "<s>", "eos_token": "</s>"}
    expected = {"bos_token": "<B>", "eos_token": "</s>", "pad_token": "<P>", "image_token": "<I>"}
    assert special_texts(files, OURS) == expected


def test_a_choice_by_name(tmp_path: Path) -> None:
    """One of the model's own, one of the table, a file; else the names that there are."""
    choice = TemplateChoice(keys(tokenizer__chat_template=CHATML, tokenizer__chat_template__rag="r"), OURS, "m.bin")
    rag = choice.named("rag")
    assert isinstance(rag, JinjaTemplate)
    assert (rag.name, rag.renderer.template, rag.special["bos_token"]) == ("rag", "r", "<s>")
    assert choice.named("chatml") is TEMPLATES["chatml"]
    path = tmp_path / "mine.jinja"
    path.write_text("é{{ bos_token }}")
    mine = choice.named(str(path))
    assert isinstance(mine, JinjaTemplate)
    assert (mine.renderer.template, mine.renderer.file) == ("é{{ bos_token }}", str(path))
    with pytest.raises(
        UsageError, match=r"no such chat template: found .x., expected default, rag, llama3, .*FILE\.jinja"
    ):
        choice.named("x")
    with pytest.raises(FileNotFoundError):
        choice.named(str(tmp_path / "none.jinja"))
    path.write_bytes(b"\xff")
    with pytest.raises(UsageError, match=r"mine\.jinja, byte 0: the chat template is not UTF-8"):
        choice.named(str(path))
    path.write_bytes(b" " * (2 << 20))
    with pytest.raises(UsageError, match=r"mine\.jinja: too long for a chat template, expected at most 1048576 bytes"):
        choice.named(str(path))


def test_the_usual_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model's own, with tools the one for tools; its family where jinja2 is not there; else llama2.c's."""
    blobs = keys(tokenizer__chat_template=CHATML, tokenizer__chat_template__tool_use="t")
    for tools, name in ((False, "default"), (True, "tool_use")):
        template, note = TemplateChoice(blobs, OURS, "m.bin", tools=tools).usual()
        assert (template.name, note) == (name, f"chat template {name}: as the model's own says")
    assert TemplateChoice(keys(), OURS).usual()[0] is TEMPLATES["llama2"]
    assert TemplateChoice(keys(tokenizer__chat_template=""), OURS).usual()[0] is TEMPLATES["llama2"]
    monkeypatch.setattr(template_choice, "is_installed", lambda: False)
    template, note = TemplateChoice(blobs, OURS, "m.bin").usual()
    assert template is TEMPLATES["chatml"]
    assert note.startswith(
        "chat template chatml: the model's own is of this family, and may say more, such as a system prompt"
    )
    with pytest.raises(
        UsageError, match=r"m\.bin: the model's own chat template is of no family .*pip install 'jinja2>="
    ):
        TemplateChoice(keys(tokenizer__chat_template="{{ x }}"), OURS, "m.bin").usual()


def test_what_a_user_says_of_the_template(tmp_path: Path) -> None:
    """A file of functions, variables of JSON or text."""
    path = tmp_path / "tools.json"
    path.write_text(json.dumps([FUNCTION]))
    script = ChatScript(None, path, ("enable_thinking=false", "name=x=y", "n=3", "none=null"))
    assert script.functions() == [FUNCTION]
    assert script.variables() == {"enable_thinking": False, "name": "x=y", "n": 3, "none": None}
    assert (ChatScript().functions(), ChatScript().variables()) == ([], {})
    for wrong in ("=1", "a", "1a=2", "a b=1"):
        with pytest.raises(UsageError, match=r"not a variable of a template: found .* expected NAME=VALUE"):
            ChatScript(options=(wrong,)).variables()
    for own in ("messages=[]", "add_generation_prompt=false", "tools=[]"):
        with pytest.raises(UsageError, match=r"--set \w+: the talk itself says what \w+ is"):
            ChatScript(options=(own,)).variables()
    for data in ("{}", "[1]", "x"):
        path.write_text(data)
        with pytest.raises(
            UsageError, match=r"tools\.json: not a list of functions: .*expected a JSON list of objects"
        ):
            script.functions()
