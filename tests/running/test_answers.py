"""Answers as messages for later prompts."""

import msgpack
import pytest

from fourcc.models.answers import message_of
from fourcc.models.jinja.marked import GIVEN, Marked
from fourcc.models.tokenizers.ends import named_ends
from fourcc.models.tokenizers.gguf import read_gguf
from fourcc.models.tokenizers.specials import SpecialNames

NAMES = ("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>", "<|call|>", "<|endoftext|>")
TOKENS = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *NAMES, "\u2581"]
KEYS = {
    "model": "llama",
    "tokens": TOKENS,
    "scores": [0.0] * len(TOKENS),
    "token_type": [2, *[6] * 256, *[3] * len(NAMES), 1],
    "add_space_prefix": False,
    "bos_token_id": -1,
    "eos_token_id": -1,
}
OURS = read_gguf(msgpack.packb({f"tokenizer.ggml.{key}": value for key, value in KEYS.items()}), "m")
ANALYSIS = "<|channel|>analysis<|message|>Let me <see>.<|end|>"
FINAL = "<|start|>assistant<|channel|>final<|message|>Héllo."
CALL = '<|start|>assistant to=functions.weather<|channel|>commentary json<|message|>{"city": "Rome"}'


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (ANALYSIS + FINAL, {"thinking": "Let me <see>.", "content": "Héllo."}),
        (FINAL.removeprefix("<|start|>assistant"), {"content": "Héllo."}),
        (ANALYSIS, {"thinking": "Let me <see>.", "content": ""}),
        (ANALYSIS[:-9], {"thinking": "Let me <see", "content": ""}),
        ("<|channel|>analysis", {"content": ""}),
        (
            ANALYSIS + CALL,
            {
                "thinking": "Let me <see>.",
                "content": "",
                "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}}],
            },
        ),
        (
            CALL.removeprefix("<|start|>assistant")[:-1],
            {
                "content": "",
                "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"'}}],
            },
        ),
    ],
)
def test_parts_of_an_answer(said: str, expected: dict[str, object]) -> None:
    """Thoughts, the answer, a call; also cut anywhere."""
    tokens = SpecialNames.of(OURS, "").encode(said, lambda start, end: True)
    text = Marked(OURS.text(tokens), GIVEN)
    assert message_of(OURS, tokens, text) == {"role": "assistant", **expected}


def test_other_answers_are_their_text() -> None:
    """With the marks that it has."""
    text = Marked("Hi", GIVEN)
    assert message_of(OURS, OURS.encode("Hi"), text)["content"] is text


def test_ends_of_such_answers() -> None:
    """The end of a part ends no answer; in other vocabularies the same name does."""
    assert {TOKENS[token] for token in OURS.ends} == {"<|return|>", "<|call|>", "<|endoftext|>"}
    assert named_ends({"<|end|>": 5, "<|endoftext|>": 6}) == (6, 5)
    assert named_ends({"<|end|>": 5, "<|return|>": 7, "<|call|>": 8}) == (7, 8)
