"""The cache of compiled kernels: an entry is used for its kernel alone, and a bad entry or folder does no harm."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fourcc import kernels
from fourcc.arrays import Array
from fourcc.kernels.compiler import compile_lock, jit, object_cache
from fourcc.kernels.descriptors import address
from fourcc.kernels.fusing.block_part import BlockPart
from fourcc.kernels.fusing.fused import fused
from fourcc.kernels.simd.builder import Builder, Value
from fourcc.kernels.simd.memory import load_word, store_word
from fourcc.kernels.simd.operation import INTEGER, operation
from tests.kernels.one_of_each_kind import SOME
from tests.kernels.short_products import ROOT, TAGS, environment, run

SMALL = """
import json, sys
import numpy as np
from fourcc.kernels.compiler import jit, object_cache
from fourcc.kernels.descriptors import address
from fourcc.kernels.simd.memory import load_word, store_word

def twice(value):
    return 2 * value

def kernel(weights, job, first, last, scratch):
    for index in range(first, last):
        store_word(job + 8 * index, twice(load_word(weights + 8 * index)))

numbers, out = np.arange(5), np.zeros(5, np.int64)
jit.compiled(kernel)(address(numbers), address(out), 0, 5, 0)
assert out.tolist() == [0, 2, 4, 6, 8], out
key = object_cache.fingerprint(kernel).hex()
told = {"compilations": jit.compilations, "numba": "numba" in sys.modules, "key": key}
print(json.dumps({**told, "folder": str(object_cache.folder())}))
"""


def small(**settings: str) -> dict[str, Any]:
    """The report of a process that runs one small kernel."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SMALL],
        env=environment(**settings),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    return folder


# -- a second process


@pytest.mark.thorough
@pytest.mark.parametrize("tags", [SOME, pytest.param(TAGS, marks=pytest.mark.thorough)], ids=["some", "all"])
def test_a_second_process_compiles_nothing(tmp_path: Path, tags: list[str]) -> None:
    """For all formats and a plugin's fused kernel; the process does not even import numba."""
    run(tmp_path / "first.npz", tags)
    told = run(tmp_path / "second.npz", tags)
    assert told["compilations"] == 0
    assert not told["numba"]
    with np.load(tmp_path / "first.npz") as first, np.load(tmp_path / "second.npz") as second:
        assert all(first[name].tobytes() == second[name].tobytes() for name in first.files)


def test_a_kernel_is_compiled_once(cache: Path) -> None:
    first = small(FOURCC_CACHE=str(cache))
    assert first["compilations"] == 1
    second = small(FOURCC_CACHE=str(cache))
    assert (second["compilations"], second["numba"], second["key"]) == (0, False, first["key"])
    assert [path.name for path in cache.iterdir()] == [f"{first['key']}.o"]


IN_ORDER = """
import sys
from fourcc.kernels.compiler import jit
from fourcc.kernels.transformer.activations import GATED
from fourcc.kernels.transformer.sums import add_to
from fourcc.kernels.threads.thread_team import _open
named = {"add_to": add_to, "gate": GATED["silu"], "_open": _open}
for name in sys.argv[1:]:
    jit.compiled(named[name])
"""


@pytest.mark.thorough
def test_what_was_compiled_before_does_not_show_in_the_bytes(tmp_path: Path) -> None:
    """The kernels are of several modules and call others; they are compiled in one order, in the other, and alone."""
    orders = (["add_to", "gate", "_open"], ["_open", "gate", "add_to"], ["gate"])
    kept = []
    for number, order in enumerate(orders):
        folder = tmp_path / str(number)
        command = [sys.executable, "-c", IN_ORDER, *order]
        subprocess.run(command, env=environment(FOURCC_CACHE=str(folder)), cwd=ROOT, check=True)
        kept.append({path.name: path.read_bytes() for path in folder.iterdir()})
    first, second, alone = kept
    assert len(first) == 3
    assert first == second
    assert alone.items() < first.items()


# -- what a key depends on


