"""`fourcc plugin`: a package is written, a format is examined, its bytes are pinned."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fourcc.testing import CHECKS
from tests.cli.making import Runner

Plugin = Callable[[str, str, str], dict[str, str]]

FILES = {
    "pyproject.toml",
    "README.md",
    ".gitignore",
    "mixed.toml",
    "fourcc_tern/__init__.py",
    "fourcc_tern/tern.py",
    "fourcc_tern/py.typed",
    "fourcc_tern/vectors/tern.json",
    "tests/test_tern.py",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the working directory."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_package_is_written(run: Runner, here: Path) -> None:
    """Its files are listed on stdout, what to do next on stderr."""
    ended = run("plugin", "new", "fourcc-tern", "--tag", "Tern")
    assert ended.code == 0
    assert set(ended.out.splitlines()) == {f"fourcc-tern/{name}" for name in FILES}
    assert ended.err == "fourcc: next: pip install -e fourcc-tern && fourcc plugin test Tern\n"
    written = {str(path.relative_to(here / "fourcc-tern")) for path in here.rglob("*") if path.is_file()}
    assert written == FILES
    assert 'Tern = "fourcc_tern.tern:TERN"' in (here / "fourcc-tern" / "pyproject.toml").read_text()
    for path in (here / "fourcc-tern").rglob("*.*"):
        assert "$" not in path.read_text() if path.is_file() else True, path


def test_what_is_written_works(process: Runner, run: Runner, here: Path, tiny: Path) -> None:
    """Installed, its format passes checks, and a model in it is converted, listed, verified, and known without it.

    The guide does it all, with pip, in `tests/specs`: a thorough test.
    """
    assert run("plugin", "new", "fourcc-tern", "--tag", "Tern").code == 0
    info = here / "fourcc-tern" / "fourcc_tern-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fourcc-tern\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[fourcc.formats.1]\nTern = fourcc_tern.tern:TERN\n")
    env = {"PYTHONPATH": str(here / "fourcc-tern")}
    checks = ("declaration", "stored bytes", "zeros", "within the bound")
    assert set(checks) <= {check.name for check in CHECKS}
    ended = process("plugin", "test", "Tern", *(part for name in checks for part in ("--check", name)), env=env)
    assert ended.code == 0, ended.out
    assert ended.out.splitlines()[-1] == f"Tern: {len(checks) + 1} checks: {len(checks) + 1} passed"
    model = here / "model.bin"
    assert process("convert", tiny, "-o", model, "--format", "Tern,F16", "-q", env=env).code == 0
    assert "Tern" in process("inspect", model, env=env).out
    assert process("verify", model, env=env).code == 0
    ended = process("inspect", model, "--tensor", "layers.0.attention.wq")  # without the plugin
    assert "fourcc-tern" in ended.out + ended.err


def test_json_and_another_folder(run: Runner, here: Path) -> None:
    """The schema; names are taken over as they are."""
    document = run("plugin", "new", "Ab.c_d", "--tag", "if", "-o", here / "x" / "y", "--json").document
    assert document["schema"] == "fourcc.plugin-new/1"
    assert (document["name"], document["tag"], document["folder"]) == ("Ab.c_d", "if", str(here / "x" / "y"))
    assert str(here / "x" / "y" / "ab_c_d" / "if_.py") in document["files"]  # `if` is no module
    code = (here / "x" / "y" / "ab_c_d" / "if_.py").read_text()
    compile(code, "if_.py", "exec")
    assert 'tag="if"' in code


@pytest.mark.parametrize("tag", ["Tern", "q3_x", "a", "if", "Zz9_"])
def test_what_is_written_is_clean(run: Runner, here: Path, tag: str) -> None:
    """ruff's own rules hold, however long the tag is."""
    assert run("plugin", "new", "fourcc-tern", "--tag", tag).code == 0
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", here / "fourcc-tern"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "tag", "says"),
    [
        ("../x", "Tern", "'../x' is no name for a distribution"),
        ("x" * 90, "Tern", "is no name for a distribution"),
        ("", "Tern", "'' is no name for a distribution"),
        ("-x", "Tern", "No such option"),
        ("4bit", "Tern", "'4bit' is no identifier. Call it fourcc-4bit."),
        ("import", "Tern", "'import' is no identifier. Call it fourcc-import."),
        ("json", "Tern", "a module 'json' exists already. Call the package fourcc-json."),
        ("fourcc", "Tern", "a module 'fourcc' exists already"),
        ("numpy", "Tern", "a module 'numpy' is installed already"),
        (
            "fourcc-x",
            "TERN",
            "the tag TERN has no lower-case letter: such tags are fourcc's own. Give it a lower-case letter: Tern.",
        ),
        ("fourcc-x", "Q8_0", "Give it a lower-case letter: q8_0."),
        ("fourcc-x", "toolong", "'toolong' is not a tag: one to four of A-Z a-z 0-9 _"),
        ("fourcc-x", "a b", "is not a tag"),
    ],
)
def test_names_that_may_not_be(run: Runner, here: Path, name: str, tag: str, says: str) -> None:
    """Exit code 2, and nothing is written."""
    ended = run("plugin", "new", name, "--tag", tag)
    assert ended.code == 2
    assert says in ended.err
    assert not list(here.iterdir())


