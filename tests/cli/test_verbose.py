"""-v: what is done, on stderr."""

import logging
import re
from pathlib import Path

from tests.cli.making import Runner

LINE = re.compile(r"fourcc: +\d+\.\d{3} s: .+")


def told(err: str) -> list[str]:
    """The lines that were told, without the times at the start of lines."""
    return [line.split(" s: ", 1)[1] for line in err.splitlines() if LINE.fullmatch(line)]


def test_a_conversion_tells_its_files_and_tensors(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """Each tensor with its formats and error; what is read and written."""
    output = tmp_path / "a.bin"
    ended = run("convert", tiny, "-o", output, "--format", "Q8_0,F16", "-v")
    lines = told(ended.err)
    assert lines[0].startswith(f"opened {tiny}: llama2.c v0, 38 tensors")
    assert any(line.startswith("layers.0.attention.wq: encoded, F32 -> Q8_0, SQNR ") for line in lines)
    assert any(line.startswith("norm: kept, F32, ") for line in lines)
    assert sum(": encoded, " in line or ": kept, " in line for line in lines) == 38
    assert any(line.startswith(f"wrote {output.resolve()}: {output.stat().st_size} bytes") for line in lines)
    assert re.fullmatch(r"converting took \d+\.\d{3} s", lines[-1])


def test_a_run_tells_its_kernels(run: Runner, model: Path) -> None:
    """How each format is multiplied, and with how many threads."""
    lines = told(run("run", model, "-n", 3, "-t", 0, "-v", "--threads", 1).err)
    assert any(line.endswith("1 threads") for line in lines)
    assert any(line.startswith("the tokenizer is ") for line in lines)


def test_nothing_is_told_without_it(run: Runner, model: Path, tmp_path: Path) -> None:
    """Nor after a command that told: the listener goes with it. stdout is the same."""
    quiet = run("inspect", model)
    loud = run("verify", model, "--verbose")
    assert told(loud.err)
    assert told(run("verify", model).err) == []
    assert quiet.out == run("inspect", model, "-v").out
    assert logging.getLogger("fourcc").handlers == []
    assert told(run("convert", model, "-o", tmp_path / "b.bin").err) == []


def test_quiet_and_verbose(run: Runner, model: Path, tmp_path: Path) -> None:
    """-q leaves out progress, notes and summary; what -v tells stays."""
    ended = run("convert", model, "-o", tmp_path / "b.bin", "-q", "-v")
    assert ended.out == ""
    assert told(ended.err) == [line.split(" s: ", 1)[1] for line in ended.err.splitlines()]
