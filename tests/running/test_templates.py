"""Chat templates: the tokens of messages against those that Jinja templates of the families give, rendered by hand."""

import json
import os
from pathlib import Path

import pytest
import tokenizers

from fourcc.errors import UsageError
from fourcc.models.chat import Conversation
from fourcc.models.jinja.stored import templates_in
from fourcc.models.templates import TEMPLATES, family_of
from fourcc.models.tokenizers import Tokenizer
from fourcc.models.tokenizers.huggingface import read_json
from fourcc.models.tokenizers.sentencepiece_model import read_sentencepiece
from fourcc.sources import open_source
from fourcc.sources.tokenizer import CHAT_TEMPLATE, beside
from tests.running.training import byte_pairs, scored

ROLE = "<|start_header_id|>{}<|end_header_id|>\n\n"
# A system prompt and a message; then, behind the answer, another message: as llama.cpp's llama_chat_apply_template, of
# llama-cpp-python 0.3.36, writes them for llama3, chatml, llama2-sys-bos, mistral-v1, mistral-v3, mistral-v3-tekken,
# mistral-v7, mistral-v7-tekken, phi3 and zephyr (with <|endoftext|> for EOS). The space that mistral-v1 begins with is
# put there by its tokenizer.
TALKS = {
    "llama3": (
        f"{ROLE.format('system')}S<|eot_id|>{ROLE.format('user')}U<|eot_id|>{ROLE.format('assistant')}",
        f"<|eot_id|>{ROLE.format('user')}V<|eot_id|>{ROLE.format('assistant')}",
    ),
    "chatml": (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|>\n<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n",
    ),
    "llama2": ("<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nU [/INST]", "</s><s>[INST] V [/INST]"),
    "mistral-v7": ("[SYSTEM_PROMPT] S[/SYSTEM_PROMPT][INST] U[/INST]", "</s>[INST] V[/INST]"),
    "mistral-v7-tekken": ("[SYSTEM_PROMPT]S[/SYSTEM_PROMPT][INST]U[/INST]", "</s>[INST]V[/INST]"),
    "mistral": ("[INST] S\n\nU [/INST]", "</s>[INST] V [/INST]"),
    "mistral-v3": ("[INST] S\n\nU[/INST]", "</s>[INST] V[/INST]"),
    "mistral-tekken": ("[INST]S\n\nU[/INST]", "</s>[INST]V[/INST]"),
    "phi3": (
        "<|system|>\nS<|end|>\n<|user|>\nU<|end|>\n<|assistant|>\n",
        "<|end|>\n<|user|>\nV<|end|>\n<|assistant|>\n",
    ),
    "zephyr": ("<|system|>\nS</s>\n<|user|>\nU</s>\n<|assistant|>\n", "</s>\n<|user|>\nV</s>\n<|assistant|>\n"),
}
OWN = {  # pieces of templates that models bring
    "llama3": "{{ '<|start_header_id|>' + role + '<|end_header_id|>\n\n' + content + '<|eot_id|>' }}",
    "chatml": "{{ '<|im_start|>' + role + '\n' + content + '<|im_end|>' + '\n' }}",
    "llama2": "{% set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' %}{{ bos_token + '[INST] ' + content }}",
    "mistral": "{{ bos_token }}{{ '[INST] ' + content + ' [/INST]' }}",
    "mistral-v3": '{{ bos_token }}{{ "[INST] " + content + "[/INST]" }}',
    "mistral-v7": "{{ '[SYSTEM_PROMPT] ' + system + '[/SYSTEM_PROMPT]' }}{{ '[INST] ' + content + '[/INST]' }}",
    "mistral-v7-tekken": "{{ '[SYSTEM_PROMPT]' + system + '[/SYSTEM_PROMPT]' }}{{ '[INST]' + content + '[/INST]' }}",
    "mistral-tekken": "{{ bos_token }}{{ '[INST]' + content + '[/INST]' }}",
    "phi3": "{{ '<|user|>\n' + content + '<|end|>\n<|assistant|>\n' }}",
    "zephyr": "{{ '<|user|>\n' + content + eos_token }}{{ '<|assistant|>' }}",
}


def with_special(*names: str) -> tokenizers.Tokenizer:
    """A byte-pair tokenizer with these special tokens beside <s> and </s>."""
    made = byte_pairs()
    made.add_special_tokens(list(names))
    return made


@pytest.mark.parametrize("name", TEMPLATES)
def test_messages_are_written_as_the_family_does(name: str) -> None:
    """The package finds special tokens in the whole text; ours puts them there one by one."""
    template = TEMPLATES[name]
    package = with_special(*template.special)
    ours = with_bos(package)
    begin, then = TALKS[name]
    first = template.message(ours, "U", "S", first=True)
    whole = begin if begin.startswith("<s>") else f"<s>{begin}"
    assert first == package.encode(whole, add_special_tokens=False).ids
    found = template.after(ours) + template.message(ours, "V", "S", first=False)
    assert found == package.encode(then, add_special_tokens=False).ids
    assert ours.eos in template.ends(ours)


