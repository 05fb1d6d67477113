"""The subject of an examination: shapes, settings, made-up calibration data, and the target for other processes."""

from pathlib import Path

import attrs
import numpy as np
import pytest

from fourcc.errors import PluginError
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from fourcc.testing import Subject, trials
from fourcc.testing.memory import PLACES, Guarded
from fourcc.testing.plan import check_named
from fourcc.testing.subject import random_parts
from fourcc.testing.weights import bell, described, heavy, integers, largest
from tests.core.seam_formats import AWQ, ENTROPY, GPTQ
from tests.testing import broken_formats as broken
from tests.testing.good_formats import GOOD

Q8_A, Q4_A, Q8_0 = (registry[as_tag(tag)] for tag in ("Q8_A", "Q4_A", "Q8_0"))


def test_shapes_reach_every_edge() -> None:
    """One row and column, none, a short last block along rows and down columns, a stack, a vector, a scalar."""
    shapes = Subject.of(Q4_A).shapes()
    assert {(3, 257), (1, 1), (131, 1), (0, 256), (2, 0), (256,), (), (2, 3, 4, 256)} <= set(shapes)
    assert {(128, 32), (129, 32), (257, 32)} <= set(Subject.of(Q8_A).shapes())
    assert all(not shape or shape[-1] % 32 == 0 for shape in Subject.of(Q8_0).shapes())


def test_variants_change_one_setting_each() -> None:
    """Variants have every other choice of a parameter and of an option."""
    variants = list(Subject.of(GOOD).variants())
    assert [dict(each.params) for each in variants] == [{"group": 32}, {"group": 64}]
    assert [each.options["method"] for each in Subject.of(Q4_A).variants()] == ["kmeans", "equal-count"]
    assert variants[1].settled() == " with group = 64"


def test_settings_are_checked() -> None:
    assert Subject.of(GOOD, params={"group": 64}).params == {"group": 64}
    with pytest.raises(ValueError, match="found 33, expected one of 32, 64"):
        Subject.of(GOOD, params={"group": 33})
    with pytest.raises(ValueError, match="no setting named 'size'"):
        trials(GOOD, options={"size": 1})


def test_it_is_found_by_name() -> None:
    """Its entry point tells, where it is installed, else the module of its functions."""
    assert Subject.of(Q8_0).target == "fourcc.formats.q8_0:Q8_0"
    assert Subject.of(broken.PART).target == "tests.testing.broken_formats:PART"
    assert Subject.of(attrs.evolve(GOOD)).target is None


def test_it_is_installed_for_a_while() -> None:
    """A format that is installed already stays as it is."""
    subject = Subject.of(GOOD)
    with subject.installed():
        assert registry[as_tag("Good")] is GOOD
        with subject.installed():
            assert registry.entry(as_tag("Good")).owner == "unpackaged 0"
    assert as_tag("Good") not in registry
    with Subject.of(Q8_0).installed() as found:
        assert found is Q8_0
    reserved = attrs.evolve(GOOD, tag="GOOD")
    with pytest.raises(PluginError, match="GOOD is reserved"), Subject.of(reserved).installed():
        pass
    assert check_named("zeros").outcome(Subject.of(reserved)).status == "failed"


@pytest.mark.parametrize("found", [GPTQ, AWQ], ids=["hessian", "importance"])
def test_calibration_data_are_made_up(found: object) -> None:
    """They are those that the format asks for, positive and definite; the check sees that they matter."""
    subject = Subject.of(found)  # type: ignore[arg-type]  # a Format
    aids = subject.aids((2, 24))
    if aids.importance is not None:
        assert (aids.importance > 0).all()
    if aids.hessian is not None:
        assert np.linalg.eigvalsh(aids.hessian.astype(np.float64)).min() > 0
    assert (aids.importance is None) != (aids.hessian is None)
    assert check_named("calibration").outcome(subject).status == "passed"


def test_stored_bytes_are_found() -> None:
    """Beside the module, or in the checkout; of a format that was only made up, none."""
    assert Subject.of(Q8_0).vectors is not None
    assert Subject.of(GOOD).vectors is None
    given = Path("here.json")
    assert Subject.of(GOOD, vectors=given).vectors == given


def test_random_parts_of_variable_length() -> None:
    """They have a random length; fixed ones have their shape."""
    parts = random_parts(ENTROPY, ENTROPY.geometry((3, 8)), seed=1)
    assert parts["stream"].ndim == 1
    assert parts["steps"].shape == (3,)


@pytest.mark.parametrize("place", PLACES)
def test_guarded_memory_holds_the_same_bytes(place: str) -> None:
    """Parts of any dtype and size; they are read-only."""
    record = np.zeros((3, 5), np.dtype([("d", "<f2"), ("q", "i1", 32)]))
    record["d"] = 1.5
    with Guarded() as guarded:
        for part in (record, np.arange(7, dtype=np.uint8), np.zeros((0, 4), np.float32)):
            held = guarded.hold(part, place)  # type: ignore[arg-type]  # one of PLACES
            assert held.tobytes() == part.tobytes()
            assert (held.shape, held.dtype) == (part.shape, part.dtype)
            with pytest.raises(ValueError, match="read-only"):
                held[...] = 0


def test_weights_in_words() -> None:
    """Weights are equal on every machine: these are pinned."""
    assert described(bell((2, 3)), "normal weights") == "float32 (2, 3), normal weights"
    assert integers((1, 4), -1).tolist() == [[-25.0, -6.5, 12.0, -20.0]]
    top = float(np.finfo(np.float32).max)
    assert largest((1, 4), mixed=True).tolist() == [[-top, top, top, -top]]
    assert (bell((5,), 3) == bell((5,)) * 8).all()
    assert np.abs(heavy((1000,))).max() > np.abs(bell((1000,))).max()
