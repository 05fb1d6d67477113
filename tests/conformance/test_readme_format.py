"""The format that the README shows whole: it is that of the package, and passes the kit."""

import ast
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from fourcc import Format, packed, per_block
from fourcc.testing import Check, Subject
from fourcc.testing.plan import CHECKS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tests" / "plugins" / "fourcc-nf"
UNPINNED = {"stored bytes"}  # the package is a single file
QUICK = {"declaration", "kernel", "nominal bits", "declared size", "zeros", "rows alone", "codes"}
MADE = [check for check in CHECKS if check.name not in UNPINNED]


@pytest.fixture(scope="module")
def shown() -> str:
    """The Python that makes the format in the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return next(body for body in re.findall(r"^```py\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if "NF64" in body)


@pytest.fixture(scope="module")
def subject(shown: str) -> Subject:
    """The format, made by the README's code."""
    sys.path.insert(0, str(PACKAGE))
    from fourcc_nf import QUANTILES

    sys.path.remove(str(PACKAGE))
    names = {"np": np, "Format": Format, "packed": packed, "per_block": per_block, "QUANTILES": QUANTILES}
    exec(compile(shown, "README.md", "exec"), names)  # noqa: S102 - ours
    return Subject.of(names["NF64"])


def plain(text: str) -> dict[str, str]:
    """The functions and the format of a module, without annotations and docstrings."""
    tree = ast.parse(text)
    for each in ast.walk(tree):
        if isinstance(each, ast.FunctionDef):
            each.returns = None
            each.body = [line for line in each.body if not isinstance(line, ast.Expr)]
        elif isinstance(each, ast.arg):
            each.annotation = None
    made = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    made |= {each.targets[0].id: each for each in tree.body if isinstance(each, ast.Assign)}
    return {name: ast.unparse(each) for name, each in made.items()}


def test_it_is_the_package(shown: str) -> None:
    package = plain((PACKAGE / "fourcc_nf.py").read_text(encoding="utf-8"))
    assert plain(shown) == {name: package[name] for name in ("decode_block", "encode", "NF64")}


@pytest.mark.parametrize("check", [check for check in MADE if check.name in QUICK], ids=lambda check: check.name)
def test_it_keeps_what_is_promised(subject: Subject, check: Check) -> None:
    assert check.here(subject).status != "failed"


@pytest.mark.thorough
@pytest.mark.parametrize("check", [check for check in MADE if check.name not in QUICK], ids=lambda check: check.name)
def test_it_passes_the_kit(subject: Subject, check: Check) -> None:
    assert check.outcome(subject).status != "failed"
