"""Chat templates: how the messages of a talk are written for a model; a table has a row for each family.

A pattern is text in which the names of special tokens stand for those tokens. What a user types is always text, even if
it spells such a name. The table is for models that bring no template, and for readers without jinja2: the texts in a
model's own template, a Jinja program, tell its family.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from fourcc import installation
from fourcc.errors import UsageError
from fourcc.models.begin_and_end import beginning
from fourcc.models.talk import Talk

if TYPE_CHECKING:
    from fourcc.models.tokenizers import Tokenizer

BOS, EOS = "<s>", "</s>"  # in patterns: the tokenizer's own tokens, whatever their names


@attrs.frozen
class Template:
    """How the messages of a family are written.

    Attributes:
        name: the name of the family.
        marks: texts that a Jinja template of this family contains; the first row with all its marks counts.
        system: pattern of the first message with a system prompt, with ``{system}`` and ``{user}``.
        turn: pattern of any other message, with ``{user}``.
        end: the token that ends an answer; the tokenizer's ends do, too.
        close: text between that token and the next message.
        special: names of tokens in the patterns.
    """

    name: str
    marks: tuple[str, ...]
    system: str
    turn: str
    end: str = EOS
    close: str = ""
    special: tuple[str, ...] = ()

    def message(self, tokenizer: Tokenizer, user: str, system: str = "", *, first: bool) -> list[int]:
        """The tokens of a message; before the first one of a talk, the tokens that begin any text.

        Raises:
            UsageError: the tokenizer lacks one of the special tokens.
        """
        pattern = self.system if first and system else self.turn
        start = beginning(tokenizer) if first and not pattern.startswith(BOS) else ()
        return [*start, *self._tokens(tokenizer, pattern, {"user": user, "system": system})]

    def prompt(self, tokenizer: Tokenizer, talk: Talk) -> list[int]:
        """All tokens of a talk; see `ChatTemplate`. Those that the model has read stay as they are.

        Raises:
            UsageError: the tokenizer lacks one of the special tokens; or the talk has tools, or no message of a user.
        """
        role, text = talk.messages[-1].get("role"), talk.messages[-1].get("content")
        if talk.tools or talk.options or role != "user" or not isinstance(text, str):
            what = f"the chat template {self.name} has no place for tools, options and roles other than user"
            raise UsageError(what, hint=f"A model's own template may have: {installation.command('chat')}")
        owed = self.after(tokenizer) if talk.seen else []
        return [*talk.seen, *owed, *self.message(tokenizer, text, talk.system, first=not talk.seen)]

    def after(self, tokenizer: Tokenizer) -> list[int]:
        """The tokens that follow an answer. Raises as `message` does."""
        return self._tokens(tokenizer, self.end + self.close, {})

    def ends(self, tokenizer: Tokenizer) -> frozenset[int]:
        """The tokens that end an answer. Raises as `message` does."""
        return tokenizer.ends | {self._special(tokenizer, self.end)}

    def _tokens(self, tokenizer: Tokenizer, pattern: str, values: Mapping[str, str]) -> list[int]:
        names = "|".join(map(re.escape, (BOS, EOS, *self.special)))
        ids: list[int] = []
        for number, part in enumerate(re.split(f"({names})", pattern)):
            if number % 2:
                ids.append(self._special(tokenizer, part))
            elif part:
                ids += tokenizer.encode(part.format_map(values), bos=False)
        return ids

    def _special(self, tokenizer: Tokenizer, name: str) -> int:
        own = {BOS: tokenizer.bos, EOS: tokenizer.eos}
        token = own[name] if name in own else tokenizer.special(name)
        if token is None:
            raise UsageError(
                f"the chat template {self.name} needs the token {name}, which the tokenizer lacks", hint=_choice()
            )
        return token


_MISTRAL = ("[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]")
LLAMA2 = Template(  # as llama2.c writes it; for models without a template of their own
    "llama2",
    ("[INST]", "<<SYS>>"),
    "<s>[INST] <<SYS>>\n{system}\n<</SYS>>\n\n{user} [/INST]",
    "<s>[INST] {user} [/INST]",
)
TEMPLATES = {
    template.name: template
    for template in (
        Template(
            "llama3",
            ("<|start_header_id|>", "<|eot_id|>"),
            "<|start_header_id|>system<|end_header_id|>\n\n{system}<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\n{user}<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            "<|start_header_id|>user<|end_header_id|>\n\n{user}<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            "<|eot_id|>",
            special=("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        ),
        Template(
            "chatml",
            ("<|im_start|>",),
            "<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n",
            "<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n",
            "<|im_end|>",
            "\n",
            ("<|im_start|>", "<|im_end|>"),
        ),
        LLAMA2,
        Template(
            "mistral-v7",
            ("[SYSTEM_PROMPT] ", "[INST] "),
            "[SYSTEM_PROMPT] {system}[/SYSTEM_PROMPT][INST] {user}[/INST]",
            "[INST] {user}[/INST]",
            special=_MISTRAL,
        ),
        Template(
            "mistral-v7-tekken",
            ("[SYSTEM_PROMPT]", "[INST]"),
            "[SYSTEM_PROMPT]{system}[/SYSTEM_PROMPT][INST]{user}[/INST]",
            "[INST]{user}[/INST]",
            special=_MISTRAL,
        ),
        Template(  # Mistral's first two versions: no special tokens, one BOS
            "mistral",
            ("[INST]", " [/INST]"),
            "[INST] {system}\n\n{user} [/INST]",
            "[INST] {user} [/INST]",
        ),
        Template(
            "mistral-v3",
            ("[INST] ", "[/INST]"),
            "[INST] {system}\n\n{user}[/INST]",
            "[INST] {user}[/INST]",
            special=("[INST]", "[/INST]"),
        ),
        Template(  # the third version's later tokenizer: no spaces
            "mistral-tekken",
            ("[INST]", "[/INST]"),
            "[INST]{system}\n\n{user}[/INST]",
            "[INST]{user}[/INST]",
            special=("[INST]", "[/INST]"),
        ),
        Template(
            "phi3",
            ("<|user|>", "<|assistant|>", "<|end|>"),
            "<|system|>\n{system}<|end|>\n<|user|>\n{user}<|end|>\n<|assistant|>\n",
            "<|user|>\n{user}<|end|>\n<|assistant|>\n",
            "<|end|>",
            "\n",
            ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        ),
        Template(  # also TinyLlama's; the names in angle brackets are text
            "zephyr",
            ("<|user|>", "<|assistant|>"),
            "<|system|>\n{system}</s>\n<|user|>\n{user}</s>\n<|assistant|>\n",
            "<|user|>\n{user}</s>\n<|assistant|>\n",
            close="\n",
        ),
    )
}


def template_named(name: str) -> Template:
    """The template of that name. Raises UsageError where there is none."""
    if name not in TEMPLATES:
        raise UsageError("no such chat template", found=repr(name), expected=", ".join(TEMPLATES))
    return TEMPLATES[name]


def family_of(own: str, file: object = None) -> Template:
    """The template of the family that a model's own one belongs to.

    Args:
        own: the text of the model's template.
        file: the file that messages name.

    Raises:
        UsageError: it is of no family in the table.
    """
    for template in TEMPLATES.values():
        if all(mark in own for mark in template.marks):
            return template
    what = "the model's own chat template is of no family that is known here"
    hint = f"{installation.command('chat')} lets it be run; {_choice()}"
    raise UsageError(what, file=file, found=f"{own!r:.60}", expected=", ".join(TEMPLATES), hint=hint)


def _choice() -> str:
    return f"--template NAME chooses another: {', '.join(TEMPLATES)}."
