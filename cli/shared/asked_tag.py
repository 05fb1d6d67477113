"""The tag that a user names, with advice for words of other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourcc.errors import MissingFormatError, UsageError

if TYPE_CHECKING:
    from fourcc.tags import FourCC


def asked_tag(text: str) -> FourCC:
    """The tag that a text spells.

    Raises:
        UsageError: it spells none.
        MissingFormatError: no installed format has it, and it is a word for others.
    """
    from fourcc.plugins.registry import registry
    from fourcc.policy.asked_words import tag_hint
    from fourcc.tags import as_tag

    try:
        tag = as_tag(text)
    except ValueError as error:
        advice = tag_hint(text, registry) or "`fourcc formats` lists them"
        raise UsageError(str(error), hint=f"{advice[:1].upper()}{advice[1:]}.") from error
    if tag not in registry and (hint := tag_hint(text, registry)) is not None:
        what = f"no installed package provides the format {tag}"
        raise MissingFormatError(what, hint=f"{hint[:1].upper()}{hint[1:]}.")
    return tag
