"""The log of a measurement: a torn line is cut off, and what was whole is there again, however often it is reopened."""

from pathlib import Path

import attrs
import pytest

from fourcc.calibration.costs import Option, Unit
from fourcc.calibration.unit_log import UnitLog
from fourcc.errors import UsageError

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
