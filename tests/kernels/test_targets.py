"""Kernels on every machine that this one can be, and in assembly for two that it need not be."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fourcc.kernels.simd import target as targets
from fourcc.kernels.simd.target import NAMES, TARGETS, runs_here
from tests.kernels.again import on_every_other_target, passes
from tests.kernels.compact import ROOT, TAGS, environment, run

HERE = [target.name for target in TARGETS if runs_here(target)]
ELSEWHERE = [target for target in TARGETS if not runs_here(target)]


@pytest.mark.parametrize("name", HERE)
def test_products_are_within_the_bound(name: str, tmp_path: Path) -> None:
    """Those of all formats with kernels, and of the plugin's block decoder."""
    told = run(tmp_path / "products.npz", FOURCC_SIMD=name)
    assert told["target"] == name
    assert sorted(told["excess"]) == sorted(TAGS)
    assert max(told["excess"].values()) <= 1, told["excess"]


@on_every_other_target
def test_operations_compiled_are_what_they_mean(name: str) -> None:
    """`test_simd` again, for this target."""
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


# -- other machines, looked at in assembly


def assembly(name: str, triple: str, tag: str) -> str:
    """Of a format's products, one activation and several."""
    script = Path(__file__).parent / "foreign.py"
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


@pytest.mark.parametrize("tag", ["Q8_0", "Q4_0"])
def test_byte_products_of_avx_vnni(tag: str) -> None:
    """The instruction of 256 bits, in its encoding without AVX-512, and no register of 512."""
    code = assembly("avxvnni", "x86_64-unknown-linux-gnu", tag)
    found = re.findall(r"^(.*)\bvpdpbusd\b.*%ymm", code, re.MULTILINE)
    assert len(found) >= 8
    assert all("{vex}" in before for before in found)
    assert not re.search(r"%zmm|%ymm(1[6-9]|[23]\d)|%k[0-7]", code)


@pytest.mark.parametrize("tag", ["Q8_0", "Q4_0"])
def test_byte_products_of_neon(tag: str) -> None:
    """Dot products of signed bytes; nothing is taken apart lane by lane."""
    code = assembly("neon", "aarch64-unknown-linux-gnu", tag)
    assert len(re.findall(r"\bsdot\s+v\d+\.4s, v\d+\.16b, v\d+\.16b", code)) >= 8
    assert "vpdpbusd" not in code
    assert not re.search(r"\bsmov\b", code)
