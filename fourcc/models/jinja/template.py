"""A Jinja template of a model's own: from the messages of a talk to tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import UsageError
from fourcc.models.jinja.marked import GIVEN, OWN, Marked
from fourcc.models.jinja.renderer import Renderer
from fourcc.models.jinja.wire import Rendered, given_in
from fourcc.models.talk import Message, Talk
from fourcc.models.tokenizers.specials import SpecialNames

if TYPE_CHECKING:
    from fourcc.models.tokenizers import Tokenizer

# Names that templates write into special tokens, such as <|user|>; any other role is a user's word.
ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "ipython", "function", "observation", "model"})
_REASONING = ("reasoning_content", "thinking", "reasoning")  # names of one field, as transformers 5.24 has them
_ANSWER = "Zyzzyva"  # an answer that no template has in its own text
_MERGED = "the chat template takes no system prompt, so it stands before the first message"


@attrs.define(eq=False)
class JinjaTemplate:
    """A chat template that is a Jinja program.

    Attributes:
        name: the name in messages.
        renderer: runs it.
        special: values of the variables that name special tokens: ``bos_token`` and its like.
    """

    name: str
    renderer: Renderer
    special: Mapping[str, str] = attrs.field(factory=dict)
    _names: SpecialNames | None = attrs.field(default=None, init=False, repr=False)

    def prompt(self, tokenizer: Tokenizer, talk: Talk) -> list[int]:
        """All tokens of a talk; see `ChatTemplate`.

        A template that refuses a system prompt, or drops it, gets it before the first message, with a note.

        Raises:
            UsageError: the template refuses the messages, fails, or writes a special token in a way that cannot be
                followed.
        """
        own: list[Message] = [{"role": "system", "content": talk.system}] if talk.system else []
        values = self.values([*own, *talk.messages], talk.tools, talk.options)
        rendered = self.renderer.render(values)
        if talk.system and self._drops_system(talk, rendered):
            merged = self.values(_merged(talk), talk.tools, talk.options)
            again = self.renderer.render(merged)
            if again.refusal is None:
                values, rendered = merged, again
                talk.notes += [] if _MERGED in talk.notes else [_MERGED]
        if rendered.refusal is not None:
            why = f"the chat template refuses this talk: {rendered.refusal:.300}"
            raise UsageError(why, file=self.renderer.file)
        return self.encode(tokenizer, rendered, values)

    def _drops_system(self, talk: Talk, rendered: Rendered) -> bool:
        """Whether a template refuses a talk with a system prompt, or gives the same text without it."""
        if rendered.refusal is not None or talk.system.strip() in rendered.text:
            return rendered.refusal is not None
        return rendered == self.renderer.render(self.values(talk.messages, talk.tools, talk.options))

    def values(
        self,
        messages: Iterable[Message],
        tools: Iterable[Mapping[str, object]] = (),
        options: Mapping[str, object] | None = None,
        *,
        generation: bool = True,
    ) -> dict[str, object]:
        """The variables of the template, as transformers 5.24 gives them.

        Args:
            messages: of all roles.
            tools: descriptions of functions.
            options: further variables.
            generation: whether the result ends where an answer begins.
        """
        return {
            **{name: Marked(text, OWN) for name, text in self.special.items()},
            "tools": list(tools) or None,
            "documents": None,
            **(options or {}),
            "messages": [_normal(message) for message in messages],
            "add_generation_prompt": generation,
        }

    def encode(self, tokenizer: Tokenizer, rendered: Rendered, values: Mapping[str, object]) -> list[int]:
        """The tokens of a result: special ones where the template wrote their names.

        Args:
            tokenizer: the model's.
            rendered: the result.
            values: what the template was given.

        Raises:
            UsageError: the template wrote such a name in a way that cannot be followed; or see `SpecialNames.encode`.
        """
        return self._special_names(tokenizer).encode(rendered.text, _Allowed(self, rendered, values))

    def ends(self, tokenizer: Tokenizer) -> frozenset[int]:
        """The tokenizer's ends, and the token by which the template closes an answer; see `ChatTemplate`."""
        question: Message = {"role": "user", "content": "Hi"}
        talk: list[Message] = [question, {"role": "assistant", "content": _ANSWER}]
        closing = self._closing(tokenizer, talk)
        closing = self._closing(tokenizer, [*talk, question]) if closing is None else closing
        return tokenizer.ends if closing is None else tokenizer.ends | {closing}

    def _closing(self, tokenizer: Tokenizer, talk: list[Message]) -> int | None:
        """The special token right behind the answer; None where there is none, or the template fails on such a talk."""
        try:
            rendered = self.renderer.render(self.values(talk, generation=False))
        except UsageError:
            return None
        names, behind = self._special_names(tokenizer), rendered.text.rfind(_ANSWER) + len(_ANSWER)
        place = next((place for place in names.places(rendered.text) if place[0] >= behind), None)
        if place is None or behind < len(_ANSWER) or rendered.text[behind : place[0]].strip():
            return None
        return names.ids[rendered.text[slice(*place)]]

    def _special_names(self, tokenizer: Tokenizer) -> SpecialNames:
        """The names of the tokenizer that stand for tokens; those of the last tokenizer are kept."""
        if self._names is None or self._names.tokenizer is not tokenizer:
            self._names = SpecialNames.of(tokenizer, self.renderer.template)
        return self._names


@attrs.define(eq=False)
class _Allowed:
    """Whether a name in a result stands for its token: where the template wrote all of it."""

    template: JinjaTemplate
    rendered: Rendered
    values: Mapping[str, object]
    _given: str | None = None

    def __call__(self, start: int, end: int) -> bool:
        origins = set(self.rendered.origin[start:end])
        if origins == {OWN} or GIVEN in origins:
            return origins == {OWN}
        name = self.rendered.text[start:end]
        if self._given is None:
            self._given = given_in(self.values)
        if name in self._given:
            return False
        raise UsageError(
            "the chat template writes a special token in a way that cannot be followed",
            file=self.template.renderer.file,
            found=name,
            hint="--template NAME chooses another.",
        )


def _merged(talk: Talk) -> list[Message]:
    """The messages, with the system prompt in the first one of a user."""
    messages = list(talk.messages)
    for number, message in enumerate(messages):
        if message.get("role") == "user" and isinstance(message.get("content"), str):
            messages[number] = {**message, "content": f"{talk.system}\n\n{message['content']}"}
            break
    return messages


def _normal(message: Message) -> Message:
    """A message as templates expect it: without keys that are None, its reasoning under all its names."""
    kept = {key: value for key, value in message.items() if value is not None}
    reasoning = next((kept[key] for key in _REASONING if key in kept), None)
    if reasoning is not None:
        kept = {"thinking": reasoning, **kept, "reasoning_content": reasoning}
    role = kept.get("role")
    return {**kept, "role": Marked(role, OWN)} if isinstance(role, str) and role in ROLES else kept