def test_a_tag_that_is_taken(process: Runner, plugin: Plugin, here: Path) -> None:
    """A tag of another distribution is refused; one's own may be written again."""
    env = plugin("fourcc-mine", "Mine", "FORMAT = None")
    ended = process("plugin", "new", "fourcc-other", "--tag", "Mine", env=env)
    assert ended.code == 2
    assert "the tag Mine is taken by fourcc-mine. `fourcc formats` lists those that are." in ended.err
    ended = process("plugin", "new", "fourcc-mine", "--tag", "Mine", env=env)
    assert "a module 'fourcc_mine' is installed already" in ended.err
    assert not list(here.iterdir())


def test_nothing_is_overwritten(run: Runner, here: Path) -> None:
    """Only --force replaces files, and other files stay."""
    folder = here / "fourcc-tern"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    (folder / "README.md").write_text("mine")
    ended = run("plugin", "new", "fourcc-tern", "--tag", "Tern")
    assert ended.code == 2
    assert (
        "fourcc-tern: the folder is not empty. --force writes into it, and replaces files of the same names."
        in ended.err
    )
    assert (folder / "README.md").read_text() == "mine"
    assert run("plugin", "new", "fourcc-tern", "--tag", "Tern", "--force").code == 0
    assert (folder / "README.md").read_text() != "mine"
    assert (folder / "mine.txt").read_text() == "mine"
    (here / "file").write_text("")
    ended = run("plugin", "new", "fourcc-tern", "--tag", "Tern", "-o", here / "file")
    assert ended.code == 4
    assert "the output exists and is no folder" in ended.err


