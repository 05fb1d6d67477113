"""Error feedback at the command line: its options, and what `inspect` says of it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import fourcc
from tests.cli.making import Runner
from tests.feedback.hessians import hessian

WQ, EMBEDDING = "layers.0.attention.wq", "tok_embeddings"
H = hessian(64)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A matrix and an embedding."""
    random = np.random.default_rng(0)
    np.savez(
        tmp_path / "source.npz", **{name: random.standard_normal((30, 64)).astype("f4") for name in (WQ, EMBEDDING)}
    )
    return tmp_path / "source.npz"


def test_inspect_shows_it(run: Runner, source: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.bin"
    fourcc.convert(source, output, format="Q4_0,F16", aids={WQ: fourcc.Aids(None, H)}, feedback="gptq")
    digest = hashlib.blake2b(H.tobytes(), digest_size=16).hexdigest()
    shown = run("inspect", output, "--tensor", WQ).out
    assert f"gptq, damping 0.01, order activity, hessian BLAKE2b-128 {digest}" in shown
    assert "error feedback" not in run("inspect", output, "--tensor", EMBEDDING).out
    expected = {"method": "gptq", "damping": 0.01, "order": "activity", "hessian": digest}
    assert json.loads(run("inspect", output, "--tensor", WQ, "--json").out)["tensor"]["feedback"] == expected
    listed = {each["name"]: each["feedback"] for each in json.loads(run("inspect", output, "--json").out)["tensors"]}
    assert listed == {WQ: expected, EMBEDDING: None}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--feedback", "gptq"], "error feedback needs Hessians, and there is none"),
        (["--feedback", "awq"], "no such method of error feedback: found 'awq', expected gptq"),
        (["--feedback", "gptq", "--damping", "2"], "bad damping: found 2.0, expected above 0, at most 1"),
        (["--damping", "0.1"], "--damping goes with --feedback"),
        (["--no-feedback-for", "ffn.*"], "there is no error feedback to leave out: found ffn.*"),
        (["--memory", "lots"], "bad value of --memory: found 'lots', expected 2GB, 500MB, 2GiB"),
        (["--memory", "1MB"], "that this process takes before a tensor is read: found 1 MB, expected at least"),
    ],
    ids=str,
)
def test_the_command_checks_its_options(
    run: Runner, source: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    ended = run("convert", source, "-o", tmp_path / "model.bin", "--format", "Q4_0,F16", *options)
    assert ended.code == 2
    assert message in ended.err
