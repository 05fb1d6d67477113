"""The environment of chat templates once more, on marked texts: the result knows who wrote each of its characters.

Every text of a template's own is `OWN`: what stands between its tags, and constants in them. jinja2 compiles a
template to Python code, in which texts are joined in a few ways only. Sums, ``~``, output, ``join``, ``indent`` and
``format`` keep origins; filters that take texts apart in other ways give unknown ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import BuiltinMethodType, MethodType
from typing import TYPE_CHECKING, Any, Self

from jinja2 import nodes
from jinja2.filters import do_indent, do_title, make_attrgetter
from jinja2.sandbox import SandboxedFormatter
from jinja2.utils import pass_environment
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from fourcc.models.jinja.environment import ChatEnvironment, tojson
from fourcc.models.jinja.marked import OWN, Marked, blend, join, plain

if TYPE_CHECKING:
    from jinja2 import Environment


class OwnTexts(NodeTransformer):
    """Puts marked texts in place of a template's constants, and a sum that keeps marks in place of ``~``.

    Args:
        environment: gets the texts, as attributes that the compiled template reads.
    """

    def __init__(self, environment: MarkingEnvironment) -> None:
        self._environment = environment
        self._names: dict[str, str] = {}

    def visit_Const(self, node: nodes.Const) -> nodes.Node:  # noqa: N802 - jinja2 finds it by this name
        """A constant in a tag."""
        return self._own(node.value, node) if isinstance(node.value, str) else node

    def visit_TemplateData(self, node: nodes.TemplateData) -> nodes.Node:  # noqa: N802 - likewise
        """The text between tags."""
        return self._own(node.data, node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - likewise
        """A sum by ``~``."""
        self.generic_visit(node)
        joined = nodes.EnvironmentAttribute("joined", lineno=node.lineno)
        return nodes.Call(joined, node.nodes, [], None, None, lineno=node.lineno)

    def _own(self, text: str, node: nodes.Node) -> nodes.Node:
        name = self._names.setdefault(text, f"own_text_{len(self._names)}")
        setattr(self._environment, name, Marked(text, OWN))
        return nodes.EnvironmentAttribute(name, lineno=node.lineno)


class MarkingFormatter(SandboxedFormatter):
    """`str.format` in the sandbox, with origins: text between fields is as the whole pattern, where that is of one."""

    def marked(self, pattern: str, args: Sequence[Any], kwargs: Any) -> Marked | None:  # noqa: ANN401 - a map
        """The pattern with its fields filled; None where a field's width is a field itself."""
        number, parts = 0, []
        for text, name, spec, conversion in self.parse(plain(pattern)):
            parts.append(blend(text, pattern))
            if name is None:
                continue
            if "{" in (spec or ""):
                return None
            automatic = name[:1] in ("", ".", "[")
            field = f"{number}{name}" if automatic else name
            number += automatic
            value = self.convert_field(self.get_field(field, args, kwargs)[0], conversion)
            parts.append(self._filled(value, spec or ""))
        return join("", parts)

    def _filled(self, value: object, spec: str) -> Marked:
        """A field."""
        return in_text(value) if not spec else blend(format(value, spec), value)


class Safe(Markup):
    """The result of the filter ``safe``: a sum with it escapes the other text for HTML, and marks go on.

    Args:
        text: the text.
    """

    __slots__ = ("_marked",)
    _marked: Marked

    def __new__(cls, text: Any) -> Self:  # noqa: ANN401 - what the filter is given
        """The text, as the class says."""
        made = super().__new__(cls, text)
        made._marked = text if isinstance(text, Marked) else blend(plain(made), text)
        return made

    def __str__(self) -> str:
        return self._marked

    def __add__(self, other: Any) -> Any:  # noqa: ANN401 - any value
        return Safe(join("", [self._marked, _escaped(other)])) if isinstance(other, str) else super().__add__(other)

    def __radd__(self, other: Any) -> Any:  # noqa: ANN401 - any value
        return Safe(join("", [_escaped(other), self._marked])) if isinstance(other, str) else super().__radd__(other)


