"""A copy of a model.bin keeps the policy that it was made with."""

from pathlib import Path

import pytest

import fourcc
from fourcc.sources.model_bin import POLICY_BLOB


@pytest.fixture(scope="module")
def example(root: Path) -> Path:
    """The folder of the shipped model."""
    return root / "fourcc" / "example"


@pytest.fixture(scope="module")
def mixed(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model, made by the shipped policy."""
    path = tmp_path_factory.mktemp("mixed") / "mixed.bin"
    fourcc.convert(example / "tiny.bin", path, policy=example / "mixed.toml")
    return path


def rules(path: Path) -> dict[str, int | None]:
    """Tensor -> number of the rule that chose its format."""
    with fourcc.ModelFile(path) as model:
        return {record.name: record.rule for record in model.index.tensors}


def policy(path: Path) -> bytes:
    """The stored policy."""
    with fourcc.ModelFile(path) as model:
        return bytes(model.blob(POLICY_BLOB))


def test_a_copy_keeps_policy_and_rules(example: Path, mixed: Path, tmp_path: Path) -> None:
    """The text to the byte, comments included, and the numbers that belong to it; also of a copy's copy."""
    fourcc.convert(mixed, tmp_path / "a.bin", tokenizer=example / "tiny_tokenizer.bin")
    fourcc.convert(tmp_path / "a.bin", tmp_path / "b.bin")
    for copy in ("a.bin", "b.bin"):
        assert policy(tmp_path / copy) == (example / "mixed.toml").read_bytes()
        assert rules(tmp_path / copy) == rules(mixed)
    assert len(set(rules(mixed).values())) > 1


def test_a_part_keeps_them(mixed: Path, tmp_path: Path) -> None:
    """The rules of the tensors that are left out stand in the policy, too: it says how the file came to be."""
    fourcc.convert(mixed, tmp_path / "a.bin", include=["layers.0.*"])
    assert policy(tmp_path / "a.bin") == policy(mixed)
    assert rules(tmp_path / "a.bin").items() <= rules(mixed).items()


def test_another_policy_takes_its_place(mixed: Path, tmp_path: Path) -> None:
    """Also where one of its rules keeps tensors: the numbers are those of the policy that is stored."""
    text = 'version = 1\n[[rule]]\nmatch = "layers.0.*"\ntag = "F16"\n[[rule]]\nmatch = "*"\nkeep = true\n'
    fourcc.convert(mixed, tmp_path / "a.bin", policy=text)
    assert policy(tmp_path / "a.bin") == text.encode()
    assert set(rules(tmp_path / "a.bin").values()) == {0, 1}


def test_a_file_without_a_policy_gets_the_usual_one(example: Path, tmp_path: Path) -> None:
    """As every conversion without a policy."""
    fourcc.convert(example / "tiny.bin", tmp_path / "a.bin")
    assert b"keep = true" in policy(tmp_path / "a.bin")
    assert set(rules(tmp_path / "a.bin").values()) == {0}
