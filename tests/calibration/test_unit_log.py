"""The log of a measurement: a torn line is cut off, and what was whole is there again, however often it is reopened."""

from pathlib import Path

import attrs
import pytest

from fourcc.calibration.costs import Option, Unit
from fourcc.calibration.unit_log import UnitLog
from fourcc.errors import OutputError, UsageError

OPTION = Option("Q4_0", {}, {"search": 1}, 18, 1 / 3, 1e-7 / 3)
ONE = Unit("a", ("a",), ("other",), ((1, 32),), (0,), (OPTION,))
TWO = attrs.evolve(ONE, name="b", tensors=("b",))
HEAD = {"tokens": 60, "model": "ab"}


def test_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    output = tmp_path / "model.costs"
    log = UnitLog(output, HEAD, resume=True)
    assert log.done == {}
    log.add(ONE)
    with log.path.open("ab") as file:
        file.write(b'{"name": "torn')
    again = UnitLog(output, HEAD, resume=True)
    assert again.done == {"a": ONE}
    again.add(TWO)
    assert UnitLog(output, HEAD, resume=True).done == {"a": ONE, "b": TWO}
    assert UnitLog(output, HEAD, resume=False).done == {}


@pytest.mark.parametrize(
    "begin", ["", "x\n", "[]\n", '{"tokens": 60, "model": "ab"', '{"tokens": 61, "model": "ab"}\n']
)
def test_another_measurement_is_refused(tmp_path: Path, begin: str) -> None:
    output = tmp_path / "model.costs"
    (tmp_path / "model.costs.part").write_text(begin)
    with pytest.raises(UsageError, match="the unfinished measurement is of something else"):
        UnitLog(output, HEAD, resume=True)


def test_it_goes_once_the_costs_are_written(tmp_path: Path) -> None:
    log = UnitLog(tmp_path / "model.costs", HEAD, resume=False)
    log.remove()
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_of_nothing(tmp_path: Path) -> None:
    """A measurement that fails before a unit is done has nothing to resume."""
    log = UnitLog(tmp_path / "model.costs", HEAD, resume=False)
    with pytest.raises(KeyboardInterrupt), log.removed_if_empty():
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    log = UnitLog(tmp_path / "model.costs", HEAD, resume=False)
    log.add(ONE)
    with pytest.raises(KeyboardInterrupt), log.removed_if_empty():
        raise KeyboardInterrupt
    assert UnitLog(tmp_path / "model.costs", HEAD, resume=True).done == {"a": ONE}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """With the file's name."""
    (tmp_path / "model.costs.part").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"model\.costs\.part: cannot write the output: No space left on device"):
        UnitLog(tmp_path / "model.costs", HEAD, resume=False)
    assert not list(tmp_path.iterdir())
