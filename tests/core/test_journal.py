"""The journal of unfinished work: what is read again, what is dropped, what is refused."""

import json
import os
from pathlib import Path

import pytest

from fourcc.errors import InputError, OutputError, UsageError
from fourcc.files.facts import differences
from fourcc.files.journal import Journal, read_journal

HEAD = {"work": "convert", "source": {"a.gguf": {"bytes": 7}}, "policy": 'tag = "Q4_0"\nrole = "*"\n'}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A name in an empty folder."""
    return tmp_path / "model.bin.journal"


def begun(path: Path, *units: str) -> None:
    """A journal with units that are done."""
    with Journal.open(path, HEAD, resume=False) as journal:
        for number, unit in enumerate(units):
            journal.add(unit, {"number": number})


def test_units_come_back(path: Path) -> None:
    """With their records, whatever their names are; the later record of a unit counts."""
    begun(path, "w1", 'ü\n"sum":\'', "w1")
    with Journal.open(path, HEAD, resume=True) as journal:
        assert journal.done == {"w1": {"number": 2}, 'ü\n"sum":\'': {"number": 1}}
        journal.add("w9", {"sums": "00ff", "error": [0.1, None]})
    with Journal.open(path, HEAD, resume=True) as journal:
        assert journal.done["w9"] == {"sums": "00ff", "error": [0.1, None]}
        assert journal.finished is None
        journal.finish({"bytes": 3})
    found = read_journal(path)
    assert found is not None
    assert (len(found.done), found.finished) == (3, {"bytes": 3})


def test_each_line_is_json(path: Path) -> None:
    """So that other tools read it; the first has the facts."""
    begun(path, "w1")
    head, unit = map(json.loads, path.read_text().splitlines())
    assert head["facts"] == HEAD
    assert (unit["unit"], unit["record"]) == ("w1", {"number": 0})


def test_none_without_a_unit(path: Path) -> None:
    """A journal that is left without a unit is removed; one with a unit stays, until it is removed."""
    begun(path)
    assert not path.exists()
    begun(path, "w1")
    journal = Journal.open(path, HEAD, resume=True)
    journal.remove()
    assert not path.exists()


@pytest.mark.parametrize("torn", ["{", '{"unit":"w3","record":{}', '{"unit":"w3","record":{},"sum":"0"}\n', "\0\0\0\n"])
def test_a_torn_last_line_is_dropped(path: Path, torn: str) -> None:
    """And cut off, so that the next unit has a line of its own."""
    begun(path, "w1", "w2")
    with path.open("a") as file:
        file.write(torn)
    with Journal.open(path, HEAD, resume=True) as journal:
        assert list(journal.done) == ["w1", "w2"]
        journal.add("w3", {})
    with Journal.open(path, HEAD, resume=True) as journal:
        assert list(journal.done) == ["w1", "w2", "w3"]


def test_cut_anywhere(path: Path) -> None:
    """Whatever its length, a journal holds the units whose lines are whole; without a whole head it is begun."""
    begun(path, "w1", "w2", "w3")
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        whole = max(0, data[:length].count(b"\n") - 1)
        with Journal.open(path, HEAD, resume=True) as journal:
            assert len(journal.done) == whole


def test_a_damaged_line(path: Path) -> None:
    """Any byte of a line that is not the last: refused, with the line and the way on."""
    begun(path, "w1", "w2", "w3")
    data = path.read_bytes()
    second = data.index(b"\n") + 1
    for at in range(second, data.index(b"\n", second)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(InputError) as caught:
            Journal.open(path, HEAD, resume=True)
        assert str(caught.value) in {
            f"{path}: line {line} of the journal is damaged. Give --force to begin anew." for line in (2, 3)
        }
    Journal.open(path, HEAD, resume=False, anew=True).remove()


@pytest.mark.parametrize("other", [b"some text\nof a user\n", b"\x89FCC", b"[1]\n"])
@pytest.mark.parametrize("anew", [False, True])
def test_a_file_that_is_no_journal(path: Path, other: bytes, *, anew: bool) -> None:
    """It is refused, and stays, even where all is begun anew."""
    path.write_bytes(other)
    with pytest.raises(InputError) as caught:
        Journal.open(path, HEAD, resume=not anew, anew=anew)
    assert str(caught.value) == (
        f"{path}: this file is no journal, and lies where one would be. Move it, or give the output another name."
    )
    assert path.read_bytes() == other


def test_neither_resumed_nor_begun_anew(path: Path) -> None:
    """The error says how much is done, and both ways on."""
    begun(path, "w1", "w2")
    with pytest.raises(UsageError) as caught:
        Journal.open(path, HEAD, resume=False)
    assert str(caught.value) == (
        f"{path}: unfinished work lies beside the output: 2 units are done. "
        "--resume goes on with it, --force begins anew."
    )
    with Journal.open(path, HEAD, resume=False, anew=True) as journal:
        assert not journal.done


def test_resume_comes_before_force(path: Path) -> None:
    """A command that had --force goes on, too, once --resume is added to it."""
    begun(path, "w1")
    with Journal.open(path, HEAD, resume=True, anew=True) as journal:
        assert list(journal.done) == ["w1"]


def test_other_work(path: Path) -> None:
    """Each fact that differs is named, with what was found and what is expected."""
    begun(path, "w1")
    other = {"work": "export", "source": {"a.gguf": {"bytes": 8}}, "policy": 'tag = "Q4_0"\nrole = "x"\n', "new": True}
    with pytest.raises(UsageError) as caught:
        Journal.open(path, other, resume=True)
    assert str(caught.value) == (
        f"{path}: the unfinished work is not the one that is asked for: "
        "work is 'convert', not 'export'; source a.gguf bytes is 7, not 8; "
        "policy line 2 is 'role = \"*\"', not 'role = \"x\"'; new is nothing, not true. "
        "Give --resume with what it began with, or --force to begin anew."
    )
    assert Journal.open(path, HEAD, resume=True).done


def test_many_differences_are_counted() -> None:
    """The message stays readable; lists, numbers and longer texts are compared as JSON has them."""
    assert not differences({"a": (1, 2)}, {"a": [1, 2]})
    (longer,) = differences({"a": "x\ny"}, {"a": "x"})
    assert str(longer) == "a line 2 is 'y', not nothing"


def test_a_journal_that_cannot_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: the error names the journal; what was whole before still counts."""
    journal = Journal.open(path, HEAD, resume=False)
    journal.add("w1", {})
    real = os.write

    def full(fd: int, data: memoryview) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return real(fd, data[: len(data) - 10])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match=r"model\.bin\.journal: cannot write the output: No space left on device"):
        journal.add("w2", {})
    monkeypatch.undo()
    journal.close()
    found = read_journal(path)
    assert found is not None
    assert list(found.done) == ["w1"]
