"""The code blocks of a page: what is run, what is written to a file, what must be printed.

| block | what happens |
|---|---|
| ``console`` | each ``$ command`` is run, and prints the lines below it. One that prints nothing must succeed |
| ``sh`` | it is run as one script, which must succeed; the folder where it ends is that of the next block |
| ``python`` | it is run as a script, which must succeed; a ``text`` block right below it holds what it must print |
| ``py``, ``toml`` | written to a file if the first line is a comment with its name; else an excerpt |
| ``bash`` and others | shown only: what wants a network, or minutes |

What a block leaves running in the background goes on until the end of the page.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)", re.MULTILINE)
FILE = re.compile(r"# (\S+\.(?:py|toml))\n")


class Block(NamedTuple):
    """A block.

    Attributes:
        kind: the word behind the opening fence.
        body: the lines between the fences.
        start: where the body begins in the page.
        adjacent: whether only blank lines part it from the block before.
    """

    kind: str
    body: str
    start: int
    adjacent: bool

    @property
    def commands(self) -> list[str]:
        """The commands of a ``console`` block; one may go on behind a backslash."""
        return COMMAND.findall(self.body)

    @property
    def file(self) -> tuple[str, str] | None:
        """Name and text of the file that a ``py`` or ``toml`` block is, if it is one."""
        named = FILE.match(self.body)
        return (named[1], self.body[named.end() :]) if named and self.kind in {"py", "toml"} else None


def blocks(page: str) -> Iterator[Block]:
    """All blocks of a page, in their order."""
    end = 0
    for match in BLOCK.finditer(page):
        yield Block(match[1], match[2], match.start(2), not page[end : match.start()].strip())
        end = match.end()


def setup_commands(page: str) -> list[str]:
    """The set-up commands of the README: those of its first ``bash`` block, which an empty line parts."""
    first = next(block for block in blocks(page) if block.kind == "bash")
    return [f"{command.strip()}\n" for command in first.body.split("\n\n")]