def with_bos(package: tokenizers.Tokenizer) -> Tokenizer:
    """Ours of the same, with a token before a text."""
    post = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [package.token_to_id("<s>")], "tokens": ["<s>"]}},
    }
    return read_json(json.dumps({**json.loads(package.to_str()), "post_processor": post}).encode(), "t.json")


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_a_user_types_is_text(name: str) -> None:
    """Names of special tokens, braces: nothing gets out of the message."""
    template = TEMPLATES[name]
    ours = with_bos(with_special(*template.special))
    special = {ours.special(each) for each in template.special} | {ours.bos, ours.eos}
    plain = template.message(ours, "U", first=False)
    odd = template.message(ours, "".join([*template.special, "<s></s>{system}{0}"]), first=False)
    assert [token for token in odd if token in special] == [token for token in plain if token in special]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_model_s_own_template_tells_its_family(name: str) -> None:
    """Where jinja2 is not there to run it."""
    assert family_of(OWN[name]) == TEMPLATES[name]


def test_an_unknown_family_is_refused() -> None:
    """The error says what can be done."""
    with pytest.raises(UsageError, match=r"m\.bin: the model's own chat template is of no family .*jinja2>=3.*--templ"):
        family_of("{{ 'GPT4 Correct User: ' }}", "m.bin")


def test_what_a_family_s_template_has_no_place_for() -> None:
    """Tools, options, and messages that are no user's."""
    talk = Conversation(None, None, TEMPLATES["chatml"], None)  # type: ignore[arg-type]
    for tools, options, role in (((), {}, "tool"), (({},), {}, "user"), ((), {"a": 1}, "user")):
        talk.tools, talk.options, talk.messages = tools, options, [{"role": role, "content": "x"}]
        with pytest.raises(
            UsageError, match=r"the chat template chatml has no place for tools, options and roles other"
        ):
            TEMPLATES["chatml"].prompt(with_bos(with_special()), talk)


def test_a_vocabulary_without_the_special_tokens_is_refused() -> None:
    """They would be read as text, which means nothing to the model."""
    tokenizer = read_sentencepiece(scored(), "t.model")
    with pytest.raises(UsageError, match=r"the chat template chatml needs the token <\|im_start\|>, which"):
        TEMPLATES["chatml"].message(tokenizer, "Hi", first=True)
    assert TEMPLATES["llama2"].message(tokenizer, "Hi", first=True)[0] == tokenizer.bos


def test_special_tokens_by_name() -> None:
    """SentencePiece's special tokens are control pieces, and no text."""
    tokenizer = read_sentencepiece(scored(control_symbols=["[INST]"]), "t.model")
    assert tokenizer.special("[INST]") == tokenizer.processor.piece_to_id("[INST]")
    assert [tokenizer.special(name) for name in ("the", "<unk>", "no such piece")] == [None] * 3
    assert tokenizer.special("<s>") == tokenizer.bos


def test_a_folder_s_chat_template_is_taken_along(tmp_path: Path) -> None:
    """Its own file counts first, then the tokenizer's configuration."""
    (tmp_path / "tokenizer.json").write_text(byte_pairs().to_str())
    assert CHAT_TEMPLATE not in beside(tmp_path)[0]
    config = tmp_path / "tokenizer_config.json"
    config.write_text(
        json.dumps({"chat_template": [{"name": "rag", "template": "a"}, {"name": "default", "template": "b"}]})
    )
    blobs, paths, notes = beside(tmp_path)
    assert (blobs[CHAT_TEMPLATE], paths[-1], notes) == (b"b", config, [])
    config.write_text(json.dumps({"chat_template": "c"}))
    assert beside(tmp_path)[0][CHAT_TEMPLATE] == b"c"
    (tmp_path / "chat_template.jinja").write_text("d")
    assert beside(tmp_path)[0][CHAT_TEMPLATE] == b"d"
    (tmp_path / "chat_template.jinja").unlink()
    config.write_text("{")
    blobs, _, notes = beside(tmp_path)
    assert CHAT_TEMPLATE not in blobs
    assert "the chat template of tokenizer_config.json is left out: " in notes[0]
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "rag.jinja").write_text("e")
    assert beside(tmp_path)[0]["additional_chat_templates/rag.jinja"] == b"e"


def test_a_real_model_s_template() -> None:
    """It is Devstral's, from its GGUF file."""
    folder = os.environ.get("FOURCC_DATA")
    if not folder:
        pytest.skip("FOURCC_DATA does not lead to the real models")
    with open_source(Path(folder) / "devstral_slice" / "slice.gguf") as source:
        (own,) = templates_in(source.blobs, source.path).values()
    assert family_of(own).name == "mistral-v7-tekken"
