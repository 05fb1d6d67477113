"""Every command that reads a model takes one in shards, by folder, list and shard; a set with a fault is refused."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fourcc
from tests.cli.every_command import LEAVES, options
from tests.cli.making import Runner
from tests.container import shard_faults
from tests.container.shard_faults import FAULTS, LIST, shard

NAMES = {"SRC", "FILE", "A", "B", "SRC2", "MODEL...", "SHARDS"}  # of arguments that are models

# How each command is called on MODEL, so that it is quick; OUT is what it writes.
CALLS = {
    "quantize": ["MODEL", "-o", "OUT.gguf", "--format", "Q4_0,Q8_0,F32"],
    "convert": ["MODEL", "-o", "OUT.bin", "--format", "Q4_0,F16"],
    "export": ["MODEL", "-o", "OUT.gguf"],
    "split": ["MODEL", "-o", "OUT", "--shard-size", "100kB"],
    "join": ["MODEL", "-o", "OUT.bin"],
    "inspect": ["MODEL"],
    "report": ["MODEL", "-o", "OUT.html"],
    "stats": ["MODEL"],
    "diff": ["MODEL", "WHOLE"],
    "verify": ["MODEL"],
    "extract": ["MODEL", "layers.2.attention.wq", "-o", "OUT.npy"],
    "run": ["MODEL", "-i", "One day", "-n", "12", "-t", "0"],
    "eval": ["MODEL", "--text", "TEXT", "--tokens", "30", "--exact"],
    "calibrate": ["MODEL", "--text", "TEXT", "--documents", "-o", "OUT.calib"],
    "measure": ["MODEL", "--text", "TEXT", "--documents", "--options", "Q8_0", "-o", "OUT.costs"],
    "allocate": ["MODEL", "--costs", "COSTS", "--budget", "11bpw", "-o", "OUT.toml"],
    "shootout": ["MODEL", "--no-speed", "--options", "Q4_0"],
    "policy check": ["POLICY", "MODEL"],
    "policy show": ["MODEL"],
}
QUICK = {"inspect", "verify", "diff", "extract", "join", "policy show"}
LEFT_OUT = re.compile(r"^(file|shards|source) .*\n|^.*(tok/s|\d s, ).*\n", re.MULTILINE)  # lengths and times


def said(text: str, command: str) -> list[str]:
    """The words that a run printed, without paths, times, and the length of what was read."""
    words = re.sub(r"/\S+", "PATH", LEFT_OUT.sub("", text))
    if command in {"allocate", "convert", "report"}:  # a file says what it was made from, and is as much longer
        words = re.sub(r"[0-9a-f]{64}|\d{6}", "", words)
    return words.split()


@pytest.fixture(scope="module")
def sets(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model in three shards, in `a`; another one in `b`."""
    folder = tmp_path_factory.mktemp("sets")
    shutil.copy(model, folder / "whole.bin")
    shard_faults.made(folder / "whole.bin", folder / "a", folder / "b")
    return folder


