"""Models that several tests report on; none is to be changed."""

from pathlib import Path

import pytest

import fourcc
from tests.reporting.made_models import POLICY


@pytest.fixture(scope="session")
def example(root: Path) -> Path:
    """The folder of the shipped model."""
    return root / "fourcc" / "example"


@pytest.fixture(scope="session")
def mixed(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model, with a policy of six rules."""
    path = tmp_path_factory.mktemp("mixed") / "model.bin"
    fourcc.convert(example / "tiny.bin", path, policy=POLICY, tokenizer=example / "tiny_tokenizer.bin")
    return path
