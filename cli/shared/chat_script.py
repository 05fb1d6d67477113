"""Options on the way in which a talk is written for a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs

from fourcc.errors import UsageError

_LONGEST = 1 << 24  # bytes of a file of functions

# Variables of a template that a talk gives -> what a user may do instead.
_OF_THE_TALK = {
    "messages": "-y and -i say them.",
    "add_generation_prompt": "An answer always follows.",
    "tools": "--tools FILE says them.",
}


@attrs.frozen
class ChatScript:
    """Options of a chat.

    Attributes:
        template: the name of a template, or a file.
        tools: a file that describes functions, in JSON.
        options: variables of the template, ``NAME=VALUE`` each.
    """

    template: str | None = None
    tools: Path | None = None
    options: tuple[str, ...] = ()

    def functions(self) -> list[dict[str, Any]]:
        """The functions that the file describes.

        Raises:
            UsageError: it is no JSON list of objects.
            OSError: it cannot be read.
        """
        if self.tools is None:
            return []
        with self.tools.open("rb") as file:
            data = file.read(_LONGEST + 1)
        found = _json(data.decode(errors="replace")) if len(data) <= _LONGEST else None
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            what = "not a list of functions"
            raise UsageError(what, file=self.tools, found=f"{data[:40]!r}", expected="a JSON list of objects")
        return found

    def variables(self) -> dict[str, Any]:
        """Name -> value; a value that is no JSON is text.

        Raises:
            UsageError: an option has no name.
        """
        found = {}
        for option in self.options:
            name, equals, text = option.partition("=")
            if not equals or not name.isidentifier():
                raise UsageError("not a variable of a template", found=repr(option), expected="NAME=VALUE")
            if name in _OF_THE_TALK:
                raise UsageError(f"--set {name}: the talk itself says what {name} is", hint=_OF_THE_TALK[name])
            value = _json(text)
            found[name] = text if value is None and text != "null" else value
        return found


def _json(text: str) -> Any:  # noqa: ANN401 - any value
    """The value of a JSON text; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