@pytest.fixture(scope="module")
def good(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which the formats of `tests.testing.broken_formats` are installed."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "zoo-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo\nVersion: 2.0\n")
    names = {"Good": "GOOD", "Par1": "PART", "Exi1": "EXIT", "Wron": "LAST", "Gone": "GONE"}
    lines = [f"{tag} = tests.testing.broken_formats:{name}" for tag, name in names.items()]
    (info / "entry_points.txt").write_text("\n".join(["[fourcc.formats.1]", *lines, "BIG1 = nowhere:X", ""]))
    return {"PYTHONPATH": f"{folder}:{root}"}


def test_some_checks_of_a_format(process: Runner, good: dict[str, str]) -> None:
    """A line for each, and a summary."""
    asked = ("zeros", "idempotence", "calibration", "stored bytes")
    options = [part for name in asked for part in ("--check", name)]
    ended = process("plugin", "test", "Good", "--vectors", "missing.json", *options, env=good)
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert lines[0] == "Good of zoo 2.0 (tests.testing.broken_formats:GOOD)"
    assert [line.split("  ")[0] for line in lines[3 : 4 + len(asked)]] == ["loads", *asked]
    assert lines[-1] == "Good: 5 checks: 2 passed, 1 noted, 1 skipped, 1 failed"
    assert "what to do    `fourcc plugin pin Good -o vectors/good.json`" in ended.out
    assert "Traceback" not in ended.err


def test_measures_come_first_while_checks_fail(process: Runner, good: dict[str, str]) -> None:
    """A quick examination of a format that cannot be encoded: its bits, the nearest formats, one failure."""
    ended = process("plugin", "test", "Par1", "--quick", env=good)
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert lines[2].startswith("tag   bits/weight  SQNR dB, normal")
    assert lines[3].split() == ["Par1", "9", *["-"] * 8]
    assert [line.split()[0] for line in lines[4:6]] == ["Q8_0", "Q8_B"]
    assert any(line.startswith("Par1: not measured: encode of the format Par1") for line in lines)
    assert any(line.startswith("not made, since declared size failed: decoding, empty, ") for line in lines)
    assert lines[-1].endswith("1 failed")
    assert "breach        `encode` gives no part 'scales'" in ended.out
    slow = [check.name for check in CHECKS if check.slow]
    assert not [line for line in lines if line.split("  ")[0] in slow]


def test_the_checks_are_listed(run: Runner) -> None:
    """Each with its promise, and no format is asked for."""
    ended = run("plugin", "test", "--list")
    assert ended.code == 0
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert lines[0] == "check of promise"
    assert lines[1:] == [f"{check.name} {check.theme} {check.promise}" for check in CHECKS]
    document = run("plugin", "test", "--list", "--quick", "--json").document
    assert document["schema"] == "fourcc.plugin-checks/1"
    assert [each["check"] for each in document["checks"]] == [check.name for check in CHECKS if not check.slow]
    ended = run("plugin", "test")
    assert ended.code == 2
    assert "a tag is missing. `fourcc formats` lists those that are installed." in ended.err


@pytest.mark.thorough
def test_a_format_is_examined(process: Runner, good: dict[str, str]) -> None:
    """Measures, a line for each check, what is noted, and a summary."""
    ended = process("plugin", "test", "Good", "--vectors", "missing.json", env=good)
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert lines[0] == "Good of zoo 2.0 (tests.testing.broken_formats:GOOD)"
    first = next(index for index, line in enumerate(lines) if line.startswith("loads "))
    told = [line.split("  ")[0] for line in lines[first : first + 1 + len(CHECKS)]]
    assert told == ["loads", *(check.name for check in CHECKS)]
    assert lines[-1].startswith(f"Good: {len(CHECKS) + 1} checks: ")
    assert lines[-1].endswith(", 1 failed")
    assert "Traceback" not in ended.err


def test_a_report_as_json(process: Runner, good: dict[str, str]) -> None:
    """A run of some checks prints one object of the schema."""
    ended = process("plugin", "test", "Par1", "--check", "declared size", "--check", "n*bits", "--json", env=good)
    document = ended.document
    assert ended.code == 1
    assert document["schema"] == "fourcc.plugin-test/1"
    assert (document["tag"], document["provider"], document["passed"]) == ("Par1", "zoo 2.0", False)
    assert [each["check"] for each in document["checks"]] == ["loads", "nominal bits", "declared size"]
    assert [each["status"] for each in document["checks"]] == ["passed", "passed", "failed"]
    finding = document["checks"][2]["findings"][0]
    assert set(finding) == {"what", "tried", "found", "expected", "cause", "advice", "note"}
    assert document["measures"] == []


@pytest.mark.thorough
def test_measures(process: Runner, good: dict[str, str], tmp_path: Path) -> None:
    """They stand beside those of the built-in formats of about as many bits."""
    path = tmp_path / "good.json"
    assert process("plugin", "pin", "Good", "-o", path, env=good).code == 0
    ended = process("plugin", "test", "Good", "--vectors", path, "--json", "-q", env=good)
    assert (ended.code, ended.err) == (0, "")
    first, *others = ended.document["measures"]
    assert (first["tag"], first["bits_per_weight"], first["trouble"]) == ("Good", 9, "")
    assert first["sqnr_gauss"] > 40
    assert min(first["encode"], first["decode"], first["multiply"]) > 0
    assert [each["tag"] for each in others][:2] == ["Q8_0", "Q8_B"]


def test_a_crash_is_reported(process: Runner, good: dict[str, str]) -> None:
    """The command goes on, and says where it was."""
    ended = process("plugin", "test", "Exi1", "--check", "decoding", "--check", "declaration", env=good)
    assert ended.code == 1
    assert "Exi1: 3 checks: 2 passed, 1 failed" in ended.out
    assert "it ended with exit code 7" in ended.out


@pytest.mark.parametrize(
    ("tag", "says"),
    [
        ("Wron", ["its tag is Las1, its entry point is named Wron", "Make both the same"]),
        ("Gone", ["has no attribute 'GONE'", "Correct it, and install again"]),
        ("BIG1", ["BIG1 is reserved", "Give the tag a lower-case letter"]),
    ],
)
def test_what_cannot_be_loaded(process: Runner, good: dict[str, str], tag: str, says: list[str]) -> None:
    """The report is of that alone, and points at it."""
    ended = process("plugin", "test", tag, env=good)
    assert ended.code == 1
    assert f"{tag}: 1 checks: 1 failed" in ended.out
    for text in says:
        assert text in " ".join(ended.out.split())


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise SystemExit(3)", "the module ends the process when it is imported"),
        ("import os; os.abort()", "it was killed by SIGABRT"),
        ("import os; os._exit(0)", "it ended with exit code 0"),
        ("import nothing_of_the_kind", "a dependency is missing, or the entry point names no module"),
        ("FORMAT = 3", "expected a fourcc.Format"),
        ("FORMAT = (", "the module is no Python"),
        ("while True: pass", "it did not end within 3 seconds; in <module>, "),
        ("import ctypes; ctypes.string_at(8, 1)", "it was killed by SIGSEGV; in "),
    ],
)
def test_a_module_that_cannot_be_imported(process: Runner, plugin: Plugin, code: str, says: str) -> None:
    """This holds even if the import ends its process."""
    ended = process("plugin", "test", "Odd1", "--limit", "3", env=plugin("fourcc-odd", "Odd1", code))
    assert ended.code == 1, ended.err
    assert says in " ".join(ended.out.split())
    assert "Odd1: 1 checks: 1 failed" in ended.out


