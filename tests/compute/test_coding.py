"""Compiled code and the format's own encode, decode and measure tiles alike."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fourcc.compute import coding
from fourcc.conversion.convert import convert
from fourcc.encoding import encode
from fourcc.kernels.compiler import jit
from fourcc.policy import Policy

TAG = "Q8_A"


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled code for whatever has a kernel, as if this were the process's first work."""
    monkeypatch.setattr(coding, "_choice", coding._Choice())
    monkeypatch.setattr(coding, "WORTH_LOOKING", 0)
    monkeypatch.setattr(coding, "WORTH_COMPILING", 0)


def loaded_after(code: str, folder: Path, **environment: str) -> list[str]:
    """The heavy modules that a process has loaded after some code, on an empty cache."""
    heavy = "print(sorted({'numba', 'llvmlite', 'fourcc.kernels.compiler.jit'} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", f"import sys, numpy as np, fourcc\n{code}\n{heavy}"],
        env={**os.environ, "FOURCC_CACHE": str(folder), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return list(eval(run.stdout))  # noqa: S307 - our own output


def encoding_of(rows: int, cols: int) -> str:
    return f"fourcc.encode(np.ones(({rows}, {cols}), np.float32), {TAG!r}).decode()"


def test_small_work_loads_no_kernel(tmp_path: Path) -> None:
    assert loaded_after(encoding_of(64, 64), tmp_path) == []


def test_work_not_worth_compiling_loads_no_numba(tmp_path: Path) -> None:
    """There is a look at the cache, which is empty."""
    assert "numba" not in loaded_after(encoding_of(512, 1024), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_compiled_where_that_is_switched_off(tmp_path: Path) -> None:
    """Plain Python kernels would take hours: numpy does the work."""
    code = f"from fourcc.compute import coding\ncoding.WORTH_COMPILING = 0\n{encoding_of(512, 1024)}"
    assert "numba" not in loaded_after(code, tmp_path, NUMBA_DISABLE_JIT="1")


def test_large_work_is_compiled_and_kept(tmp_path: Path) -> None:
    code = f"from fourcc.compute import coding\ncoding.WORTH_COMPILING = 1 << 19\n{encoding_of(512, 1024)}"
    assert "numba" in loaded_after(code, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3  # encoder, decoder, error sums
    assert "numba" not in loaded_after(encoding_of(512, 1024), tmp_path)  # the next process takes them from there


def test_numpy_is_given_up_when_it_took_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A model of many small tensors is large work, too."""
    monkeypatch.setenv("FOURCC_CACHE", str(tmp_path))
    choice = coding._Choice()

    def kernel(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        """Nothing."""

    assert choice.code(kernel, 1) is None
    choice.timed(kernel, lambda: None)
    assert choice.code(kernel, 1) is None
    monkeypatch.setattr(coding, "PATIENCE", 0.0)
    assert isinstance(choice.code(kernel, 1), jit.Compiled)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("tag", ["Q8_A", "Q4_0", "F16"])
def test_files_do_not_show_it(tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole conversion, from halves, experts and a short tensor among others, gives equal bytes."""
    random = np.random.default_rng(1)
    shapes = {"a": (200, 64), "experts": (3, 130, 32), "norm": (64,), "wide": (2, 4096)}
    arrays = {name: random.standard_normal(shape).astype("f2") for name, shape in shapes.items()}
    np.savez(tmp_path / "in.npz", **arrays)
    policy = Policy.shorthand(tag)
    convert(tmp_path / "in.npz", tmp_path / "fast.bin", policy=policy)
    monkeypatch.setattr(coding, "WORTH_LOOKING", 1 << 62)
    convert(tmp_path / "in.npz", tmp_path / "slow.bin", policy=policy)
    assert (tmp_path / "fast.bin").read_bytes() == (tmp_path / "slow.bin").read_bytes()


@pytest.mark.usefixtures("eager")
def test_weights_are_decoded_in_their_place() -> None:
    w = np.random.default_rng(2).standard_normal((3, 300, 64), np.float32)
    made = encode(w, TAG)
    decoded = made.decode()
    assert all((each == made[index].decode()).all() for index, each in enumerate(decoded))
    assert np.concatenate(list(made.tiles())).tobytes() == decoded.tobytes()


@pytest.mark.usefixtures("eager")
def test_what_no_kernel_takes_is_left_to_numpy() -> None:
    """Wider numbers, none at all, weights that are kept though not finite."""
    assert encode(np.ones((2, 2), np.float64), "F64").decode().dtype == np.float64
    assert encode(np.zeros((0, 32), np.float32), TAG).decode().shape == (0, 32)
    assert encode(np.zeros((3, 0), np.float32), TAG).decode().shape == (3, 0)
    assert encode(np.arange(64).reshape(2, 32), TAG).decode()[1, 31] == 63
