"""Constants that a format and its kernel both state: kernels import nothing of formats."""

from importlib import import_module

import pytest

from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry

NATIVE = [str(tag).lower() for tag in registry if registry.entry(tag).distribution == OWN and registry[tag].kernel]


@pytest.mark.parametrize("stem", NATIVE)
def test_a_format_and_its_kernel_agree(stem: str) -> None:
    """Both state the same block, largest code and zero points."""
    formats, kernels = (vars(import_module(f"fourcc.{folder}.{stem}")) for folder in ("formats", "kernels"))
    for name in ("BLOCK", "TOP", "MAX_EXPONENT", "BIAS", "BINS", "ZERO_POINT", "SCALE_ZERO", "HUGE"):
        if name in formats and name in kernels:
            assert kernels[name] == formats[name], name
