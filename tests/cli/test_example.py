"""`fourcc example`: the shipped model, copied and converted."""

import json
import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import fourcc
from fourcc.cli.app import main
from fourcc.cli.example import EXPORTED, commands
from fourcc.container.reader import ModelFile
from fourcc.errors import OutputError
from fourcc.example import FILES, FOLDER, HF, HF_FILES
from tests.cli.making import Runner

ALL = {*FILES, "model.bin"}
HF_ALL = [*HF_FILES, *(f"{HF}/{name}" for name in EXPORTED)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the command made; not to be changed."""
    folder = tmp_path_factory.mktemp("made") / "not there" / "example"
    assert main(["example", str(folder), "-q"]) == 0
    return folder


def test_the_files_are_copied_and_converted(made: Path) -> None:
    """The copies are the shipped bytes; model.bin is what the policy makes of them, tokenizer included."""
    assert {path.name for path in made.iterdir()} == {*ALL, HF}
    for name in (*FILES, *HF_FILES):
        assert (made / name).read_bytes() == (FOLDER / name).read_bytes()
    with fourcc.open(made / "model.bin") as model:
        assert len({tensor.tag for tensor in model.values()}) > 2
    with ModelFile(made / "model.bin") as file:
        assert file.blob("policy.toml") == (FOLDER / "mixed.toml").read_bytes()
        assert file.blob("tokenizer.bin") == (FOLDER / "tiny_tokenizer.bin").read_bytes()


def test_the_folder_is_the_same_model(run: Runner, made: Path) -> None:
    """It brings its own tokenizer, and writes the same text."""
    assert {f"{HF}/{path.name}" for path in (made / HF).iterdir()} == set(HF_ALL)
    asked = ("-t", "0", "-n", "40", "-i", "Once upon a time", "-q")
    checkpoint = (made / "tiny.bin", "-z", made / "tiny_tokenizer.bin")
    assert run("run", made / HF, *asked).out == run("run", *checkpoint, *asked).out != ""


def test_the_default_folder_and_what_is_said(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what it made, and three commands, whose files are there."""
    monkeypatch.chdir(tmp_path)
    ended = run("example")
    assert ended.code == 0
    assert "converted        tiny.bin by mixed.toml: model.bin" in ended.out
    listed = ended.out.partition("try next:\n")[2].replace("\\\n", "")
    words = [shlex.split(line) for line in listed.splitlines()]
    assert [line[:2] for line in words] == [["fourcc", "run"], ["fourcc", "inspect"], ["fourcc", "quantize"]]
    assert all(Path(word).exists() for line in words for word in line if "/" in word and "best" not in word)
    assert max(map(len, ended.out.splitlines())) <= 80


def test_the_commands_are_ones_that_there_are(run: Runner, made: Path) -> None:
    """The quick one is run as it is printed; options of the others are on their help pages. A release runs all."""
    assert run(*shlex.split(commands(made)[1])[1:]).code == 0
    for command in commands(made):
        _, name, *arguments = shlex.split(command)
        page = run(name, "--help").out
        assert all(word in page for word in arguments if word.startswith("-"))


def test_as_json(run: Runner, tmp_path: Path) -> None:
    """The document names what was made; paths with blanks are quoted in the commands."""
    document = json.loads(run("example", tmp_path / "a b", "--json").out)
    assert document["schema"] == "fourcc.example/1"
    assert [each["name"] for each in document["copied"]] == [*FILES, *HF_FILES]
    assert all((tmp_path / "a b" / each["name"]).stat().st_size == each["bytes"] for each in document["copied"])
    assert Path(document["model"]).stat().st_size == document["file_bytes"]
    assert shlex.split(document["next"][1]) == ["fourcc", "inspect", document["model"]]


@pytest.mark.parametrize("name", [*sorted(ALL), *HF_ALL])
def test_nothing_is_overwritten(run: Runner, tmp_path: Path, name: str) -> None:
    """One file that exists stops it before anything is written; --force replaces the files of the example only."""
    for own in (name, "own.txt"):
        (tmp_path / own).parent.mkdir(exist_ok=True)
        (tmp_path / own).write_text("mine")
    ended = run("example", tmp_path)
    assert (ended.code, ended.err) == (
        2,
        f"fourcc: error: {tmp_path / name}: the output exists. --force replaces it.\n",
    )
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {tmp_path / name, tmp_path / "own.txt"}
    assert run("example", tmp_path, "--force", "-q").code == 0
    assert {path.name for path in tmp_path.iterdir()} == {*ALL, HF, "own.txt"}
    assert (tmp_path / "own.txt").read_text() == "mine"
    assert (tmp_path / name).read_bytes() != b"mine"


def test_a_file_in_the_way(run: Runner, tmp_path: Path) -> None:
    """The folder cannot be a file."""
    (tmp_path / "file").write_text("")
    ended = run("example", tmp_path / "file")
    assert ended.code == 4
    assert "file: the output exists and is no folder. Give another name." in ended.err
    assert run("example", tmp_path / "file" / "below").code == 4


def test_never_onto_itself(run: Runner) -> None:
    """The shipped files are not written over themselves."""
    ended = run("example", FOLDER, "--force")
    assert ended.code == 2
    assert "input and output are the same file" in ended.err
    assert not (FOLDER / "model.bin").exists()


def test_in_a_checkout_that_was_never_installed(root: Path, tmp_path: Path) -> None:
    """`python -m fourcc` finds its formats without the metadata of an installation."""
    site = tmp_path / "site"
    site.mkdir()
    for kind in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(kind).iterdir():
            if "fourcc" not in entry.name:
                (site / entry.name).symlink_to(entry)
    ended = subprocess.run(
        [sys.executable, "-S", "-m", "fourcc", "example", str(tmp_path / "made"), "--json"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "made" / "model.bin").stat().st_size == json.loads(ended.stdout)["file_bytes"]


def test_a_folder_is_whole_or_not_there(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A try that fails leaves nothing in the way of the next one; a folder that was there stays."""

    def fails(*_: object, **__: object) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr("fourcc.convert", fails)
    assert run("example", tmp_path / "new").code == 4
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    assert run("example", tmp_path / "old").code == 4
    assert (tmp_path / "old").exists()
