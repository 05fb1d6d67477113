"""Rates that a machine remembers: a small file that is never a reason to fail."""

import json
from multiprocessing import get_context
from pathlib import Path

import pytest

from fourcc.rates.remembered import FILES, KINDS, SAMPLES, START, rate_files, rates_file, remember, remembered
from fourcc.rates.sample import Sample

ONE = Sample(1e-9, 2e-9, 2)


def test_nothing_is_remembered_at_first(folder: Path) -> None:
    """Looking makes no folder."""
    assert remembered() == {}
    assert rate_files() == []
    assert not folder.exists()


def test_what_is_remembered_comes_back(folder: Path) -> None:
    """The latest samples of each kind, oldest first; the file has no neighbour that is half-written."""
    for number in range(SAMPLES + 2):
        remember({"encode X": Sample(1e-9 * (number + 1), 1e-8, 1)})
    remember({"decode Y": ONE})
    found = remembered()
    assert [each.processor for each in found["encode X"]] == pytest.approx([1e-9 * n for n in range(3, SAMPLES + 3)])
    assert found["decode Y"] == (ONE,)
    assert [path.name for path in folder.iterdir()] == [rates_file().name]


def test_only_so_many_kinds_stay() -> None:
    """The last ones."""
    remember({f"kind {number}": ONE for number in range(KINDS + 10)})
    remember({"kind 10": ONE})
    assert list(remembered())[-1] == "kind 10"
    assert len(remembered()) == KINDS
    assert "kind 9" not in remembered()


def test_each_processor_has_a_file_and_few_stay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates under one SIMD target are none under another; the oldest files go."""
    names = set()
    for number in range(FILES + 3):
        monkeypatch.setenv("FOURCC_SIMD", f"target{number}")
        assert remembered() == {}
        remember({"encode X": ONE})
        names.add(rates_file().name)
    assert len(names) == FILES + 3
    assert len(list(folder.iterdir())) == FILES


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 5000,
        '{"rates": 3}',
        '{"rates": {"x": 3, "y": [3], "z": [[1, 2]]}}',
        '{"rates": {"x": [["1", 2, 3]], "y": [[NaN, 1, 1]], "z": [[1, -1, 1]], "w": [[1, 1, true]], "v": [[1, 1, 0]]}}',
    ],
)
def test_a_damaged_file_counts_as_none(text: str) -> None:
    """And it is replaced."""
    rates_file().parent.mkdir(mode=0o700)
    rates_file().write_text(text, encoding="utf-8")
    assert not [each for each in remembered() if each != "w"]
    remember({"encode X": ONE})
    assert remembered()["encode X"] == (ONE,)


def test_a_folder_that_cannot_be_written_is_no_error(folder: Path) -> None:
    """Nothing is remembered then."""
    folder.write_text("a file", encoding="utf-8")
    remember({"encode X": ONE})
    assert remembered() == {}
    assert folder.read_text(encoding="utf-8") == "a file"


def _many(number: int) -> None:
    for turn in range(40):
        remember({f"kind {number} {turn % 4}": ONE})


@pytest.mark.thorough
def test_processes_may_remember_at_once() -> None:
    """The file is whole at any time; of samples that come at once the last ones stay."""
    context = get_context("spawn")
    workers = [context.Process(target=_many, args=(number,)) for number in range(2)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        if rates_file().exists():
            json.loads(rates_file().read_text(encoding="utf-8"))
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert any(set(remembered()) >= {f"kind {number} {turn}" for turn in range(4)} for number in range(2))
    assert [path.name.startswith(START) for path in rates_file().parent.iterdir()] == [True]
