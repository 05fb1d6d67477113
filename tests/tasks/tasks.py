"""The README's ten tasks: what its table says to type."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"
ROW = re.compile(r"^\| ([a-z][^|`]*) \| (`.*`) \|$", re.MULTILINE)


def tasks() -> dict[str, list[str]]:
    """The wish of a reader -> the commands."""
    page = README.read_text(encoding="utf-8")
    section = page.partition("\n## Ten tasks\n")[2].partition("\n## ")[0]
    return {want: re.findall(r"`([^`]+)`", commands) for want, commands in ROW.findall(section)}