def number_kernel(number: object) -> jit.KernelFunction:
    """Stores a number from its closure."""

    def kernel(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        store_word(job, number)

    return kernel


def pair_kernel(one: object, other: object, third: object = 0) -> jit.KernelFunction:
    """Stores numbers from its closure."""

    def kernel(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        store_word(job, one)
        store_word(job + 8, other)
        store_word(job + 16, third)

    return kernel


def calling_kernel(
    first_one: Callable[[], int], second: Callable[[], int], third: Callable[[], int]
) -> jit.KernelFunction:
    """Stores what functions return."""

    def kernel(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        store_word(job, first_one())
        store_word(job + 8, second())
        store_word(job + 16, third())

    return kernel


def returning(value: int) -> Callable[[], int]:
    """A function that returns a value of its closure."""
    return lambda: value


def with_default(value: int) -> Callable[[], int]:
    """A function that returns the default of its argument."""

    def function(given: int = value) -> int:
        return given

    return function


def key(kernel: jit.KernelFunction) -> str:
    """A kernel's key."""
    return object_cache.fingerprint(kernel).hex()


def test_equal_kernels_have_equal_keys() -> None:
    assert key(number_kernel(5)) == key(number_kernel(5))
    assert key(calling_kernel(*map(returning, (1, 2, 3)))) == key(calling_kernel(*map(returning, (1, 2, 3))))


f, g = returning(1), returning(2)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (number_kernel(5), number_kernel(6)),
        (number_kernel(1), number_kernel(1.0)),
        (number_kernel(np.float32(1)), number_kernel(np.float64(1))),
        (number_kernel(np.zeros(2000)), number_kernel(np.arange(2000) / 1e9)),
        (number_kernel((np.zeros(2000),)), number_kernel((np.eye(1, 2000, 900)[0],))),
        (number_kernel({1: f}), number_kernel({1: g})),
        (pair_kernel(1, 21), pair_kernel(11, 2)),
        (pair_kernel(1, 2), pair_kernel(2, 1)),
        (pair_kernel("a", "bc"), pair_kernel("ab", "c")),
        (number_kernel(returning(1)), number_kernel(returning(2))),
        (number_kernel(with_default(1)), number_kernel(with_default(2))),
        (calling_kernel(f, f, g), calling_kernel(f, g, g)),
        (calling_kernel(f, f, g), calling_kernel(g, f, f)),
        (calling_kernel(returning(1), f, g), calling_kernel(f, f, g)),
        (number_kernel(load_word), number_kernel(store_word)),
    ],
)
def test_other_kernels_have_other_keys(left: jit.KernelFunction, right: jit.KernelFunction) -> None:
    """They differ in values of closures, of any kind and in any order, in callees, or in the callees' defaults."""
    assert key(left) != key(right)


def run_once(kernel: jit.KernelFunction, words: int = 3) -> list[int]:
    """The words that a kernel stores."""
    out = np.zeros(words, np.int64)
    jit.compiled(kernel)(0, address(out), 0, 0, 0)
    return out.tolist()


def test_kernels_with_the_same_code_do_what_their_closures_say() -> None:
    assert run_once(pair_kernel(1, 21)) == [1, 21, 0]
    assert run_once(pair_kernel(11, 2)) == [11, 2, 0]
    assert run_once(calling_kernel(f, f, g)) == [1, 1, 2]
    assert run_once(calling_kernel(f, g, g)) == [1, 2, 2]
    assert run_once(calling_kernel(with_default(7), f, with_default(8))) == [7, 1, 8]


def decoder(factor: float) -> Callable[[Array, Array], None]:
    """A plugin's block decoder with a constant of its own."""

    def decode_block(codes: Array, weights: Array) -> None:
        for index in range(32):
            weights[index] = codes[index] * factor

    return decode_block


def test_a_changed_constant_of_a_plugin_is_another_kernel() -> None:
    """The decoder is traced; the trace is part of the key."""
    parts = [BlockPart("codes", "|i1", 32)]
    half, same, third = (fused(decoder(factor), 32, parts) for factor in (0.5, 0.5, 0.25))
    for name in ("tile", "gather"):
        assert key(getattr(half, name)) == key(getattr(same, name)) != key(getattr(third, name))
    wider = fused(decoder(0.5), 32, [replace(parts[0], count=34)])
    assert key(wider.tile) != key(half.tile)


def own_operation(meant: int, built: int) -> jit.KernelFunction:
    """A kernel with an operation that a plugin wrote."""

    @operation(INTEGER, returns=INTEGER)
    def plus(x: int) -> int:
        return x + meant

    @plus.lowered
    def _(b: Builder, x: Value) -> Value:
        return b.plus(x, built)

    def kernel(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        store_word(job, plus(first))

    return kernel


def test_an_operation_of_a_plugin_is_known_by_what_it_does() -> None:
    """Its name alone does not tell: its source is not among those that all keys depend on."""
    assert key(own_operation(1, 1)) == key(own_operation(1, 1))
    assert len({key(own_operation(1, 1)), key(own_operation(1, 2)), key(own_operation(2, 1))}) == 3


def test_a_changed_source_is_another_kernel(tmp_path: Path, cache: Path) -> None:
    """A file counts even if the kernel does not use it."""
    shutil.copytree(ROOT / "fourcc", tmp_path / "fourcc", symlinks=False)
    here = {"FOURCC_CACHE": str(cache), "PYTHONPATH": str(tmp_path)}
    first = in_folder(tmp_path, here)
    assert in_folder(tmp_path, here) == {**first, "compilations": 0, "numba": False}
    with (tmp_path / "fourcc" / "kernels" / "q4_a.py").open("a") as file:
        file.write("# changed\n")
    changed = in_folder(tmp_path, here)
    assert changed["key"] != first["key"]
    assert changed["compilations"] == 1


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the kernels' sources, of which this process now computes its keys."""
    original, copy = Path(kernels.__path__[0]).resolve(), tmp_path / "kernels"
    shutil.copytree(original, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(object_cache, "ROOT", copy / object_cache.ROOT.relative_to(original))
    object_cache._surroundings.cache_clear()
    yield copy
    object_cache._surroundings.cache_clear()


def test_every_source_of_the_kernels_is_part_of_the_key(package: Path) -> None:
    """Whatever a kernel imports may change its machine code."""
    kernel, paths = number_kernel(44), sorted(package.rglob("*.py"))
    first = key(kernel)
    assert {path.parent.relative_to(package).as_posix() for path in paths} > {".", "compiler", "products", "simd"}
    for path in paths:
        source = path.read_bytes()
        path.write_bytes(source + b"# changed\n")
        object_cache._surroundings.cache_clear()
        assert key(kernel) != first, path
        path.write_bytes(source)
    object_cache._surroundings.cache_clear()
    assert key(kernel) == first


def test_an_entry_of_other_sources_is_not_read(package: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOURCC_CACHE", str(cache))
    before = jit.compilations
    assert run_once(number_kernel(45)) == [45, 0, 0]
    assert jit.is_ready(number_kernel(45))
    (package / "simd" / "memory.py").write_text("# changed\n")
    object_cache._surroundings.cache_clear()
    assert not jit.is_ready(number_kernel(45))
    assert run_once(number_kernel(45)) == [45, 0, 0]
    assert jit.compilations == before + 2
    assert len(list(cache.iterdir())) == 2


def in_folder(folder: Path, settings: dict[str, str]) -> dict[str, Any]:
    """The report of `small` with a copy of the package."""
    environ = {**os.environ, **settings}
    command = [sys.executable, "-c", SMALL]
    told: dict[str, Any] = json.loads(subprocess.check_output(command, env=environ, cwd=folder, text=True))
    return told


@pytest.mark.thorough  # `test_a_changed_source_is_another_kernel` compiles again in a quick run
@pytest.mark.parametrize("setting", [{"FOURCC_SIMD": "portable"}, {"NUMBA_BOUNDSCHECK": "1"}], ids=str)
def test_another_machine_or_other_checks_are_another_kernel(cache: Path, setting: dict[str, str]) -> None:
    first, second = small(FOURCC_CACHE=str(cache)), small(FOURCC_CACHE=str(cache), **setting)
    assert first["key"] != second["key"]
    assert second["compilations"] == 1


# -- what may be wrong with an entry


def flipped(data: bytes) -> bytes:
    """The entry with one bit of the code flipped."""
    return data[:200] + bytes([data[200] ^ 4]) + data[201:]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:16],
        lambda data: data[:5],
        lambda _: b"",
        lambda data: os.urandom(len(data)),
        lambda data: bytes(len(data)),
        flipped,
        lambda data: data + b"\0",
    ],
    ids=["half", "digest", "five", "empty", "garbage", "zeros", "flipped", "longer"],
)
def test_a_damaged_entry_is_compiled_anew(
    cache: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setenv("FOURCC_CACHE", str(cache))
    before = jit.compilations
    assert run_once(number_kernel(41)) == [41, 0, 0]
    (entry,) = cache.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    assert run_once(number_kernel(41)) == [41, 0, 0]
    assert jit.compilations == before + 2
    assert object_cache.load(object_cache.fingerprint(number_kernel(41))) is not None
    assert run_once(number_kernel(41)) == [41, 0, 0]
    assert jit.compilations == before + 2


def test_an_entry_that_is_a_folder_is_no_harm(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOURCC_CACHE", str(cache))
    object_cache.path_of(object_cache.fingerprint(number_kernel(42))).mkdir()
    assert run_once(number_kernel(42)) == [42, 0, 0]
    assert [path.suffix for path in cache.iterdir()] == [".o"]


# -- where the cache is


def test_a_folder_that_cannot_be_made_is_no_harm(tmp_path: Path) -> None:
    """A file lies where the folder would have to be."""
    (tmp_path / "file").write_text("")
    told = small(FOURCC_CACHE=str(tmp_path / "file" / "cache"))
    assert told["compilations"] == 1
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only_is_no_harm(cache: Path) -> None:
    cache.chmod(0o500)
    try:
        assert small(FOURCC_CACHE=str(cache))["compilations"] == 1
        assert not list(cache.iterdir())
    finally:
        cache.chmod(0o700)


def test_a_full_disk_is_no_harm(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The half-written file is removed."""
    monkeypatch.setenv("FOURCC_CACHE", str(cache))

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert run_once(number_kernel(43)) == [43, 0, 0]
    assert not list(cache.iterdir())


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="has no such permissions")
@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_code_that_others_may_have_written_is_not_run(cache: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    monkeypatch.setenv("FOURCC_CACHE", str(cache))
    assert run_once(number_kernel(mode)) == [mode, 0, 0]
    for permissions, compiled in ((mode, 1), (0o700, 0)):
        cache.chmod(permissions)
        before = jit.compilations
        assert jit.is_ready(number_kernel(mode)) == (compiled == 0)
        assert run_once(number_kernel(mode)) == [mode, 0, 0]
        assert jit.compilations == before + compiled


def test_the_folder_is_the_one_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOURCC_CACHE", str(tmp_path / "mine"))
    assert object_cache.folder() == tmp_path / "mine"
    monkeypatch.setenv("FOURCC_CACHE", "")
    if sys.platform not in {"win32", "darwin"}:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert object_cache.folder() == tmp_path / "xdg" / "fourcc"
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert object_cache.folder() == tmp_path / "home" / ".cache" / "fourcc"


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="has no XDG_CACHE_HOME")
def test_a_folder_is_made_for_this_user_alone(tmp_path: Path) -> None:
    told = small(FOURCC_CACHE="", XDG_CACHE_HOME=str(tmp_path / "xdg"))
    folder = tmp_path / "xdg" / "fourcc"
    assert told["folder"] == str(folder)
    assert [path.stem for path in folder.iterdir()] == [told["key"]]
    assert folder.stat().st_mode & 0o077 == 0


# -- several processes


@pytest.mark.thorough
@pytest.mark.parametrize("count", [2, 3, 4])
def test_processes_that_compile_at_once_all_succeed(cache: Path, count: int) -> None:
    """Their entries are whole."""
    command = [sys.executable, "-c", SMALL]
    started = [
        subprocess.Popen(command, env=environment(FOURCC_CACHE=str(cache)), cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    told = [json.loads(process.communicate(timeout=100)[0]) for process in started]
    assert all(process.returncode == 0 for process in started)
    assert sum(each["compilations"] for each in told) == 1  # the others wait for it
    assert [path.name for path in cache.iterdir()] == [f"{told[0]['key']}.o"]
    assert small(FOURCC_CACHE=str(cache))["compilations"] == 0


HOLDING = """
import sys, time
from pathlib import Path
from fourcc.kernels.compiler.compile_lock import alone
with alone(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def lock(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock of a small kernel."""
    monkeypatch.setenv("FOURCC_CACHE", str(cache))
    return object_cache.path_of(object_cache.fingerprint(number_kernel(44))).with_suffix(".lock")


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_a_process_that_dies_holds_nobody_up(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it lives its lock is waited for, and no longer than so; then the lock is free, and is removed."""
    command = [sys.executable, "-c", HOLDING, str(lock)]
    with subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        monkeypatch.setattr(compile_lock, "PATIENCE", 0.3)
        start = time.monotonic()
        assert run_once(number_kernel(44)) == [44, 0, 0]
        assert time.monotonic() - start >= 0.3
        assert lock.exists()
        holder.kill()
    monkeypatch.setattr(compile_lock, "PATIENCE", 60.0)
    start = time.monotonic()
    with compile_lock.alone(lock):
        assert time.monotonic() - start < 30
    assert not lock.exists()


def test_no_lock_is_needed(lock: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may have no locks, or the folder may be gone."""
    monkeypatch.setattr(compile_lock, "fcntl", None)
    assert run_once(number_kernel(44)) == [44, 0, 0]
    assert [path.suffix for path in cache.iterdir()] == [".o"]
    monkeypatch.undo()
    with compile_lock.alone(cache / "nowhere" / "x.lock"):
        assert not (cache / "nowhere").exists()


@pytest.mark.thorough
def test_no_files_are_left_in_the_installation(tmp_path: Path, cache: Path) -> None:
    """Numba's own cache is never used."""
    before = sources()
    small(FOURCC_CACHE=str(cache), NUMBA_CACHE_DIR=str(tmp_path / "numba"))
    assert sources() == before
    assert not (tmp_path / "numba").exists()
    left = [path for path in ROOT.rglob("*.nb[ic]") if ".venv" not in path.parts]
    assert not left


def sources() -> list[Path]:
    """All files of the package, without Python's own."""
    folders = [ROOT / name for name in ("fourcc", "formats", "kernels", "cli")]
    found = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if path.suffix != ".pyc")