@pytest.fixture(scope="module")
def places(sets: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files that commands want beside the model."""
    folder = tmp_path_factory.mktemp("places")
    (folder / "text.txt").write_text((root / "fourcc" / "example" / "heldout.txt").read_text()[:1200])
    (folder / "policy.toml").write_text('version = 1\n[[rule]]\nmatch = "*"\ntag = "F16"\n')
    return {"TEXT": folder / "text.txt", "POLICY": folder / "policy.toml", "WHOLE": sets / "whole.bin"}


@pytest.fixture(scope="module")
def costs(sets: Path, places: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The costs of the model."""
    path = tmp_path_factory.mktemp("costs") / "m.costs"
    fourcc.measure(sets / "whole.bin", places["TEXT"], path, options="Q8_0,F16", documents=True)  # type: ignore[call-arg]
    return path


def test_every_command_that_takes_a_model_is_tried() -> None:
    """One that is new says here how it is called."""
    takes = {
        " ".join(words)
        for words, command in LEAVES.items()
        if any(each.param_type_name == "argument" and each.metavar in NAMES for each in command.params)
    }
    assert takes == set(CALLS)


def called(run: Runner, command: str, model: Path, places: dict[str, Path], out: Path) -> tuple[Any, dict[str, bytes]]:
    """A run of a command, and the files that it wrote."""
    out.mkdir()
    words = [word.replace("OUT", str(out / "x")) for word in CALLS[command]]
    ended = run(*command.split(), *[{**places, "MODEL": model}.get(word, word) for word in words])
    return ended, {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.parametrize(
    "command", [each if each in QUICK else pytest.param(each, marks=pytest.mark.thorough) for each in CALLS]
)
def test_each_way_gives_what_the_whole_file_gives(
    run: Runner, sets: Path, places: dict[str, Path], tmp_path: Path, request: pytest.FixtureRequest, command: str
) -> None:
    """Folder, list and each shard: the same code, the same words but for paths, the same files."""
    if command == "allocate":
        places = {**places, "COSTS": request.getfixturevalue("costs")}
    whole, files = called(run, command, sets / "whole.bin", places, tmp_path / "whole")
    for number, way in enumerate([sets / "a", sets / "a" / LIST, shard(sets / "a", 1), shard(sets / "a", 3)]):
        ended, made = called(run, command, way, places, tmp_path / f"{number}")
        if command == "join":
            assert (ended.code, made["x.bin"]) == (0, (sets / "whole.bin").read_bytes())
            continue
        assert ended.code == whole.code == 0, ended.err
        if command != "verify":
            assert said(ended.out, command) == said(whole.out, command)
        assert list(made) == list(files)
        if command == "convert":  # it tells which files the model came from
            assert not fourcc.diff(tmp_path / f"{number}" / "x.bin", tmp_path / "whole" / "x.bin").tensors[0].changes
        elif command not in {"report", "calibrate", "measure"}:
            assert made == files


def test_words_of_inspect_and_verify(run: Runner, sets: Path) -> None:
    """How many shards there are, their names; bytes of all."""
    a = sets / "a"
    nbytes = sum(shard(a, number).stat().st_size for number in (1, 2, 3))
    first, second, *_ = run("inspect", a / LIST).out.splitlines()
    assert first.split(maxsplit=1) == ["file", f"{a / LIST}: model.bin 1.0, {nbytes} bytes ({nbytes / 1000:.0f} kB)"]
    assert second.split(maxsplit=1) == ["shards", "3: m-00001-of-00003.bin to m-00003-of-00003.bin"]
    listed = run("inspect", a, "--json").document["shards"]
    assert [each["file"] for each in listed] == [shard(a, number).name for number in (1, 2, 3)]
    assert listed[0]["begin"] == 64
    assert run("inspect", sets / "whole.bin", "--json").document["shards"] is None
    assert run("verify", a).out.strip() == f"{a}: 3 shards, {nbytes} bytes ({nbytes / 1000:.0f} kB), no damage"


@pytest.mark.parametrize(
    "name",
    [
        each if each in {"missing", "twice", "a cut list"} else pytest.param(each, marks=pytest.mark.thorough)
        for each in FAULTS
    ],
)
def test_every_fault_ends_reading(run: Runner, sets: Path, tmp_path: Path, name: str) -> None:
    """Exit code 3 of `inspect`, 1 of `verify`, whatever is wrong."""
    folder = Path(shutil.copytree(sets / "a", tmp_path / "set"))
    FAULTS[name].make(folder, sets / "b")
    given = folder / LIST if (folder / LIST).exists() else shard(folder, 2)
    ended = run("inspect", given)
    assert (ended.code, ended.out) == (3, "")
    assert re.search(FAULTS[name].says, ended.err), ended.err
    assert run("verify", given, "-q").code == 1


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["missing", "twice", "of another run", "cut", "another hyper", "a stale list"])
@pytest.mark.parametrize("command", CALLS)
def test_every_command_refuses_every_fault(
    run: Runner, sets: Path, places: dict[str, Path], tmp_path: Path, costs: Path, name: str, command: str
) -> None:
    """Nothing is written; 1 of `verify`, else 3."""
    folder = Path(shutil.copytree(sets / "a", tmp_path / "set"))
    FAULTS[name].make(folder, sets / "b")
    for number, given in enumerate([folder, folder / LIST]):
        ended, made = called(run, command, given, {**places, "COSTS": costs}, tmp_path / f"{number}")
        assert (ended.code, made) == (1 if command == "verify" else 3, {}), ended.err
        if command != "verify":
            assert ended.out == ""


def test_convert_to_shards(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """The list is what was written; the old name of the option is heard, and not shown."""
    ended = run("convert", tiny, "-o", tmp_path / "m.bin", "--format", "F16", "--shard-size", "200kB", "--json")
    told = ended.document
    assert told["output"] == str(tmp_path / "m.index.json")
    assert told["shards"] == [path.name for path in sorted(tmp_path.glob("*.bin"))]
    assert told["file_bytes"] == sum(path.stat().st_size for path in tmp_path.glob("*.bin"))
    again = run("convert", tiny, "-o", tmp_path / "n.bin", "--format", "F16", "--max-shard-size=200kB")
    assert "shards" in again.out
    assert len(list(tmp_path.glob("n-*.bin"))) == len(told["shards"])
    for words, command in LEAVES.items():
        assert "--max-shard-size" not in options(command)
        assert "--max-shard-size" not in run(*words, "--help").out


@pytest.mark.parametrize("command", ["convert", "export", "quantize"])
def test_a_dry_run_refuses_a_size_too(run: Runner, tiny: Path, tmp_path: Path, command: str) -> None:
    """As the work does, though it cuts nothing."""
    assert {words for words, leaf in LEAVES.items() if {"--dry-run", "--shard-size"} <= options(leaf)} == {
        ("convert",),
        ("export",),
        ("quantize",),
    }
    name = "m.bin" if command == "convert" else "m.gguf"
    asked = [command, str(tiny), "-o", str(tmp_path / name), "--format", "Q8_0,F16", "--dry-run"]
    result = run(*asked, "--shard-size", "5G")
    assert (result.code, "no size of a file is spelled so: found '5G'" in result.err) == (2, True)


def test_split_and_join(run: Runner, model: Path, tmp_path: Path) -> None:
    """Their summaries, with the id that stays."""
    ended = run("split", model, "-o", tmp_path / "m", "--shard-size", "150kB")
    assert ended.code == 0
    rows = dict(line.split(maxsplit=1) for line in ended.out.splitlines())
    with fourcc.ModelFile(model) as opened:
        assert rows["id"] == opened.digest.hex()
    assert (rows["output"], rows["shards"]) == (str(tmp_path / "m.index.json"), "4")
    ended = run("join", tmp_path, "-o", tmp_path / "joined" / "m.bin")
    assert (ended.code, "the folder does not exist" in ended.err) == (4, True)
    told = run("join", tmp_path, "-o", tmp_path / "m.bin", "--json").document
    assert (told["id"], told["files"], told["file_bytes"]) == (rows["id"], ["m.bin"], model.stat().st_size)
    assert (tmp_path / "m.bin").read_bytes() == model.read_bytes()


@pytest.mark.parametrize("command", ["join", "split"])
def test_files_of_other_kinds(run: Runner, tiny: Path, tmp_path: Path, command: str) -> None:
    """They are refused, and `export` is named."""
    run("export", tiny, "-o", tmp_path / "x.gguf", "--format", "F16", "-q")
    size = ["--shard-size", "1GB"] if command == "split" else []
    ended = run(command, tmp_path / "x.gguf", "-o", tmp_path / "y", *size)
    option = " --shard-size BYTES" if command == "split" else ""
    hint = f"`fourcc export x.gguf -o y.gguf{option}` does that with files of other kinds."
    assert (ended.code, ended.err) == (
        3,
        f"fourcc: error: {tmp_path / 'x.gguf'}: {command} takes a model.bin, whole or in shards. {hint}\n",
    )
    assert run(command, tmp_path / "none", "-o", tmp_path / "y", *size).code == 4


def test_listing_a_set_loads_no_numpy(sets: Path) -> None:
    """By the folder, which reads the list, too."""
    code = (
        "import sys; from fourcc.cli.app import main; main(sys.argv[1:]); print({'numpy', 'numba'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, "inspect", sets / "a"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "set()"


CUT = """
import os, sys
from fourcc.cli.shared.cut_files import watched
from fourcc.container.reader import ModelFile
with ModelFile(sys.argv[1]) as model, watched(model, as_json=False):
    name = model.members[2].index.tensors[-1].name
    array = next(iter(model[name].parts.values()))
    os.truncate(model.files[2], 64)
    print(array.tobytes())
"""


def test_a_shard_that_is_cut_while_it_is_read(sets: Path, tmp_path: Path) -> None:
    """The process ends with the error's exit code, and names the shard."""
    folder = Path(shutil.copytree(sets / "a", tmp_path / "set"))
    ended = subprocess.run([sys.executable, "-c", CUT, folder / LIST], capture_output=True, text=True, check=False)
    says = f"{shard(folder, 3)}: the file was cut while it was read. Fetch or convert it again."
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "", f"fourcc: error: {says}\n")
