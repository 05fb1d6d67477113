"""Steps in Python: what they raise is raised once the program has run, and none is left out unnoticed."""

import pytest

from fourcc.compute.python_steps import PythonStep, raise_first


def test_the_first_error_is_raised_after_all_steps() -> None:
    done: list[int] = []
    steps = [PythonStep(lambda: done.append(1)), PythonStep(lambda: 1 // 0), PythonStep(lambda: done.append(2))]
    for step in steps:
        step()
    with pytest.raises(ZeroDivisionError):
        raise_first(steps)
    assert done == [1, 2]
    for step in (steps[0], steps[2]):
        step()
    raise_first([steps[0], steps[2]])


def test_a_step_that_never_began_is_an_interrupt() -> None:
    """A signal's handler that raises between compiled code and Python leaves no other trace."""
    steps = [PythonStep(lambda: None), PythonStep(lambda: None)]
    steps[0]()
    with pytest.raises(KeyboardInterrupt):
        raise_first(steps)
    for step in steps:
        step()
    raise_first(steps)
