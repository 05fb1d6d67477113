"""The kernel that a format declares: a name, or a function of the layout's parameters."""

import numpy as np
import pytest

from fourcc import compute
from fourcc.errors import PluginError
from fourcc.format import Format
from fourcc.kernels.f32 import KERNEL
from fourcc.part import Part


def named(kernel: str) -> Format:
    """A format that names its kernel."""
    return Format(
        tag="T4x",
        name="t",
        summary="floats",
        block=(1, 1),
        parts=(Part("values", "<f4", tail=lambda geom: (geom.cols,)),),
        decode=lambda parts, _: np.array(parts["values"]),
        kernel=kernel,
    )


def test_a_name_leads_to_the_kernel() -> None:
    assert compute.kernel_of(named("fourcc.kernels.f32:KERNEL")) is KERNEL


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fourcc.kernels.nix:KERNEL", "ImportError: kernel='fourcc.kernels.nix:KERNEL': No module named"),
        ("fourcc.kernels.f32:KERNE", "ImportError: kernel='fourcc.kernels.f32:KERNE': .* has no attribute 'KERNE'"),
        ("f32 KERNEL", "ImportError: kernel='f32 KERNEL': invalid format"),
        ("fourcc.kernels.f32", "TypeError: kernel='fourcc.kernels.f32' gave a module"),
    ],
)
def test_a_wrong_name_is_said_in_words(name: str, says: str) -> None:
    """The error names the format, the text, and what is missing."""
    with pytest.raises(PluginError, match=f"no products with the format T4x: its kernel cannot be made: found {says}"):
        compute.kernel_of(named(name))
