"""Nothing is needed that other systems lack. Windows is played by a process that has only what Windows has."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from fourcc.files import descriptors
from fourcc.files.read import ReadFile
from fourcc.files.write import AtomicFile

ON_WINDOWS = Path(__file__).with_name("without_posix.py")
played = pytest.mark.skipif(
    find_spec("mypy") is None or sys.platform != "linux",
    reason="mypy's stubs tell what Windows lacks, and /proc which files are open",
)
QUICK = (
    ("example", "{folder}/example", "-q"),
    ("example", "{folder}/example", "-q", "--force"),
    ("inspect", "{folder}/example/model.bin"),
    ("verify", "{folder}/example/model.bin"),
    ("diff", "{folder}/example/model.bin", "{folder}/example/model.bin", "--json"),
    ("export", "{folder}/example/tiny.bin", "-o", "{folder}/x.gguf", "--format", "F32", "-q"),
    ("export", "{folder}/example/tiny.bin", "-o", "{folder}/hf/", "-q"),
    ("convert", "{folder}/hf", "-o", "{folder}/back.bin", "-q", "--recipe", "Q4_K_M"),
    ("extract", "{folder}/back.bin", "norm", "-o", "{folder}/norm.npy"),
    ("formats", "--json"),
    ("policy", "check", "{folder}/example/mixed.toml", "{folder}/example/tiny.bin"),
    ("plugin", "new", "fourcc-tern", "--tag", "Tern", "-o", "{folder}/tern"),
)
LONG = (
    ("example", "{folder}/example", "-q"),
    ("run", "{folder}/example/model.bin", "-i", "One day", "-n", "8"),
    ("run", "{folder}/example/tiny.bin", "-z", "{folder}/example/tiny_tokenizer.bin", "-n", "8"),
    ("eval", "{folder}/example/model.bin", "--text", "{folder}/example/heldout.txt", "--tokens", "512"),
    ("stats", "{folder}/example/tiny.bin"),
    (
        *("quantize", "{folder}/example/tiny.bin", "-z", "{folder}/example/tiny_tokenizer.bin", "-q", "--documents"),
        *("-o", "{folder}/best.bin", "--budget", "8bpw", "--options", "Q4_0,Q8_0,F16"),
        *("--calibration-text", "{folder}/example/training.txt"),
    ),
    ("calibrate", "{folder}/example/model.bin", "--text", "{folder}/example/heldout.txt", "-o", "{folder}/x.calib"),
    ("plugin", "test", "Q8_0", "--quick"),
    ("cache",),
)


def on_windows(folder: Path, commands: tuple[tuple[str, ...], ...]) -> None:
    """Runs commands where only what Windows has is there."""
    words = [json.dumps([word.format(folder=folder) for word in command]) for command in commands]
    process = [sys.executable, "-X", "warn_default_encoding", str(ON_WINDOWS), *words]
    environment = {**os.environ, "PYTHONPATH": str(ON_WINDOWS.parents[2])}
    ended = subprocess.run(process, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr


@played
@pytest.mark.thorough
def test_the_pretence_takes_away_what_windows_lacks() -> None:
    """It finds names and modules that are known to be missing there, and none that are there."""
    from tests.core.without_posix import absent_modules, lacking

    assert {"preadv", "pwrite", "fchmod", "getuid", "O_CLOEXEC", "killpg", "major"} <= lacking("os")
    assert not {"open", "read", "lseek", "fsync", "getpid", "O_BINARY", "path"} & lacking("os")
    assert {"SIGKILL", "SIGHUP", "alarm"} <= lacking("signal")
    assert {"MADV_DONTNEED", "PROT_READ"} <= lacking("mmap")
    assert {"fcntl", "resource", "pwd"} <= absent_modules()
    assert not {"os", "json", "signal", "ctypes"} & absent_modules()


@played
@pytest.mark.thorough
def test_commands_run_without_posix(tmp_path: Path) -> None:
    """Files are read, written, replaced and exported."""
    on_windows(tmp_path, QUICK)


@played
@pytest.mark.thorough
def test_long_commands_run_without_posix(tmp_path: Path) -> None:
    """Kernels, processes of plugins, temporary models."""
    on_windows(tmp_path, LONG)


@pytest.mark.parametrize("missing", [(), ("preadv", "pwrite")])
def test_reads_and_writes_at_offsets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...]) -> None:
    """Without the system's own calls the same bytes come and go, cut into several calls, too."""
    for name in missing:
        monkeypatch.delattr(os, name)
    monkeypatch.setattr(descriptors, "LONGEST", 5)
    with AtomicFile(tmp_path / "x") as file:
        file.write_at(10, b"after a gap")
        file.write_at(0, b"first")
    read = ReadFile(tmp_path / "x")
    assert read.read(0, 21) == b"first\0\0\0\0\0after a gap"
    assert read.read(16, 5) == b"a gap"
    read.close()


def test_no_file_is_open_when_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system without locks, which refuses to rename one."""
    monkeypatch.setattr("fourcc.files.write.HAS_LOCKS", False)
    order: list[str] = []
    close, replace = os.close, os.replace
    monkeypatch.setattr(os, "close", lambda fd: (order.append("close"), close(fd)))
    monkeypatch.setattr(os, "replace", lambda *paths: (order.append("replace"), replace(*paths)))
    with AtomicFile(tmp_path / "x") as file:
        file.write_at(0, b"whole")
    assert order[:2] == ["close", "replace"]
    assert (tmp_path / "x").read_bytes() == b"whole"
