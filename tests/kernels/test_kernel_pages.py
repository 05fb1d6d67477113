"""Pages on kernels are true: the files and functions that decision 0009 names exist, and products.md's numbers hold."""

import re
from pathlib import Path

import pytest

from fourcc.kernels.products import crossover

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


def test_few_activations_are_as_few_as_the_page_says() -> None:
    """products.md states each number of `crossover` once, in the row of a few activations."""
    (row,) = (line for line in (ROOT / "specs/products.md").read_text().splitlines() if line.startswith("| a few |"))
    stated = [int(number) for number in re.findall(r"up to (\d+)", row)]
    assert sorted(stated) == sorted(value for name, value in vars(crossover).items() if name.isupper())


@pytest.mark.parametrize("folder", ["kernels", "kernels/products"])
def test_callbacks_have_types(folder: str) -> None:
    """No function of a kernel takes another whose signature mypy cannot check."""
    untyped = {path.name for path in (ROOT / folder).glob("*.py") if "Callable[..., " in path.read_text()}
    assert untyped == set()
