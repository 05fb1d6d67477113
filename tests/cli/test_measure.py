"""`fourcc measure`: its table, its JSON, its notes; a killed run is resumed; `inspect` shows the file."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.making import Run, Runner
from tests.conftest import ROOT

FOLDER = ROOT / "fourcc" / "example"
GIVEN = ("measure", FOLDER / "tiny.bin", "--text", FOLDER / "heldout.txt", "-z", FOLDER / "tiny_tokenizer.bin")
FEW = ("--tokens", 60, "--options", "Q4_0,Q8_0")


@pytest.fixture
def measured(run: Runner, tmp_path: Path) -> Run:
    """A run that wrote model.costs."""
    return run(*GIVEN, "-o", tmp_path / "model.costs", *FEW)


def test_the_units_with_the_largest_damage_come_first(measured: Run, tmp_path: Path) -> None:
    assert measured.code == 0, measured.err
    lines = measured.out.splitlines()
    facts = dict(line.split(maxsplit=1) for line in lines[:8])
    assert facts["file"] == f"{tmp_path / 'model.costs'}: costs"
    assert facts["units"] == "25 with 282624 weights"
    assert facts["formats"] == "Q4_0, Q8_0"
    assert facts["calibration"] == facts["feedback"] == "none"
    assert facts["fixed"] == "13 tensors, 273792 bytes (274 kB)"
    assert lines[9].split() == [
        "unit",
        "weights",
        "listed",
        "in",
        "bits/weight",
        "output",
        "error",
        "nats/token",
        "options",
    ]
    assert lines[10].split()[:4] == ["tok_embeddings", "36864", "Q4_0", "4.5"]
    damages = [float(line.split()[-2]) for line in lines[10:22]]
    assert damages == sorted(damages, reverse=True)
    assert lines[22].startswith("13 more units: ")
    assert lines[23].startswith("all units together: ")
    assert lines[24] == "each unit is listed in its measured option nearest to 3.5 bits a weight"
    bare = ", ".join(f"layers.{layer}.feed_forward.w2" for layer in range(3))
    assert measured.err.splitlines() == [
        "fourcc: note: Q4_0 does not fit 4 of 29 units: rows of 176 are not a multiple of 32",
        "fourcc: note: Q8_0 does not fit 4 of 29 units: rows of 176 are not a multiple of 32",
        f"fourcc: note: no option fits 4 of 29 units, which stay as they are stored: {bare} and 1 more",
    ]


def test_inspect_shows_every_unit(measured: Run, run: Runner, tmp_path: Path) -> None:
    assert measured.code == 0
    shown = run("inspect", tmp_path / "model.costs")
    assert shown.code == 0
    assert shown.out.splitlines()[:22] == measured.out.splitlines()[:22]
    assert len(shown.out.splitlines()) == 10 + 25 + 2
    document = run("inspect", tmp_path / "model.costs", "--json").document
    assert document["schema"] == "fourcc.inspect/1"
    assert document["costs"] == json.loads((tmp_path / "model.costs").read_text())


def test_inspect_shows_the_options_of_a_unit(measured: Run, run: Runner, tmp_path: Path) -> None:
    """By bytes; which damage was measured, and which predicted. A name that no unit has is refused."""
    assert measured.code == 0
    path, name = tmp_path / "model.costs", "layers.0.attention.wq"
    shown = run("inspect", path, "--tensor", name)
    (unit,) = (each for each in json.loads(path.read_text())["units"] if each["name"] == name)
    rows = [line.split() for line in shown.out.splitlines()]
    assert rows[0] == ["option", "bytes", "bits/weight", "output", "error", "nats/token", "found", "by"]
    assert rows[1][:3] == ["Q4_0", "5184", "4.5"]
    assert rows[2][:3] == ["Q8_0", "9792", "8.5"]
    found = [(float(row[3]), float(row[4])) for row in rows[1:]]
    assert found == [(float(f"{each['output_error']:.3g}"), float(f"{each['kld']:.3g}")) for each in unit["options"]]
    assert [row[5] for row in rows[1:]] == ["measuring", "prediction"]
    document = run("inspect", path, "--tensor", name, "--json").document
    assert document["costs"]["units"] == [unit]
    refused = run("inspect", path, "--tensor", "layers.0.attention.wx")
    assert refused.code == 2
    assert "no unit has this name: found layers.0.attention.wx. Did you mean 'layers.0.attention.w" in refused.err


def test_inspect_of_a_damaged_file_says_where(measured: Run, run: Runner, tmp_path: Path) -> None:
    assert measured.code == 0
    path = tmp_path / "model.costs"
    path.write_text(path.read_text().replace('"tokens": 60', '"tokens": -60'))
    shown = run("inspect", path)
    assert shown.code == 3
    expected = "expected a whole number from 0 to 2^63 - 1"
    assert shown.err == f"fourcc: error: {path}: costs: bad 'tokens': found -60, {expected}\n"


def test_in_json(run: Runner, tmp_path: Path) -> None:
    ended = run(*GIVEN, "-o", tmp_path / "model.costs", *FEW, "--json", "-q")
    assert ended.err == ""
    assert ended.document["schema"] == "fourcc.measure/1"
    assert ended.document["file"] == str(tmp_path / "model.costs")
    assert ended.document["costs"] == json.loads((tmp_path / "model.costs").read_text())


def test_quiet_is_quiet(run: Runner, tmp_path: Path) -> None:
    ended = run(*GIVEN, "-o", tmp_path / "model.costs", *FEW, "-q", "--group", "q+k+v")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "measure needs an output. Add -o FILE."),
        (("-o", "model.costs", "--options", "Q4_0:group=3"), "Q4_0 has no such setting: found group"),
        (("-o", "model.costs", "--group", "q+x"), "a group has an unknown word: found x"),
        (("-o", "model.costs", "--damping", 0.1), "--damping goes with --feedback"),
        (("-o", "model.costs", "--feedback", "gptq"), "error feedback needs Hessians, and there is none"),
        (("-o", "model.costs", "--context", 100_000), "a window cannot be so long: found 100000, expected at most"),
        (("-o", "model.costs", "--tokens", -1), "bad number of tokens to score: found -1"),
    ],
)
def test_what_cannot_be_is_refused(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[object, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = run(*GIVEN, *more)
    assert ended.code == 2
    assert message in ended.err
    assert not list(tmp_path.iterdir())


def test_an_input_is_no_output(run: Runner, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Once upon a time")
    ended = run(*GIVEN[:3], text, *GIVEN[4:], "-o", text, "--force")
    assert ended.code == 2
    assert "input and output are the same file" in ended.err
    assert text.read_text() == "Once upon a time"


def test_an_output_that_exists_is_kept(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "model.costs"
    path.write_text("mine")
    ended = run(*GIVEN, "-o", path, *FEW)
    assert ended.code == 2
    assert "the output exists" in ended.err
    assert path.read_text() == "mine"
    assert run(*GIVEN, "-o", path, *FEW, "--force").code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize("number", [pytest.param(signal.SIGKILL, marks=pytest.mark.thorough), signal.SIGINT])
def test_a_killed_run_is_resumed(run: Runner, tmp_path: Path, number: int) -> None:
    """It leaves what is done, and the file that comes of it is that of a run that nobody killed."""
    path, journal = tmp_path / "killed.costs", tmp_path / "killed.costs.journal"
    many = (*GIVEN, "--tokens", 600, "--options", "Q4_0,Q8_0", "--direct")  # long enough to be killed in its midst
    command = [sys.executable, "-m", "fourcc", *map(str, (*many, "-o", path))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 2):
        time.sleep(0.002)
    process.send_signal(number)
    code = process.wait()
    assert not path.exists()
    assert code == (-number if number == signal.SIGKILL else 130)
    ended = run(*many, "-o", path, "--resume")
    assert ended.code == 0
    assert re.search(
        r"note: \d+ options were encoded or run before the interruption; \d+ of 25 units are done", ended.err
    )
    assert run(*many, "-o", tmp_path / "whole.costs").code == 0
    assert path.read_bytes() == (tmp_path / "whole.costs").read_bytes()
    assert not journal.exists()
