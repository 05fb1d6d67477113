"""The six formats that authors copy: they are short, and their products are fused."""

import os
from pathlib import Path

import pytest

from fourcc import compute
from tests.plugins.measure_six import NAMES, PACKAGE, code_lines, evaluated, load

MOST_LINES = 25
OUTLIERS = 35  # lines at most of a format with sparse weights beside its blocks
# Name -> bits per weight and KL divergence of the whole model at most: that of six packages written from the guide.
QUALITY = {
    "lg4x": (4.27, 0.12),
    "cb3k": (3.28, 0.087),
    "hd4r": (4.27, 0.038),
    "ol4s": (4.77, 0.0255),
    "tr5p": (1.71, 0.95),
    "im4n": (4.27, 0.027),
}


@pytest.mark.parametrize("name", NAMES)
def test_each_is_short(name: str) -> None:
    assert code_lines(PACKAGE / "fourcc_six" / f"{name}.py") <= (OUTLIERS if name == "ol4s" else MOST_LINES)


def test_lines_of_code_are_neither_blank_nor_comment_nor_docstring(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""Two\nlines."""\n\nX = """one\ntwo"""  # a note\n\n\ndef f():\n    """A line."""\n    # no\n    return X\n'
    )
    assert code_lines(module) == 4  # X and its second line, def, return


@pytest.mark.parametrize("name", NAMES)
def test_each_is_fused(name: str) -> None:
    fmt = load(name)
    assert compute.why_decoded(fmt) is None
    assert compute.kernel_of(fmt).level == "fused"


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_each_keeps_the_model(name: str) -> None:
    """On a model that is no part of the repository."""
    data = Path(os.environ.get("FOURCC_DATA", ""))
    if not (data / "tales5M.bin").is_file():
        pytest.skip("FOURCC_DATA names no folder of real models")
    bits, found = evaluated(load(name), data)
    most_bits, most = QUALITY[name]
    assert bits < most_bits
    assert found.divergence is not None
    assert found.divergence.mean < most
