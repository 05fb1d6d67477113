"""The machine that kernels are compiled for: chosen once a process, from the host's features or ``FOURCC_SIMD``."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Target:
    """A family of processors that share one lowering of the operations.

    Attributes:
        name: its name in ``FOURCC_SIMD``.
        architecture: first word of the LLVM triple; empty: any.
        needs: LLVM's names of the features that the code needs.
        cpu: LLVM's name of the processor to compile for where the user forced the target; empty: a generic one.
        code_columns: activations that a product of codes keeps in registers at once, with 32 rows.
        group_columns: activations of a product that unpacks its codes, with 16 rows.
        float_columns: activations of a product of floats, with 16 rows.
        bias: number that `fourcc.kernels.simd.dot.biased` adds to a signed byte for an unsigned dot product.
    """

    name: str
    architecture: str
    needs: frozenset[str]
    cpu: str
    code_columns: int
    group_columns: int
    float_columns: int
    bias: int


TARGETS = (
    Target(
        "avx512", "x86_64", frozenset({"avx512f", "avx512bw", "avx512vl", "avx512vnni"}), "icelake-client", 6, 4, 8, 128
    ),
    Target("avxvnni", "x86_64", frozenset({"avx2", "fma", "f16c", "avxvnni"}), "alderlake", 2, 2, 4, 128),
    Target("avx2", "x86_64", frozenset({"avx2", "fma", "f16c"}), "haswell", 2, 2, 4, 0),
    Target("neon", "aarch64", frozenset({"neon", "dotprod"}), "cortex-a76", 2, 2, 4, 0),
    Target("portable", "", frozenset(), "", 2, 2, 4, 0),
)
NAMES = tuple(target.name for target in TARGETS)
HWCAP, DOT_PRODUCTS = 16, 1 << 20  # key of Linux's word of aarch64 features, and its bit ASIMDDP


@cache
def host() -> tuple[str, frozenset[str]]:
    """The host's architecture and its features, by LLVM's names."""
    import llvmlite.binding as llvm

    architecture = llvm.get_process_triple().split("-")[0]
    features = frozenset(name for name, present in llvm.get_host_cpu_features().items() if present)
    return architecture, features | (_linux_features() if architecture == "aarch64" else frozenset())


def _linux_features() -> frozenset[str]:
    """NEON with dot products, if Linux reports them; LLVM does not read the latter from Linux."""
    try:
        getauxval = ctypes.CDLL(None).getauxval
    except (AttributeError, OSError, TypeError):  # not Linux
        return frozenset()
    getauxval.restype, getauxval.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
    return frozenset({"neon", "dotprod"}) if getauxval(HWCAP) & DOT_PRODUCTS else frozenset()


@cache
def host_processor() -> str:
    """LLVM's name of the host's processor."""
    import llvmlite.binding as llvm

    name: str = llvm.get_host_cpu_name()
    return name


def runs_here(target: Target) -> bool:
    """Whether the host has all features that the target needs."""
    architecture, features = host()
    return target.architecture in {"", architecture} and target.needs <= features


@cache
def target() -> Target:
    """The target of this process: the one that ``FOURCC_SIMD`` names, or the first in TARGETS that the host can run.

    Raises:
        ValueError: ``FOURCC_SIMD`` names no target, or one that the host cannot run.
    """
    wanted = os.environ.get("FOURCC_SIMD")
    if not wanted:
        return next(each for each in TARGETS if runs_here(each))
    named = next((each for each in TARGETS if each.name == wanted), None)
    if named is None:
        raise ValueError(f"FOURCC_SIMD: found {wanted!r}, expected one of {', '.join(NAMES)}")
    if not runs_here(named):
        missing = ", ".join(sorted(named.needs - host()[1])) or named.architecture
        raise ValueError(f"FOURCC_SIMD: this machine cannot run {wanted!r}: it lacks {missing}")
    return named


@cache
def multiplies_bfloat16s() -> bool:
    """Whether the processor multiplies bfloat16, two products at once for a float32."""
    return target().name == "avx512" and "avx512bf16" in host()[1]


def architecture_of(chosen: Target) -> str:
    """First word of the LLVM triple that a target is compiled for: the host's where the target runs anywhere."""
    return chosen.architecture or host()[0]


def processor(chosen: Target) -> tuple[str, str]:
    """LLVM's name of the processor to compile a target for, and its features as text."""
    import llvmlite.binding as llvm

    if chosen == next(each for each in TARGETS if runs_here(each)):
        known = llvm.get_host_cpu_features().flatten()
        unknown = sorted(f"+{name}" for name in chosen.needs if f"+{name}" not in known.split(","))
        return host_processor(), ",".join([known, *unknown] if known else unknown)
    generic = "x86-64" if host()[0] == "x86_64" else "generic"
    return (chosen.cpu or generic), ",".join(f"+{name}" for name in sorted(chosen.needs))
