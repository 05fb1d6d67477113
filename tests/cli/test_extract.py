"""`fourcc extract`."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fourcc
from tests.cli.making import ODD, Runner, write_safetensors


def test_decoded_weights(run: Runner, model: Path, tmp_path: Path) -> None:
    """Weights of the tensor's shape, as numpy reads them."""
    ended = run("extract", model, ODD, "-o", tmp_path / "x.npy")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    with fourcc.open(model) as opened:
        np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), opened[ODD].decode(), strict=True)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(2 * 3 * 5 * 7, dtype=np.float64).reshape(2, 3, 5, 7),
        np.arange(9, dtype=np.int64),
        np.array(3, np.float32),
        np.zeros((0, 4), np.float32),
        np.arange(2100 * 1024, dtype=np.float32).reshape(2100, 1024),
    ],
    ids=["experts", "integers", "scalar", "empty", "several tiles"],
)
def test_every_shape(run: Runner, tmp_path: Path, array: np.ndarray) -> None:  # type: ignore[type-arg]
    """Arrays of every shape are extracted from a checkpoint."""
    source = write_safetensors(tmp_path / "x.safetensors", {"w": array})
    assert run("extract", source, "w", "-o", tmp_path / "x.npy").code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), array, strict=True)


def test_to_stdout(model: Path) -> None:
    """`-o -` writes into a pipe."""
    command = [sys.executable, "-m", "fourcc", "extract", str(model), "norm", "-o", "-"]
    piped = subprocess.run(command, capture_output=True, check=True)
    with fourcc.open(model) as opened:
        np.testing.assert_array_equal(np.load(io.BytesIO(piped.stdout)), opened["norm"].decode())


def test_never_to_a_terminal(run: Runner, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Binary data would upset it."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    ended = run("extract", model, "norm", "-o", "-")
    assert ended.code == 2
    assert "binary data is not written to a terminal. Redirect it, or give -o FILE." in ended.err


def test_a_blob(run: Runner, model: Path, tmp_path: Path) -> None:
    """The policy's text is a blob."""
    assert run("extract", model, "--blob", "policy.toml", "-o", tmp_path / "p.toml").code == 0
    assert (tmp_path / "p.toml").read_text() == fourcc.Policy.shorthand("Q8_0,F16").text


def test_no_such_blob(run: Runner, model: Path, tiny: Path, tmp_path: Path) -> None:
    """Exit code 2, and what there is."""
    ended = run("extract", model, "--blob", "nope", "-o", tmp_path / "x")
    assert ended.code == 2
    assert f"{model}: no blob is named 'nope'. There are: " in ended.err
    assert "policy.toml" in ended.err
    assert "It holds none." in run("extract", tiny, "--blob", "nope", "-o", tmp_path / "x").err
    assert not (tmp_path / "x").exists()


def test_one_of_name_and_blob(run: Runner, model: Path, tmp_path: Path) -> None:
    """Neither of them, or both, is an error."""
    for arguments in ((), ("norm", "--blob", "policy.toml")):
        ended = run("extract", model, *arguments, "-o", tmp_path / "x")
        assert ended.code == 2
        assert "extract takes either a tensor's NAME or --blob NAME" in ended.err


def test_guards_of_the_output(run: Runner, model: Path, tmp_path: Path) -> None:
    """No overwrite without --force; never the source."""
    output = tmp_path / "x.npy"
    output.write_bytes(b"precious")
    assert run("extract", model, "norm", "-o", output).code == 2
    assert output.read_bytes() == b"precious"
    assert run("extract", model, "norm", "-o", output, "--force").code == 0
    ended = run("extract", model, "norm", "-o", model, "--force")
    assert ended.code == 2
    assert "input and output are the same file" in ended.err


def test_a_missing_format(run: Runner, unknown: Path, tmp_path: Path) -> None:
    """The exit code is 5, the message says what to install, and there is no output."""
    ended = run("extract", unknown, ODD, "-o", tmp_path / "x.npy")
    assert ended.code == 5
    assert "no installed package provides the format Nope. It was made with far-away 1.2" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_no_such_tensor(run: Runner, model: Path, tmp_path: Path) -> None:
    """The exit code is 2."""
    assert run("extract", model, "norms", "-o", tmp_path / "x").err.endswith("Did you mean 'norm'?\n")
