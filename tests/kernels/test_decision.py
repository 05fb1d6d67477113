"""The page of kernels (specs/decisions/0009-kernels.md) names files that exist, and functions that they have."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "specs/decisions/0009-kernels.md").read_text()
WALK = re.findall(r"^\d\. `(kernels/[\w/]+\.py)`: (.+?)(?=^\d\. |^$)", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:kernels|formats)/[\w/.]*)`", PAGE))))
def test_paths_exist(name: str) -> None:
    assert (ROOT / name).exists()


@pytest.mark.parametrize(("name", "text"), WALK, ids=[name for name, _ in WALK])
def test_files_of_the_walk_have_what_it_names(name: str, text: str) -> None:
    source = (ROOT / name).read_text()
    names = [each for each in re.findall(r"`([^`]+)`", text) if each.isidentifier()]
    assert [each for each in names if each not in source] == []


def test_the_walk_is_whole() -> None:
    assert len(WALK) == 9
