"""`fourcc report`, and `fourcc inspect --web`."""

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.cli.making import ODD, Runner


def test_a_page_is_written(run: Runner, model: Path, tiny: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    ended = run("report", model, tiny, "-o", page)
    assert ended.code == 0
    assert ended.out.startswith(f"{page}: 38 tensors, ")
    assert "compared with <b>tiny.bin</b>" in page.read_text(encoding="utf-8")


def test_quick_reads_no_weight(run: Runner, model: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert run("report", model, "-o", page, "--quick", "-q").out == ""
    assert "No weight was read." in page.read_text(encoding="utf-8")


def test_json(run: Runner, unknown: Path, tmp_path: Path) -> None:
    ended = run("report", unknown, "-o", tmp_path / "r.html", "--quick", "--json")
    document = ended.document
    assert (document["schema"], document["tensors"], document["compared"]) == ("fourcc.report/1", 38, None)
    assert document["troubles"][0].startswith(f"{ODD}: no installed package provides the format Nope")
    assert document["troubles"][0] in ended.err


def test_an_output_is_not_replaced_unless_forced(run: Runner, model: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("mine")
    ended = run("report", model, "-o", page, "--quick")
    assert (ended.code, page.read_text()) == (2, "mine")
    assert "the output exists. --force replaces it." in ended.err
    assert run("report", model, "-o", page, "--quick", "--force").code == 0


def test_no_file_that_is_read_is_written(run: Runner, model: Path, tiny: Path) -> None:
    for path in (model, tiny):
        ended = run("report", model, tiny, "-o", path, "--force")
        assert ended.code == 2
        assert "input and output are the same file" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["MODEL"], 2, "Missing option"),
        (["MODEL", "-o", "OUT", "--sample", "-1"], 2, "bad value of --sample: found -1"),
        (["MODEL", "-o", "OUT", "--sample", "3", "--quick"], 2, "--quick and --sample exclude each other"),
        (["nowhere.bin", "-o", "OUT"], 4, "nowhere.bin: No such file or directory"),
        (["MODEL", "nowhere.bin", "-o", "OUT"], 4, "nowhere.bin: No such file or directory"),
        (["MODEL", "-o", "OUT", "--costs", "MODEL"], 3, "this is no file of costs"),
        (["MODEL", "-o", "OUT", "--calibration", "MODEL"], 3, "calibration"),
        (["MODEL", "-o", "OUT/x/y.html"], 4, "the folder does not exist"),
    ],
)
def test_errors(run: Runner, model: Path, tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    given = [each.replace("MODEL", str(model)).replace("OUT", str(tmp_path / "r.html")) for each in arguments]
    ended = run("report", *given)
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--web", "--json"], "--web excludes --tensor and --json"),
        (["--web", "--tensor", "norm"], "--web excludes --tensor and --json"),
        (["--port", "80"], "--port and --open go with --web"),
        (["--open"], "--port and --open go with --web"),
        (["--web", "--port", "70000"], "bad value of --port"),
    ],
)
def test_options_that_do_not_go_together(run: Runner, model: Path, options: list[str], message: str) -> None:
    ended = run("inspect", model, *options)
    assert ended.code == 2
    assert message in (ended.out if "--json" in options else ended.err)


def test_a_file_that_is_no_model_is_not_served(run: Runner, tmp_path: Path) -> None:
    costs = tmp_path / "model.costs"
    costs.write_text('{"schema": "fourcc.costs/1"}')
    ended = run("inspect", costs, "--web")
    assert ended.code == 2
    assert "--web shows models" in ended.err


def test_web_serves_the_page_until_it_is_interrupted(model: Path) -> None:
    command = [sys.executable, "-m", "fourcc", "inspect", str(model), "--web"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        address = started.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - the address is checked above
            assert "<h1>model.bin</h1>" in answer.read().decode()
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=20)
    assert (started.returncode, out, err) == (0, "", "fourcc: Ctrl-C ends\n")