class MarkingEnvironment(ChatEnvironment):
    """Runs one chat template on marked texts."""

    def __init__(self) -> None:
        super().__init__(finalize=_final)
        self.filters.update(tojson=_tojson, join=_join, indent=_indent, title=_title, safe=Safe, string=_string)

    def concat(self, parts: Iterable[str]) -> Marked:
        """The texts of an output, a macro or a block in a row."""
        return join("", list(parts))

    def joined(self, *parts: object) -> Marked:
        """The sum by ``~``."""
        return join("", [in_text(part) for part in parts])

    def _time(self, form: str) -> str:
        return Marked(super()._time(form), OWN)

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401 - jinja2's
        marked = OwnTexts(self).visit(source)
        return super()._generate(marked.set_environment(self), *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:  # noqa: ANN401 - any attribute
        """A method ``format`` or ``format_map`` of a marked text; see jinja2."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None or not isinstance(value, (MethodType, BuiltinMethodType)):
            return wrapped
        pattern: Any = value.__self__
        return wrapped if hasattr(pattern, "__html__") else self._formatting(pattern, wrapped)

    def _formatting(self, pattern: str, wrapped: Callable[..., str]) -> Callable[..., str]:
        def formatted(*args: Any, **kwargs: Any) -> str:  # noqa: ANN401 - the fields'
            expected = wrapped(*args, **kwargs)
            whole_map = wrapped.__name__ == "format_map"
            fields = ((), args[0]) if whole_map else (args, kwargs)
            found = MarkingFormatter(self).marked(pattern, *fields)
            return found if found == expected else blend(plain(expected), pattern, list(args), kwargs)

        return formatted


def in_text(value: object) -> Marked:
    """A value as a template writes it: numbers are the template's own, lists and maps of the origin of their texts."""
    if isinstance(value, str):
        text = str(value)
        return text if isinstance(text, Marked) else Marked(text)
    if value is None or type(value) in (bool, int, float):
        return Marked(str(value), OWN)
    return blend(str(value), value)


def _final(value: object) -> object:
    """A value as output writes it; undefined ones stay, so that nothing is written."""
    return in_text(value) if value is None or isinstance(value, (str, bool, int, float, list, tuple, dict)) else value


def _escaped(text: str) -> Marked:
    """A text as Markup's sums take it."""
    if hasattr(text, "__html__"):
        return in_text(text)
    done = plain(escape(plain(text)))
    return text if done == text and isinstance(text, Marked) else blend(done, text)


def _tojson(value: object, *args: Any, **kwargs: Any) -> Marked:  # noqa: ANN401 - those of `tojson`
    return blend(tojson(value, *args, **kwargs), value)


def _string(value: object) -> str:
    return value if isinstance(value, str) else in_text(value)


def _title(value: Any) -> Marked:  # noqa: ANN401 - whatever a template has
    return blend(do_title(value), value)


@pass_environment
def _join(environment: Environment, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> Marked:
    """The filter ``join``; names of arguments are jinja2's."""
    if attribute is not None:
        value = map(make_attrgetter(environment, attribute), value)
    return join(str(d), [in_text(each) for each in value])


def _indent(
    s: str,
    width: int | str = 4,
    first: bool = False,  # noqa: FBT001, FBT002 - as jinja2 has them
    blank: bool = False,  # noqa: FBT001, FBT002 - likewise
) -> str:
    """The filter ``indent``; names of arguments are jinja2's."""
    expected = do_indent(s, width, first, blank)
    if not isinstance(s, Marked):
        return expected
    space, end = Marked(width if isinstance(width, str) else " " * width, OWN), Marked("\n", OWN)
    lines = [*(s + end).splitlines()]
    kept = [line if at == 0 or not (line or blank) else space + line for at, line in enumerate(lines)]
    return join(end, [space + kept[0], *kept[1:]] if first else kept)
