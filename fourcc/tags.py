"""Tags: the four-byte names of formats."""

from __future__ import annotations

import re

import attrs

_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,3}")


@attrs.frozen(order=True, repr=False)
class FourCC:
    """A format's tag: four ASCII bytes ``[A-Za-z0-9_]``, the first a letter, padded with spaces, compared as bytes.

    >>> as_tag("F32"), as_tag("F32").code
    (FourCC('F32'), b'F32 ')

    Attributes:
        code: the four bytes, as in a file.
    """

    code: bytes = attrs.field()

    @code.validator
    def _check(self, _: object, code: bytes) -> None:
        text = code.decode("ascii", "replace")
        if len(code) != 4 or not _TAG.fullmatch(text.rstrip(" ")):
            raise ValueError(f"{text.rstrip(' ')!r} is not a tag: one to four of A-Z a-z 0-9 _, the first a letter")

    @property
    def reserved(self) -> bool:
        """Whether the tag is reserved for fourcc: it has no lower-case letter (``specs/REGISTRY.toml``)."""
        return self.code == self.code.upper()

    def __str__(self) -> str:
        return self.code.decode("ascii").rstrip(" ")

    def __repr__(self) -> str:
        return f"FourCC({str(self)!r})"


def as_tag(value: str | bytes | FourCC) -> FourCC:
    """The tag that a text spells, padded or not.

    Raises:
        ValueError: the text spells no tag.
    """
    if isinstance(value, FourCC):
        return value
    if not isinstance(value, (str, bytes)):
        raise ValueError(f"a tag is a text of four characters, found {value!r}")  # noqa: TRY004 - as any that spells none
    code = value.encode("ascii", "replace") if isinstance(value, str) else value
    return FourCC(code.ljust(4))
