"""Third parties' plugins for files, installed for real: one that reads, one that writes and brings its format."""

import json
import os
import shutil
import subprocess
import sys
from math import prod
from pathlib import Path

import numpy as np
import pytest

SIZES = (8, 60, 1, 2, 32, 64)  # of a model of llm.c: context, vocabulary, layers, heads, width, rows


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which both packages were installed, as a scratch environment."""
    folder = tmp_path_factory.mktemp("plugins")
    packages = [folder / name for name in ("fourcc-llmc", "fourcc-nbits")]
    for package in packages:
        shutil.copytree(root / "tests" / "plugins" / package.name, package)  # building leaves files behind
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", folder / "site", *packages]
    subprocess.run(command, check=True)
    return folder / "site"


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of llm.c."""
    context, _, layers, _, c, rows = SIZES
    shapes = [(rows, c), (context, c), *[(layers, c)] * 2, (layers, 3 * c, c), (layers, 3 * c), (layers, c, c)]
    shapes += [*[(layers, c)] * 3, (layers, 4 * c, c), (layers, 4 * c), (layers, c, 4 * c), (layers, c), (c,), (c,)]
    header = np.zeros(256, "<i4")
    header[:8] = [20240326, 3, *SIZES]
    weights = np.random.default_rng(1).standard_normal(sum(map(prod, shapes))).astype("<f4")
    path = tmp_path_factory.mktemp("gpt2") / "gpt2.bin"
    path.write_bytes(header.tobytes() + weights.tobytes())
    return path


def fourcc(*arguments: object, site: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """The command, with or without the plugins."""
    environment = {**os.environ, "PYTHONPATH": "" if site is None else str(site), **more}
    command = [sys.executable, "-m", "fourcc", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_both_are_listed(site: Path) -> None:
    """With their packages; nothing is broken."""
    told = json.loads(fourcc("formats", "--files", "--json", site=site).stdout)
    assert told["broken"] == []
    plugins = {(each["kind"], each["can"], each["provider"]) for each in told["files"]} - {
        (each["kind"], each["can"], each["provider"])
        for each in told["files"]
        if each["provider"].startswith("fourcc ")
    }
    assert plugins == {("llm.c", "read", "fourcc-llmc 1.0.0"), ("onnx", "write", "fourcc-nbits 1.0.0")}
    assert "fourcc-nbits 1.0.0" in fourcc("formats", "Nb4s", site=site).stdout
    assert fourcc("formats", "--broken", site=site).stdout == "no plugin is broken\n"


def test_a_file_is_read(site: Path, gpt2: Path, tmp_path: Path) -> None:
    """As those of this package's kinds are: looked at, converted, exported; what was converted needs no plugin."""
    shown = fourcc("inspect", gpt2, "--json", site=site)
    assert shown.returncode == 0, shown.stderr
    assert "llm.c v3" in shown.stdout
    done = fourcc("convert", gpt2, "-o", tmp_path / "model.bin", "--format", "Q8_0,F32", site=site)
    assert done.returncode == 0, done.stderr
    assert fourcc("verify", tmp_path / "model.bin").returncode == 0
    assert "h.0.attn.c_attn.weight" in fourcc("inspect", tmp_path / "model.bin").stdout
    done = fourcc("export", gpt2, "-o", tmp_path / "model.safetensors", site=site)
    assert done.returncode == 0, done.stderr


def test_a_file_is_written(site: Path, gpt2: Path, tmp_path: Path) -> None:
    """By its suffix and by its name; the bytes are the same."""
    args = ("export", gpt2, "--format", "Nb4s,F32")
    done = fourcc(*args, "-o", tmp_path / "model.onnx", site=site)
    assert done.returncode == 0, done.stderr
    assert "the network is left out" in done.stderr
    assert fourcc(*args, "-o", tmp_path / "other", "--to", "onnx", site=site).returncode == 0
    assert (tmp_path / "model.onnx").read_bytes() == (tmp_path / "other").read_bytes()
    assert b"MatMulNBits" in (tmp_path / "other").read_bytes()


@pytest.mark.parametrize("more", [{}, {"FOURCC_PLUGINS": "fourcc-else"}], ids=["absent", "not allowed"])
def test_without_them(site: Path, gpt2: Path, root: Path, tmp_path: Path, more: dict[str, str]) -> None:
    """The file passes for one without a mark, no kind has the suffix; what is installed but not allowed is named."""
    there = site if more else None
    read = fourcc("inspect", gpt2, site=there, **more)
    assert read.returncode == 3
    assert "Is it a llama2.c checkpoint?" in read.stderr
    written = fourcc(
        "export", root / "fourcc/example/tiny.bin", "-o", tmp_path / "m.onnx", "--format", "F32", site=there, **more
    )
    assert written.returncode == 2
    assert "the output's name does not tell what it should be" in written.stderr
    why = "FOURCC_PLUGINS does not allow its distribution"
    assert (f"Plugins that cannot be used: llm.c of fourcc-llmc 1.0.0 ({why})" in read.stderr) is bool(more)
    assert (f"onnx of fourcc-nbits 1.0.0 cannot be used: {why}" in written.stderr) is bool(more)
