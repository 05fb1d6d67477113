"""HTML and SVG as text: elements, with everything that comes from a file made harmless."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from fourcc.errors import shown

LONGEST = 400  # characters of a text that is shown; longer ones are cut, and say so
WHOLE = 1 << 20  # characters of an attribute, such as a path: callers cut names themselves
_PLAIN = re.compile(r"[\w .,:;/()#%+*=-]*", re.ASCII)
_ZEROS = re.compile(r"(\.\d*?)0+(?=$|e)")


def text(value: object, longest: int = LONGEST) -> str:
    r"""Any value as the text of an element or an attribute: escaped, short, and without characters that act.

    Control characters and marks that change the direction of writing are shown as escapes.

    >>> text("<b>"), text("a\u202eb"), text("x" * 9, 4)
    ('&lt;b&gt;', 'a\\u202eb', 'xxxx... (9 characters)')
    """
    if isinstance(value, str) and len(value) <= longest and _PLAIN.fullmatch(value):
        return value
    return html.escape(shown(value, longest))


def lines(value: str, longest: int = LONGEST) -> str:
    """A text of several lines, each as `text` gives it: for a ``<pre>``."""
    return "\n".join(text(line, longest) for line in value.splitlines())


def element(name: str, /, *content: str, **attributes: object) -> str:
    """An element: its content is markup, its attributes are values.

    Args:
        name: of the element.
        content: markup, one piece after the other; none: an empty element, as SVG closes it.
        attributes: an underscore stands for a hyphen, one at the end is left out; None leaves the attribute out.

    >>> element("td", text("1 < 2"), class_="a", data_sort=1.5, hidden=None)
    '<td class="a" data-sort="1.5">1 &lt; 2</td>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value, WHOLE)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{''.join(content)}</{name}>" if content else f"<{name}{written}/>"


def joined(pieces: Iterable[str]) -> str:
    """Pieces of markup, each in a line of its own."""
    return "\n".join(pieces)


def number(value: float, digits: int = 4) -> str:
    """A number in few significant digits.

    >>> number(4.5), number(0.000123456), number(12345678), number(-0.0)
    ('4.5', '0.0001235', '12,345,678', '0')
    """
    if value == int(value) if abs(value) < 1e15 else False:
        return f"{int(value):,}"
    return _ZEROS.sub(lambda found: found[1].rstrip("."), f"{value:.{digits}g}")


def size(count: float) -> str:
    """A number of bytes, in the decimal unit that gives two to four digits.

    >>> size(377), size(1420700), size(28e9)
    ('377 B', '1.42 MB', '28 GB')
    """
    unit = next((unit for unit in ("B", "kB", "MB", "GB") if count < 999.5 * 1000 ** "BkMG".index(unit[0])), "TB")
    scaled = count / 1000 ** "BkMGT".index(unit[0])
    return f"{scaled:.0f} B" if unit == "B" else f"{scaled:.3g} {unit}"