def test_an_import_that_prints_or_takes_long(process: Runner, plugin: Plugin) -> None:
    """Both are noted, and stdout stays clean."""
    code = (
        "import os, time\n"
        "print('hello')\n"
        "os.write(1, b'there')\n"
        "time.sleep(1.1)\n"
        "from tests.testing.good_formats import GOOD\n"
        "import attrs\n"
        "FORMAT = attrs.evolve(GOOD, tag='Odd1')\n"
    )
    env = plugin("fourcc-odd", "Odd1", code)
    env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], str(Path(__file__).resolve().parents[2])])
    ended = process("plugin", "test", "Odd1", "--check", "declaration", "--json", env=env)
    loads = ended.out[ended.out.index("{") :]
    first, second = json.loads(loads)["checks"][0]["findings"]
    assert (first["what"], first["note"]) == ("the module prints when it is imported", True)
    assert first["found"] in {"'hello\\nthere'", "'therehello\\n'"}
    assert second["what"].startswith("importing the module takes 1.")
    assert ended.code == 0


def test_a_format_of_another_seam(process: Runner, tmp_path: Path) -> None:
    """A package that declares the tag in the group of another version: the report says what to upgrade."""
    info = tmp_path / "old-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: old\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[fourcc.formats.0]\nOldy = nowhere:OLD\n")
    ended = process("plugin", "test", "Oldy", env={"PYTHONPATH": str(tmp_path)})
    assert ended.code == 1
    told = " ".join(ended.out.split())
    assert "likely cause the format was written for another version of fourcc's seam" in told
    assert "old 1.0: made for version 0 of the seam, this fourcc has 1; upgrade old" in told


