"""The choice of a chat template: the one that the user names, the model's own, or one of the table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc import installation
from fourcc.errors import UsageError
from fourcc.models.jinja.renderer import Renderer, is_installed
from fourcc.models.jinja.stored import chosen, special_texts, templates_in
from fourcc.models.jinja.template import JinjaTemplate
from fourcc.models.templates import LLAMA2, TEMPLATES, family_of

if TYPE_CHECKING:
    from fourcc.models.talk import ChatTemplate
    from fourcc.models.tokenizers import Tokenizer

_LONGEST = 1 << 20  # bytes of a template's file
_SUFFIX = ".jinja"


@attrs.frozen
class TemplateChoice:
    """Finds the template of a talk.

    Attributes:
        blobs: the model's.
        tokenizer: the model's.
        file: the file that messages name.
        tools: whether the talk has tools, for which a model may have a template of its own.
    """

    blobs: Mapping[str, bytes]
    tokenizer: Tokenizer
    file: object = None
    tools: bool = False

    def named(self, name: str) -> ChatTemplate:
        """The template of a name: one of the model's, one of the table, or a file ``NAME.jinja``.

        Raises:
            UsageError: there is none, or the file cannot be taken.
            OSError: the file cannot be read.
        """
        own = self._own
        if name in own:
            return self._jinja(name, own[name], self.file)
        if name.endswith(_SUFFIX):
            return self._jinja(name, _text_of(Path(name)), name)
        if name not in TEMPLATES:
            expected = ", ".join([*own, *TEMPLATES, f"or FILE{_SUFFIX}"])
            raise UsageError("no such chat template", found=repr(name), expected=expected)
        return TEMPLATES[name]

    def usual(self) -> tuple[ChatTemplate, str]:
        """The template where no one names any, and a note on it.

        Raises:
            UsageError: the model's own is needed and jinja2 is not installed, or none of several is the default.
        """
        own = self._own
        if not own:
            return LLAMA2, f"chat template {LLAMA2.name}: the model brings none; --template NAME chooses"
        name, text = chosen(own, self.file, tools=self.tools)
        if is_installed():
            return self._jinja(name, text, self.file), f"chat template {name}: as the model's own says"
        family = family_of(text, self.file)
        more = f"and may say more, such as a system prompt: `{installation.command('chat')}` runs it"
        why = f"the model's own is of this family, {more}"
        return family, f"chat template {family.name}: {why}"

    @property
    def _own(self) -> dict[str, str]:
        return {name: text for name, text in templates_in(self.blobs, self.file).items() if text}

    def _jinja(self, name: str, text: str, file: object) -> JinjaTemplate:
        return JinjaTemplate(name, Renderer(text, file), special_texts(self.blobs, self.tokenizer, self.file))


def _text_of(path: Path) -> str:
    """The text of a template's file."""
    with path.open("rb") as file:
        data = file.read(_LONGEST + 1)
    if len(data) > _LONGEST:
        raise UsageError("too long for a chat template", file=path, expected=f"at most {_LONGEST} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UsageError("the chat template is not UTF-8", file=path, offset=error.start) from None
