"""The tool that runs pages: what it does with each kind of block, and that a page which lies is seen."""

import json
import os
import time
from contextlib import closing
from pathlib import Path
from threading import Event, Timer
from urllib.request import urlopen

import pytest

from tests.pages import elsewhere
from tests.pages import replay as replay_module
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


def running(process: int) -> bool:
    """Whether a process runs; one that has ended, and that nobody has asked for, does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def assert_ends(process: int) -> None:
    """Waits until a process has ended."""
    end = time.monotonic() + 5
    while running(process):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_background_goes_on_until_the_end_of_the_page(tmp_path: Path) -> None:
    """A block does not wait for what it leaves running; later blocks find it; closing ends it."""
    (tmp_path / "environment").mkdir()
    page = fenced(sh="sleep 300 &\necho $! > pid\n", console="$ kill -0 $(cat pid) && echo alive\n")
    with closing(Replay(tmp_path, {**os.environ, "VIRTUAL_ENV": str(tmp_path / "environment")})) as replay:
        assert rewritten(page, list(replay.bodies(page))).count("alive") == 2
        process = int((tmp_path / "pid").read_text())
        assert running(process)
    assert_ends(process)


@pytest.mark.parametrize(("patience", "interrupt"), [(300, True), (0.3, False)])
def test_a_command_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: float, interrupt: bool
) -> None:
    """After Ctrl-C, or when it took too long."""
    interrupted = Event()
    if interrupt:
        Timer(0.3, interrupted.set).start()
    monkeypatch.setattr(replay_module, "INTERRUPTED", interrupted)
    monkeypatch.setattr(replay_module, "PATIENCE", patience)
    with pytest.raises(RuntimeError, match=rf"(?s)sleep.*interrupted, or not ended after {patience} seconds"):
        list(Replay(tmp_path, dict(os.environ)).bodies("```console\n$ echo $$ > pid; sleep 300\n```\n"))
    if (tmp_path / "pid").exists():  # unless the shell took longer to start
        assert_ends(int((tmp_path / "pid").read_text()))


def test_commands_get_another_port_than_the_page_names(tmp_path: Path) -> None:
    """The page keeps its own, in what is printed, too."""
    page = "```console\n$ echo serve --port 8786 > f; echo at :8786\nat :8786\n```\n"
    replay = Replay(tmp_path, dict(os.environ), elsewhere.other_port("12345"))
    assert rewritten(page, list(replay.bodies(page))) == page
    assert (tmp_path / "f").read_text() == "serve --port 12345\n"


def test_a_page_that_names_a_model_of_the_hub_gets_a_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others do not."""
    pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "config.json").write_text("{}")
    monkeypatch.setattr(elsewhere, "sharded", lambda model, folder: folder)
    with elsewhere.elsewhere("fourcc inspect hf://org/model", tmp_path, tmp_path) as outside:
        with urlopen(f"{outside.env['HF_ENDPOINT']}/api/models/org/model") as answer:  # noqa: S310 - our own
            assert [file["rfilename"] for file in json.load(answer)["siblings"]] == ["config.json"]
        assert outside.env["HF_HOME"].startswith(str(tmp_path))
    with elsewhere.elsewhere("fourcc inspect my-model", tmp_path, tmp_path) as outside:
        assert outside == elsewhere.Elsewhere()


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("hf://org/model", r"the page wants huggingface_hub: pip install -e '\.\[hub\]'"),
        ("tcp://127.0.0.1:8786", r"the page wants distributed: pip install -e '\.\[cluster\]'"),
    ],
)
def test_missing_packages_are_named(page: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=said):
        elsewhere.check_installed(page)
