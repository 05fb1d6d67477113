"""Parameters of a layout, whole: declared, given by a policy, refused with its other errors, stored, and shown."""

import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from fourcc.container.index import Index, Provider
from fourcc.container.reader import ModelFile
from tests.cli.making import ODD, Runner, rewrite_index
from tests.core.fakes import installed
from tests.testing.broken_formats import GOOD

POLICY = """
version = 1

[[rule]]
role = "attention.q"
tag = "Good"
params = { group = 64 }

[[rule]]
role = "attention.*"
tag = "Good"

[[rule]]
match = "*"
tag = "F32"
"""
WRONG = """
version = 1

[[rule]]
role = "attention.q"
tag = "Good"
params = { group = 33, grup = 1 }
encoder = { effort = 3 }

[[rule]]
match = "*"
tag = "Nope"
"""


@pytest.fixture(autouse=True)
def good() -> Iterator[None]:
    """A format with a parameter: weights that share a scale."""
    with installed(GOOD):
        yield


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "mixed.toml"
    path.write_text(POLICY)
    return path


@pytest.fixture
def model(run: Runner, tiny: Path, policy: Path, tmp_path: Path) -> Path:
    """The shipped model with q in groups of 64, the rest of attention in groups of 32."""
    path = tmp_path / "model.bin"
    ended = run("convert", tiny, "-o", path, "--policy", policy, "-q")
    assert ended.code == 0, ended.err
    return path


def test_declared(run: Runner) -> None:
    """`formats` shows name, default, choices, and the block that is as wide as it says."""
    text = run("formats", "Good").out
    assert re.search(r"^block +1 x group$", text, re.MULTILINE)
    assert re.search(r"^group +param +32 +32, 64 +weights with one scale$", text, re.MULTILINE)


def test_planned(run: Runner, tiny: Path, policy: Path) -> None:
    """Each tensor with its own, or the default, before anything is written; bits are those of the parameter."""
    ended = run("convert", tiny, "--policy", policy, "--dry-run")
    (line,) = (line for line in ended.out.splitlines() if line.startswith(ODD))
    assert line.split()[-4:] == ["Good", "group=64", "8.667", "9984"]  # 96 columns are two groups: 96 + 8 bytes a row
    assert "group=32" in next(line for line in ended.out.splitlines() if line.startswith("layers.0.attention.wk"))
    plan = run("policy", "check", policy, tiny, "--json").document
    assert next(each for each in plan["tensors"] if each["name"] == ODD)["params"] == {"group": 64}


def test_refused_with_the_policy_s_other_errors(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """All at once, each with its line, its key, and what is allowed."""
    (tmp_path / "wrong.toml").write_text(WRONG)
    ended = run("convert", tiny, "--policy", tmp_path / "wrong.toml", "--dry-run")
    assert ended.code == 2
    assert "4 problems in the policy" in ended.err
    assert "line 7: rule[0].params.group: found 33, expected one of 32, 64 (weights with one scale)" in ended.err
    assert "rule[0].params.grup: Good has no such setting (did you mean 'group'?)" in ended.err
    assert "rule[0].encoder.effort: Good has no such setting" in ended.err
    assert "rule[1].tag: no installed package provides the format Nope" in ended.err


def test_stored_and_shown(run: Runner, model: Path) -> None:
    """In the file, in the listing, of one tensor, and as JSON; a copy keeps them."""
    with ModelFile(model) as opened:
        stored = {tensor.name: dict(tensor.params) for tensor in opened.index.tensors}
    assert stored[ODD] == {"group": 64}
    assert stored["layers.0.attention.wk"] == {"group": 32}
    assert stored["norm"] == {}
    lines = run("inspect", model).out.splitlines()
    head = next(line.split() for line in lines if line.startswith("tensor "))
    assert head[:4] == ["tensor", "shape", "tag", "params"]
    assert next(line for line in lines if line.startswith(ODD)).split()[4:6] == ["Good", "group=64"]
    assert next(line for line in lines if line.startswith("norm ")).split()[2:4] == ["F32", "-"]
    assert re.search(r"^params +group=64$", run("inspect", model, "--tensor", ODD).out, re.MULTILINE)
    assert run("verify", model).code == 0


def test_other_parameters_are_a_difference(run: Runner, tiny: Path, model: Path, tmp_path: Path) -> None:
    """A policy that asks for other parameters encodes the tensor anew."""
    other = tmp_path / "other.bin"
    assert run("convert", model, "-o", other, "--format", "Good", "--include", "*attention.w*", "-q").code == 0
    ended = run("diff", model, other)
    assert ended.code == 1
    assert f"{ODD}: params: {{'group': 64}} in A, {{'group': 32}} in B" in ended.out
    assert run("diff", tiny, model).code == 1


def test_another_version_of_the_plugin_is_noted(run: Runner, model: Path, tmp_path: Path) -> None:
    """From metadata alone for a listing; the version of its encoder is told of one tensor, and by diff."""
    assert "made by" not in run("inspect", model).out
    old = tmp_path / "old.bin"

    def edit(index: Index) -> Index:
        providers = tuple(Provider("fake", "0.9") if each.distribution == "fake" else each for each in index.providers)
        tensors = (
            tensor._replace(encoder_version=7) if str(tensor.tag) == "Good" else tensor for tensor in index.tensors
        )
        return attrs.evolve(index, providers=providers, tensors=tuple(tensors))

    rewrite_index(model, old, edit)
    said = "16 tensors in the format Good made by fake 0.9; installed is fake 1.0, whose encoder may be another"
    assert said in run("inspect", old).out
    assert "encoder version  7 (installed: 1, which may encode otherwise)" in run("inspect", old, "--tensor", ODD).out
    ended = run("diff", model, old)
    assert ended.code == 1
    assert f"{ODD}: encoder version: 1 in A, 7 in B" in ended.out
