"""An answer as a message for later prompts.

Most models write text. Those of OpenAI's harmony format (gpt-oss; facts from its chat template) divide an answer by
special tokens, which no text shows::

    <|channel|>analysis<|message|>Let me see.<|end|><|start|>assistant<|channel|>final<|message|>Hello.<|return|>
    <|start|>assistant to=functions.weather<|channel|>commentary json<|message|>{"city": "Rome"}<|call|>

Their templates want thoughts in ``thinking``, the answer in ``content`` and calls in ``tool_calls``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from fourcc.models.jinja.marked import GIVEN, Marked

if TYPE_CHECKING:
    from fourcc.models.talk import Message
    from fourcc.models.tokenizers import Tokenizer

_FIELDS = {"analysis": "thinking", "final": "content", "commentary": "content"}
_FUNCTION = re.compile(r"to=functions\.([^\s<]+)")


def message_of(tokenizer: Tokenizer, tokens: Sequence[int], text: Marked) -> Message:
    """The message of an answer.

    Args:
        tokenizer: the model's.
        tokens: the answer's, without the one that ended it.
        text: their text.
    """
    channel, body = tokenizer.special("<|channel|>"), tokenizer.special("<|message|>")
    if channel is None or body is None or channel not in tokens:
        return {"role": "assistant", "content": text}
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    for header, said in _parts(tokenizer, tokens, body):
        function = _FUNCTION.search(header)
        if function:
            message["tool_calls"] = [{"type": "function", "function": _call(function[1], said)}]
            continue
        field = next((field for name, field in _FIELDS.items() if name in header), "content")
        message[field] = Marked(message.get(field, "") + said, GIVEN)
    return message


def _parts(tokenizer: Tokenizer, tokens: Sequence[int], body: int) -> Iterator[tuple[str, str]]:
    """Header and text of each part of an answer; a text ends at any special token."""
    special = frozenset(tokenizer.specials.values())
    header = ""
    within = False
    for is_special, run in groupby(tokens, special.__contains__):
        some = list(run)
        if is_special:
            within = some[-1] == body
            continue
        said = tokenizer.text(some)
        if within:
            yield header, said
        header = "" if within else f"{header} {said}"


def _call(name: str, said: str) -> dict[str, object]:
    """A function's name and arguments; a text that is no JSON stays text."""
    try:
        return {"name": name, "arguments": json.loads(said)}
    except (ValueError, RecursionError):
        return {"name": name, "arguments": said}