def test_usage(process: Runner, run: Runner, good: dict[str, str]) -> None:
    """Wrong arguments: exit code 2, or 5 for a format that is missing."""
    ended = run("plugin", "test", "Nope")
    assert ended.code == 5
    assert "no installed package provides the format Nope" in ended.err
    assert "no check is named 'x'. There are: declaration, " in run("plugin", "test", "Q8_0", "--check", "x").err
    ended = process("plugin", "test", "Good", "--param", "group=33", env=good)
    assert ended.code == 2
    assert "Good: found 33, expected one of 32, 64. `fourcc formats Good` lists its settings." in ended.err
    assert "no setting named 'size'" in process("plugin", "test", "Good", "--param", "size=3", env=good).err
    assert "--param takes NAME=VALUE" in run("plugin", "test", "Q8_0", "--param", "group").err
    assert run("plugin").code == 2


def test_pinned_bytes(process: Runner, good: dict[str, str], tmp_path: Path) -> None:
    """A file of the schema, which is not replaced unless asked; a format without an encoder has none."""
    path = tmp_path / "good.json"
    assert process("plugin", "pin", "Good", "-o", path, "--param", "group=64", env=good).code == 0
    stored = json.loads(path.read_text())
    assert (stored["schema"], stored["tag"]) == ("fourcc-vectors-1", "Good")
    assert stored["cases"][0]["params"] == {"group": 64}
    ended = process("plugin", "pin", "Good", "-o", path, env=good)
    assert ended.code == 2
    assert "the output exists. --force replaces it." in ended.err
    ended = process("plugin", "pin", "I8", "-o", tmp_path / "i8.json", env=good)
    assert ended.code == 2
    assert "the format I8 has no encoder" in ended.err


@pytest.mark.thorough
def test_broken_formats_break_no_command_that_does_not_need_them(
    process: Runner, good: dict[str, str], tiny: Path, tmp_path: Path
) -> None:
    """A model in other formats is converted, listed, checked and compared as ever."""
    model = tmp_path / "model.bin"
    assert process("convert", tiny, "-o", model, "--format", "Q8_0,F16", "-q", env=good).code == 0
    for command in (
        ["inspect", model],
        ["inspect", model, "--tensor", "layers.0.attention.wq"],
        ["verify", model],
        ["diff", model, model],
        ["extract", model, "norm", "-o", tmp_path / "norm.npy"],
        ["formats", "Good"],
        ["convert", model, "-o", tmp_path / "good.bin", "--format", "Good"],
    ):
        ended = process(*command, env=good)
        assert (ended.code, ended.err) == (0, "") or command[0] == "convert", command
        assert ended.code == 0, ended.err
    listed = process("formats", "--broken", env=good)
    assert listed.code == 0
    assert {line.split()[0] for line in listed.out.splitlines() if line.strip()} >= {"Wron", "Gone", "BIG1"}


def test_pinned_bytes_as_json(run: Runner, tmp_path: Path) -> None:
    """The object says what was written, and a new package is written without a word on request."""
    found = run("plugin", "pin", "Q8_0", "-o", tmp_path / "a.json", "--json").document
    assert (found["tag"], found["file_bytes"]) == ("Q8_0", (tmp_path / "a.json").stat().st_size)
    ended = run("plugin", "new", "fourcc-tern", "--tag", "Tern", "-o", tmp_path / "tern", "-q")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
