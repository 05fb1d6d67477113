"""Kernels on every machine that this one can be, and in assembly for two that it need not be."""

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import llvmlite.binding as llvm
import pytest

from fourcc.kernels.simd import target as targets
from fourcc.kernels.simd.target import NAMES, TARGETS, runs_here
from tests.kernels.other_targets import on_any_processor, passes
from tests.kernels.short_products import ROOT, TAGS, environment, run

HERE = [target.name for target in TARGETS if runs_here(target)]
ELSEWHERE = [target for target in TARGETS if not runs_here(target)]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "tags"),
    [(name, TAGS) for name in HERE],
    ids=lambda value: value if isinstance(value, str) else "all" if value == TAGS else "one",
)
def test_products_are_within_the_bound(name: str, tags: list[str], tmp_path: Path) -> None:
    """The products of all formats with native kernels and of the plugin's block decoder; of one at every run."""
    told = run(tmp_path / "products.npz", tags, FOURCC_SIMD=name)
    assert told["target"] == name
    assert sorted(told["excess"]) == sorted(tags)
    assert max(told["excess"].values()) <= 1, told["excess"]


@pytest.mark.thorough
@on_any_processor
def test_operations_compiled_are_what_they_mean(name: str) -> None:
    """This runs `test_simd` again, for this target."""
    passes("tests/kernels/test_simd.py", name)


def test_the_host_has_a_target() -> None:
    """The portable one at least; the best comes first."""
    assert HERE[-1] == "portable"
    assert len(set(NAMES)) == len(NAMES)


PRODUCT = "import numpy as np, fourcc; fourcc.encode(np.ones((1, 32)), 'Q8_0') @ np.ones(32)"


def refused(name: str) -> str:
    """The last line of what a product says under a bad ``FOURCC_SIMD``."""
    command = [sys.executable, "-c", PRODUCT]
    done = subprocess.run(
        command, env=environment(FOURCC_SIMD=name), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    return done.stderr.strip().splitlines()[-1]


def test_an_unknown_target_is_refused_in_words() -> None:
    said = refused("sse9")
    assert said == (
        "fourcc.errors.UsageError: FOURCC_SIMD: found 'sse9', expected one of avx512, avxvnni, avx2, neon, portable"
    )


@pytest.mark.parametrize("target", ELSEWHERE, ids=lambda target: target.name)
def test_a_target_that_the_host_cannot_run_is_refused_in_words(target: targets.Target) -> None:
    said = refused(target.name)
    assert said.startswith(f"fourcc.errors.UsageError: FOURCC_SIMD: this machine cannot run {target.name!r}: it lacks ")
    lacking = said.rpartition("it lacks ")[2].split(", ")
    assert set(lacking) <= target.needs | {target.architecture}


# -- a Linux on ARM, made up

NEOVERSE = {"aes": True, "crc": True, "fp-armv8": True, "lse": True, "neon": True, "sha2": True, "sve": False}
FLOAT_AND_SIMD, DOT_PRODUCTS = 1 << 0 | 1 << 1, 1 << 20  # HWCAP_FP, HWCAP_ASIMD, HWCAP_ASIMDDP of Linux's asm/hwcap.h


class Features(dict[str, bool]):
    """As LLVM tells them."""

    def flatten(self) -> str:
        """As text."""
        return ",".join(("+" if present else "-") + name for name, present in self.items())


def made_up(monkeypatch: pytest.MonkeyPatch, hwcap: int, features: dict[str, bool], name: str) -> None:
    """Makes LLVM and the system tell of such a machine."""

    def getauxval(kind: int) -> int:
        return hwcap if kind == 16 else 0  # AT_HWCAP

    for asked in (targets.host, targets.host_processor, targets.target):
        monkeypatch.setattr(targets, asked.__name__, asked.__wrapped__)
    monkeypatch.delenv("FOURCC_SIMD", raising=False)
    monkeypatch.setattr(targets.ctypes, "CDLL", lambda _: SimpleNamespace(getauxval=getauxval))
    monkeypatch.setattr(llvm, "get_process_triple", lambda: "aarch64-unknown-linux-gnu")
    monkeypatch.setattr(llvm, "get_host_cpu_name", lambda: name)
    monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: Features(features))


