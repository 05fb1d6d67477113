"""The tool that runs pages: what it does with each kind of block, and that a page which lies is seen."""

import os
from pathlib import Path

import pytest

from tests.pages.blocks import blocks, setup_commands
from tests.pages.replay import Replay, rewritten


def replayed(page: str, folder: Path) -> str:
    """The page as it should be."""
    (folder / "environment").mkdir()
    replay = Replay(folder, {**os.environ, "VIRTUAL_ENV": str(folder / "environment")})
    return rewritten(page, list(replay.bodies(page)))


def fenced(**bodies: str) -> str:
    """A page of blocks, each by its kind."""
    return "\n".join(f"```{kind}\n{body}```\n" for kind, body in bodies.items())


PAGES = {
    "commands": (
        fenced(console="$ echo one\n$ echo two \\\n  three\nfour\n"),
        fenced(console="$ echo one\none\n$ echo two \\\n  three\ntwo three\n"),
    ),
    "a failure that shows": (
        fenced(console="$ echo shown; false\n"),
        fenced(console="$ echo shown; false\nshown\n"),
    ),
    "the folder of the next block": (
        fenced(sh="mkdir inner; cd inner\n", console="$ basename $PWD\n"),
        fenced(sh="mkdir inner; cd inner\n", console="$ basename $PWD\ninner\n"),
    ),
    "a script": (
        fenced(python="print(1)\n", text="2\n"),
        fenced(python="print(1)\n", text="1\n"),
    ),
    "a file": (
        fenced(toml="# a.toml\nx = 1\n", console="$ cat a.toml\n"),
        fenced(toml="# a.toml\nx = 1\n", console="$ cat a.toml\nx = 1\n"),
    ),
}


@pytest.mark.parametrize(("shown", "real"), PAGES.values(), ids=PAGES)
def test_what_is_printed_is_written(tmp_path: Path, shown: str, real: str) -> None:
    assert replayed(shown, tmp_path) == real
    (tmp_path / "again").mkdir()
    assert replayed(real, tmp_path / "again") == real


@pytest.mark.parametrize(
    "page",
    [
        "```bash\nfalse\n```\n",
        "```text\nanything\n```\n",
        "```python\npass\n```\nwords between\n\n```text\nanything\n```\n",
        "```py\nan excerpt\n```\n",
    ],
)
def test_what_is_shown_only_stays(tmp_path: Path, page: str) -> None:
    assert replayed(page, tmp_path) == page


@pytest.mark.parametrize(
    "page",
    ["```console\n$ false\n```\n", "```sh\nfalse\ntrue\n```\n", "```python\nraise ValueError\n```\n"],
)
def test_failures_are_seen(tmp_path: Path, page: str) -> None:
    """A command that prints nothing, a script, and a script of Python."""
    with pytest.raises(RuntimeError):
        replayed(page, tmp_path)


def test_equal_blocks_are_told_apart(tmp_path: Path) -> None:
    """The second of two equal commands prints something else."""
    block = "```console\n$ echo x >> f; cat f\n```\n"
    assert [len(each.body.splitlines()) for each in blocks(replayed(block * 2, tmp_path))] == [2, 3]


def test_set_up_commands_are_parted_by_an_empty_line() -> None:
    assert setup_commands("```bash\none &&\ntwo\n\nthree\n```\n```bash\nfour\n```\n") == ["one &&\ntwo\n", "three\n"]
