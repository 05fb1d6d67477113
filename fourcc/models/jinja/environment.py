"""The environment that chat templates are written for: jinja2's immutable sandbox, as transformers sets it up.

Facts from transformers 5.24 (``utils/chat_template_utils.py``): blocks are trimmed (``trim_blocks``,
``lstrip_blocks``); ``break`` and ``continue`` are tags, and so is ``generation``, which only marks answers; ``tojson``
is `json.dumps` and escapes nothing for HTML; ``raise_exception``, ``strftime_now`` and ``dict`` are there; a namespace
keeps no name that begins with an underscore. Versions of jinja2 before 3.1.6 have known ways out of the sandbox.

Only a process of its own imports this module: see `fourcc.models.jinja.child`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.parser import Parser


class RefusedError(TemplateError):
    """The template itself refuses a conversation, by ``raise_exception``."""


class Generation(Extension):
    """The tag ``generation``: its body is written as it is."""

    tags = {"generation"}  # noqa: RUF012 - as jinja2 declares it

    def parse(self, parser: Parser) -> nodes.Node:
        """The body between the tags, in a scope of its own, as a call block has it."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller: Callable[[], str]) -> str:
        return caller()


class TemplateDict:
    """The global ``dict``, without the attributes of a class."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:  # noqa: ANN401 - as `dict` takes them
        """A dict."""
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:  # noqa: ANN401 - likewise
        """See `dict`."""
        return dict.fromkeys(*args)


class TemplateNamespace(Namespace):
    """The global ``namespace``; names that begin with an underscore are refused."""

    def __init__(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - so that a name may be "self"
        self, *values = args
        made = dict(*values, **kwargs)
        for name in made:
            _check_name(name)
        Namespace.__init__(self, made)

    def __setitem__(self, name: str, value: Any) -> None:  # noqa: ANN401 - whatever a template keeps
        _check_name(name)
        super().__setitem__(name, value)


def _check_name(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace keeps no name that begins with an underscore: {name!r:.60}")


def raise_exception(message: object) -> None:
    """The global of that name."""
    raise RefusedError(str(message))


def tojson(
    value: object,
    ensure_ascii: bool = False,  # noqa: FBT001, FBT002 - templates give it by place, too
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,  # noqa: FBT001, FBT002 - likewise
) -> str:
    """The filter of that name."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class ChatEnvironment(ImmutableSandboxedEnvironment):
    """Runs chat templates on plain texts.

    Attributes:
        now: the time that ``strftime_now`` tells.
    """

    now: datetime

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - jinja2's
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols], **options)
        self.filters["tojson"] = tojson
        self.globals.update(
            raise_exception=raise_exception,
            strftime_now=self._time,
            dict=TemplateDict(),
            namespace=TemplateNamespace,
        )

    def _time(self, form: str) -> str:
        return self.now.strftime(str(form))

    def rendered(self, template: Template, values: Mapping[str, Any], now: datetime) -> str:
        """The text that a template of this environment gives for values.

        Raises:
            RefusedError: the template refuses the values.
            Exception: the template fails, in any way that Python knows.
        """
        self.now = now
        return template.render(values)