def test_a_linux_on_arm_with_dot_products_gets_neon(monkeypatch: pytest.MonkeyPatch) -> None:
    """LLVM reads no `asimddp` out of Linux: the system is asked; what is compiled for is told of it."""
    made_up(monkeypatch, FLOAT_AND_SIMD | DOT_PRODUCTS, NEOVERSE, "neoverse-n1")
    assert targets.target().name == "neon"
    name, features = targets.processor(targets.target())
    assert name == "neoverse-n1"
    assert features == "+aes,+crc,+fp-armv8,+lse,+neon,+sha2,-sve,+dotprod"


@pytest.mark.parametrize("features", [{}, {"neon": False, "dotprod": False}], ids=["nothing", "the opposite"])
def test_of_a_processor_that_llvm_does_not_know_the_system_is_believed(
    monkeypatch: pytest.MonkeyPatch, features: dict[str, bool]
) -> None:
    """Else dot products could not be selected, and the compiler would end the process. Of two words the last counts."""
    made_up(monkeypatch, FLOAT_AND_SIMD | DOT_PRODUCTS, features, "generic")
    name, told = targets.processor(targets.target())
    assert name == "generic"
    assert told.split(",")[-2:] == ["+dotprod", "+neon"]
    assert "" not in told.split(",")


def test_an_arm_without_dot_products_gets_portable_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Cortex-A72 is one; a system that reports no features counts as one."""
    made_up(monkeypatch, FLOAT_AND_SIMD, {"neon": True, "fp-armv8": True}, "cortex-a72")
    assert targets.target().name == "portable"
    monkeypatch.setattr(targets.ctypes, "CDLL", lambda _: SimpleNamespace())
    assert targets.target().name == "portable"
    assert targets.processor(targets.target()) == ("cortex-a72", "+neon,+fp-armv8")


def test_the_host_is_compiled_for_as_llvm_tells_it() -> None:
    """If LLVM reports all features of the host, nothing is added."""
    first = next(each for each in TARGETS if runs_here(each))
    told = llvm.get_host_cpu_features()
    if first.needs <= {name for name, present in told.items() if present}:
        assert targets.processor(first) == (llvm.get_host_cpu_name(), told.flatten())


# -- other machines, looked at in assembly


def assembly(name: str, triple: str, tag: str) -> str:
    """The assembly of a format's products, with one activation and with several."""
    script = Path(__file__).parent / "cross_assembly.py"
    done = subprocess.run(
        [sys.executable, script, name, triple, tag],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.thorough
@pytest.mark.parametrize("tag", ["Q8_0", "Q4_0"])
def test_byte_products_of_avx_vnni(tag: str) -> None:
    """The instruction of 256 bits, in its encoding without AVX-512, and no register of 512."""
    code = assembly("avxvnni", "x86_64-unknown-linux-gnu", tag)
    found = re.findall(r"^(.*)\bvpdpbusd\b.*%ymm", code, re.MULTILINE)
    assert len(found) >= 8
    assert all("{vex}" in before for before in found)
    assert not re.search(r"%zmm|%ymm(1[6-9]|[23]\d)|%k[0-7]", code)


@pytest.mark.thorough
@pytest.mark.parametrize("tag", ["Q8_0", "Q4_0"])
def test_byte_products_of_neon(tag: str) -> None:
    """Dot products of signed bytes; nothing is taken apart lane by lane."""
    code = assembly("neon", "aarch64-unknown-linux-gnu", tag)
    assert len(re.findall(r"\bsdot\s+v\d+\.4s, v\d+\.16b, v\d+\.16b", code)) >= 8
    assert "vpdpbusd" not in code
    assert not re.search(r"\bsmov\b", code)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        ("neon", "threads.thread_team:_help"),
        ("neon", "threads.program:run_steps"),
        ("portable", "threads.thread_team:_lead"),
    ],
)
def test_threads_wait_for_each_other_on_arm(name: str, kernel: str) -> None:
    """With the instruction of that machine: that of this one would end the compiler, and the process."""
    code = assembly(name, "aarch64-unknown-linux-gnu", kernel)
    assert "pause" not in code
    assert re.search(r"\bisb\b", code)


@pytest.mark.thorough
def test_threads_wait_for_each_other_on_x86() -> None:
    """The processor has an instruction for it, whatever the target."""
    assert re.search(r"\bpause\b", assembly("portable", "x86_64-unknown-linux-gnu", "threads.thread_team:_lead"))
