"""`fourcc cache`: the compiled kernels on disk, compiled beforehand, and what is said when one is compiled."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fourcc import compute
from fourcc.compute import precompiling
from fourcc.kernels.compiler import announcing, object_cache
from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.plugins.registry import registry
from tests.cli.making import Runner
from tests.kernels.short_products import OWN_TAGS

COLD = (
    "fourcc: note: kernels are compiled for this machine, once: 10 to 60 s for a model. "
    "`fourcc cache build` compiles those of all formats beforehand.\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own; not made yet."""
    monkeypatch.setenv("FOURCC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_there(run: Runner, folder: Path) -> None:
    """Kernels of this version and others; looking makes no folder."""
    assert run("cache").out == f"folder   {folder}\nkernels  0\nsize     0 bytes\nrates    none remembered\n"
    assert not folder.exists()
    folder.mkdir(mode=0o700)
    mine, other = object_cache.fingerprint(precompiling.shared_kernels()["norm"]), bytes(16)
    for key in (mine, other):
        object_cache.save(key, b"code")
    (folder / "half.new").write_bytes(b"")
    lines = run("cache").out.splitlines()
    assert lines[1:] == [
        "kernels  2 (1 of this version of fourcc on this processor)",
        "size     40 bytes",
        "rates    none remembered",
    ]
    document = run("cache", "--json").document
    assert document == {
        "schema": "fourcc.cache/1",
        "folder": str(folder),
        "kernels": 2,
        "current": 1,
        "bytes": 40,
        "rates": 0,
        "cleared": False,
        "not_used": None,
    }
    assert run("cache", "--clear").out.endswith("cleared\n")
    assert not list(folder.iterdir())


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="has no such permissions")
def test_a_folder_that_is_not_used_is_said(run: Runner, folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    why = "it belongs to someone else, or others may write to it"
    assert run("cache").out.endswith(f"not used: {why}\n")
    ended = run("cache", "build", "--format", "F16")
    assert (ended.code, ended.err) == (4, f"fourcc: error: {folder}: compiled kernels cannot be kept: {why}\n")


def test_a_folder_that_cannot_be_made_is_said(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FOURCC_CACHE", str(tmp_path / "file" / "cache"))
    why = f"{tmp_path / 'file'} is no folder, or may not be written to"
    assert run("cache").out.endswith(f"not used: {why}\n")
    assert run("cache", "build").code == 4


def test_a_folder_above_may_not_be_entered(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then kernels are not kept, and nothing fails."""
    above = tmp_path / "above"
    stat = os.stat

    def refusing(path: str | Path, **named: bool) -> os.stat_result:
        if above in Path(path).parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **named)

    above.mkdir()
    monkeypatch.setattr(os, "stat", refusing)
    monkeypatch.setattr(os, "access", lambda path, _: path != above)
    monkeypatch.setenv("FOURCC_CACHE", str(above / "cache"))
    ended = run("cache")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith(f"not used: {above} is no folder, or may not be written to\n")


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> dict[str, KernelFunction]:
    """All that a build has to do: two kernels that compile quickly."""
    two = {name: precompiling.shared_kernels()[name] for name in ("add_to", "gate_silu")}
    monkeypatch.setattr(precompiling, "shared_kernels", lambda: two)
    monkeypatch.setattr(precompiling, "kernels_of_format", lambda _: {})
    return two


@pytest.mark.thorough
def test_what_has_been_built_is_there(run: Runner, folder: Path, two: dict[str, KernelFunction]) -> None:
    """A damaged entry is not: it is compiled anew."""
    document = run("cache", "build", "--json", "-q").document
    assert (document["schema"], document["folder"]) == ("fourcc.cache-build/1", str(folder))
    assert (document["needed"], document["there"], document["compiled"]) == (2, 0, 2)
    assert {path.stem for path in folder.iterdir()} == {object_cache.fingerprint(each).hex() for each in two.values()}
    ended = run("cache", "build", "--format", "F16, F32")
    assert (ended.out, ended.err) == ("2 kernels: 2 were there, 0 compiled\n", "")
    next(folder.iterdir()).write_bytes(b"half")
    document = run("cache", "build", "--json", "-q").document
    assert (document["there"], document["compiled"]) == (1, 1)


def test_a_build_that_is_not_kept_is_an_error(
    run: Runner, folder: Path, two: dict[str, KernelFunction], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, here one in which nothing arrives."""
    assert len(two) == 2
    monkeypatch.setattr(object_cache, "load", lambda _: None)
    ended = run("cache", "build", "-q")
    assert (ended.code, ended.out) == (4, "")
    assert ended.err == f"fourcc: error: {folder}: a compiled kernel cannot be kept: the disk may be full\n"


def test_a_format_that_is_not_there(run: Runner, folder: Path) -> None:
    ended = run("cache", "build", "--format", "F16,Nope")
    assert ended.code == 5
    assert "no installed package provides the format Nope" in ended.err
    assert not folder.exists()


def test_built_is_all_that_a_format_needs() -> None:
    """A build has all functions of a built-in format's kernel, but products that keep activations as floats."""
    for tag in OWN_TAGS:
        kernel, functions = compute.kernel_of(registry[tag]), precompiling.kernels_of_format(registry[tag])
        parts = (kernel.tile, kernel.gather, kernel.pack, kernel.decode, kernel.activation.prepare)
        assert {part for part in parts if part is not None} <= set(functions.values())
        assert ("encode" in functions) == (kernel.encoder is not None)


RUN = """
import sys
from fourcc.cli.app import main
from fourcc.compute import precompiling
from fourcc.kernels.compiler import jit, object_cache
from fourcc.plugins.registry import registry
code = main(["run", sys.argv[1], "-t", "1", "-s", "1", "-n", "20", "-i", "One day", "-q", "--threads", "2"])
built = {each.key for each in precompiling.needed(["Q8_0", "F16"], registry.__getitem__)}
print(code, [jit._name(kernel) for kernel in jit._compiled if object_cache.fingerprint(kernel) not in built])
"""


def test_built_is_all_that_a_run_needs(model: Path) -> None:
    done = subprocess.run([sys.executable, "-c", RUN, model], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr


NETWORKS = """
from fourcc.compute import precompiling
from fourcc.kernels.compiler import jit, object_cache
from fourcc.networks import NETWORKS
from fourcc.plugins.registry import registry
from tests.running.made_networks import honest, logits, tensors
for network in NETWORKS.values():
    if "n_experts" not in network.keys:
        logits(network, honest(network), tensors(network, honest(network), optional=True))
built = {each.key for each in precompiling.needed(["F32"], registry.__getitem__)}
print([jit._name(kernel) for kernel in jit._compiled if object_cache.fingerprint(kernel) not in built])
"""


@pytest.mark.thorough
def test_built_is_all_that_networks_without_experts_need(root: Path) -> None:
    """Products of experts are made for each format, when they are first run."""
    done = subprocess.run([sys.executable, "-c", NETWORKS], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stdout + done.stderr


SMALL = """
import os, sys
from fourcc.cli import app
from fourcc.compute import precompiling
from fourcc.kernels.compiler import jit
def run(given):
    for name in ("add_to", "gate_silu", "add_bias")[: int(os.environ["KERNELS"])]:
        jit.compiled(precompiling.shared_kernels()[name])
    return 0
app.build = run
app.get_command = lambda _: type("Command", (), {"main": lambda self, *_, **__: run(())})()
app.main(sys.argv[1:])
"""


def said(*arguments: str, folder: Path, kernels: int = 2) -> str:
    """The stderr of a command that needs some kernels."""
    environment = {**os.environ, "FOURCC_CACHE": str(folder), "KERNELS": str(kernels)}
    command = [sys.executable, "-c", SMALL, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


def test_a_cold_cache_is_said_once(tmp_path: Path) -> None:
    """A warm cache gives no note, and neither does a quiet run."""
    assert said("run", "-q", folder=tmp_path / "quiet") == ""
    assert said("run", folder=tmp_path / "cache") == COLD
    assert said("run", folder=tmp_path / "cache", kernels=3) == ""  # one kernel takes a second: not worth a word


@pytest.mark.thorough
def test_many_kernels_are_told_of_whatever_the_cache_holds(tmp_path: Path) -> None:
    """As of a first run after other formats were built."""
    key = object_cache.fingerprint(precompiling.shared_kernels()["norm"])
    assert said("run", "-q", folder=tmp_path / "cache", kernels=0) == ""
    (tmp_path / "cache").mkdir(mode=0o700, exist_ok=True)
    (tmp_path / "cache" / f"{key.hex()}.o").write_bytes(b"")
    assert said("run", folder=tmp_path / "cache", kernels=3) == COLD


@pytest.mark.thorough
def test_kernels_that_are_not_kept_are_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "cache"
    assert said("run", folder=folder) == (
        f"fourcc: note: compiled kernels are not kept in {folder}: {tmp_path / 'file'} is no folder, or may not be "
        "written to. FOURCC_CACHE=FOLDER keeps them elsewhere.\n"
    )


def test_commands_listen(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "listener", None)
    assert run("--version").code == 0
    assert announcing.listener is not None


@pytest.mark.thorough
def test_an_interrupted_build_keeps_what_is_done_and_can_go_on(tmp_path: Path) -> None:
    """Ctrl-C without a terminal reaches the command alone: it gives up the kernels under way."""
    environment = {**os.environ, "FOURCC_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "fourcc", "cache", "build", "--json", "--format"]
    long = [*command, "F16,Q4_K,Q5_K,Q6_K"]
    with subprocess.Popen(long, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as begun:
        assert begun.stderr is not None
        while "compiling" not in begun.stderr.readline():
            assert begun.poll() is None
        begun.send_signal(signal.SIGINT)
        _, err = begun.communicate()
    assert (begun.returncode, err.splitlines()[-1]) == (130, "fourcc: interrupted")
    done = subprocess.run([*command, "F16"], env=environment, capture_output=True, text=True, check=True)
    counts = json.loads(done.stdout)
    assert counts["there"] + counts["compiled"] == counts["needed"]
