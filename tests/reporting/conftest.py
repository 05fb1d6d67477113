"""Models that several tests report on; none is to be changed."""

from pathlib import Path

import pytest

import fourcc

POLICY = """
version = 1

[[rule]] # norms are small and sensitive
role = "norm"
tag = "F32"

[[rule]] # the embedding is the classifier, too
role = "embedding"
tag = "Q8_B"

[[rule]] # the first and the last layer keep more
layers = "0, -1"
role = "attention.*"
tag = "Q8_A"

[[rule]]
role = "attention.*"
tag = "Q8_0"

# rows of 176 are no multiple of 32: the fallback takes them
[[rule]]
role = "ffn.down"
tag = "Q4_0"
fallback = ["Q8_B"]

[[rule]]
role = "ffn.*"
tag = "Q4_A"
encoder = { method = "kmeans" }

[expect]
bits = "<= 10"
"""


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
