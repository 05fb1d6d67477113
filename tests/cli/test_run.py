"""`fourcc run`: llama2.c's flags and rules, seen from outside."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.making import Runner

# llama2.c's own test (test_all.py): greedy, 200 steps of stories260K
REFERENCE = "beeb5cb46785efee81a8545300b31e396b595e5ce6f3b77db201545501981d14"
GREEDY = ("-t", "0")


@pytest.fixture
def data() -> Path:
    """The folder of real models."""
    folder = os.environ.get("FOURCC_DATA")
    if not folder:
        pytest.skip("FOURCC_DATA does not lead to the real models")
    return Path(folder)


def test_greedy_text_is_llama2c_s(run: Runner, data: Path) -> None:
    """Byte for byte, on a checkpoint that is converted on the way."""
    ended = run("run", data / "stories260K.bin", "-z", data / "tok512.bin", *GREEDY, "-n", 200)
    assert ended.code == 0
    text = ended.out.encode().removesuffix(b"\n")
    assert (len(text), hashlib.sha256(text).hexdigest()) == (464, REFERENCE)


def test_a_gguf_runs_with_its_own_tokenizer(run: Runner, data: Path) -> None:
    """The same model from another file begins in the same words."""
    ended = run("run", data / "stories260K.gguf", *GREEDY, "-n", 100)
    assert ended.code == 0, ended.err
    assert ended.out.strip().startswith("Once upon a time, there was a little girl named Lily. She loved to play")


def test_text_goes_to_stdout_and_speed_to_stderr(run: Runner, model: Path) -> None:
    """The prompt is part of the text."""
    ended = run("run", model, "-i", "Once upon a time", *GREEDY, "-n", 40)
    assert ended.code == 0
    assert ended.out.startswith("Once upon a time, there was a")
    assert ended.out.endswith("\n")
    assert "prompt: " in ended.err
    assert "achieved tok/s: " in ended.err
    assert run("run", model, *GREEDY, "-n", 20, "-q").err == ""


def test_one_seed_gives_one_text(run: Runner, model: Path) -> None:
    """And another seed another one."""
    first, again, other = (run("run", model, "-s", seed, "-n", 60).out for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_the_text_does_not_depend_on_threads(run: Runner, model: Path) -> None:
    """Nor on whether it is asked for in one go."""
    texts = {run("run", model, *GREEDY, "-n", 80, "--threads", threads).out for threads in (1, 2, 3)}
    assert len(texts) == 1


def test_the_prompt_may_come_from_standard_input(model: Path) -> None:
    """As a program in a pipe has it."""
    command = [sys.executable, "-m", "fourcc", "run", str(model), "-i", "-", *GREEDY, "-n", "30", "-q"]
    ended = subprocess.run(command, input="One day\n", capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("One day")


def test_a_policy_quantizes_on_the_way(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """And nothing of it is left behind."""
    tokenizer = tiny.with_name("tiny_tokenizer.bin")
    ended = run("run", tiny, "-z", tokenizer, "--format", "Q8_A", *GREEDY, "-n", 30)
    assert ended.code == 0
    assert ended.out.startswith("Once") or ended.out.strip()
    both = run("run", tiny, "-z", tokenizer, "--format", "Q8_A", "--policy", tmp_path / "x.toml")
    assert both.code == 2
    assert "--policy and --format exclude each other" in both.err


def test_what_cannot_be_run_says_why(run: Runner, tiny: Path, model: Path, tmp_path: Path) -> None:
    """No tokenizer, a prompt that is too long, a file that is none."""
    ended = run("run", tiny, "-n", 5)
    assert ended.code == 3
    assert "the model has no tokenizer" in ended.err
    ended = run("run", model, "-i", "Once upon a time there was", "-n", 2)
    assert ended.code == 2
    assert "the prompt is too long: found" in ended.err
    (tmp_path / "x.bin").write_bytes(b"%PDF-1.7 nothing")
    assert run("run", tmp_path / "x.bin").code == 3


def test_a_closed_pipe_ends_it(model: Path) -> None:
    """As `head` closes one."""
    command = f'"{sys.executable}" -m fourcc run "{model}" -s 1 -n 200 | head -c 10'
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert len(ended.stdout) == 10
    assert "Traceback" not in ended.stderr
