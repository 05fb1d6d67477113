"""Calibration data: what a format asks for it gets, and nothing else; what does not fit is refused before work."""

import re
from collections.abc import Mapping
from pathlib import Path

import attrs
import numpy as np
import pytest

import fourcc
from fourcc.arrays import Array
from fourcc.errors import UsageError
from fourcc.format import Aids, Blocks, Format, Original
from fourcc.spec import Part
from tests.core.fakes import installed

W = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
IMPORTANCE = np.arange(1, 7, dtype=np.float32)
HESSIAN = np.diag(IMPORTANCE)
EVERYTHING = Aids(IMPORTANCE, HESSIAN)


def asking(*needs: str) -> tuple[Format, list[Aids]]:
    """A format that asks for something, and what its encoder and its `prepare` were given."""
    seen: list[Aids] = []

    def prepare(original: Original) -> None:
        seen.append(original.aids)

    def encode(blocks: Blocks) -> Mapping[str, Array]:
        seen.append(blocks.aids)
        return {"values": blocks.rows}

    found = Format(
        tag="Asks",
        name="asks",
        summary="floats, and a question",
        block=(1, 1),
        parts=(Part("values", "<f4", lambda geom: (geom.cols,)),),
        needs=frozenset(needs),
        decode=lambda parts, _: parts["values"].copy(),
        encode=encode,
        prepare=prepare,
    )
    return found, seen


@pytest.mark.parametrize("needs", [(), ("importance",), ("hessian",), ("importance", "hessian")], ids=str)
def test_a_format_sees_what_it_asks_for(needs: tuple[str, ...]) -> None:
    """In `prepare` and in `encode`; the rest is None, though it was given."""
    found, seen = asking(*needs)
    with installed(found):
        fourcc.encode(W, "Asks", aids=EVERYTHING)
    assert len(seen) == 2
    for aids in seen:
        for name in ("importance", "hessian"):
            given = getattr(aids, name)
            assert (given is not None) == (name in needs)
            assert given is None or np.array_equal(given, getattr(EVERYTHING, name))


def test_each_expert_has_its_own() -> None:
    """Experts share one array if there is only one."""
    found, seen = asking("importance")
    each = np.arange(12, dtype=np.float32).reshape(2, 6)
    with installed(found):
        fourcc.encode(np.stack([W, W]), "Asks", aids=Aids(importance=each))
        fourcc.encode(np.stack([W, W]), "Asks", aids=Aids(importance=each[0]))
    given = [aids.importance.tolist() for aids in seen if aids.importance is not None]
    assert given[::2] == [each[0].tolist(), each[1].tolist(), each[0].tolist(), each[0].tolist()]


@pytest.mark.parametrize(
    ("needs", "aids", "says"),
    [
        ("hessian", Aids(importance=IMPORTANCE), "the format Asks needs the hessian of each tensor's inputs"),
        ("importance", Aids(IMPORTANCE[:5]), "the importance does not fit: found (5,), expected (6,)"),
        ("importance", Aids(np.ones((3, 6), np.float32)), "found (3, 6), expected (6,), or one for each of 1 matrices"),
        ("hessian", Aids(hessian=IMPORTANCE), "the hessian does not fit: found (6,), expected (6, 6)"),
        ("hessian", Aids(hessian=HESSIAN.astype(np.float64)), "not of finite float32: found dtype float64"),
        ("importance", Aids(IMPORTANCE * np.float32(np.nan)), "the importance is not of finite float32"),
        ("importance", Aids(-IMPORTANCE), "an importance is below 0: found -"),
    ],
)
def test_what_does_not_fit_is_refused_before_work(needs: str, aids: Aids, says: str) -> None:
    """The message names the tensor; the format is not called, and not blamed."""
    found, seen = asking(needs)
    with installed(found), pytest.raises(UsageError, match=re.escape(says)) as caught:
        fourcc.encode(W, "Asks", aids=aids, name="layers.0.wq")
    assert "tensor 'layers.0.wq'" in str(caught.value)
    assert not seen


def test_what_a_format_merely_uses_has_to_fit_as_well() -> None:
    for importance, says in ((np.ones(5, np.float32), "does not fit"), (-np.ones(32, np.float32), "is below 0")):
        with pytest.raises(UsageError, match=says):
            fourcc.encode(np.ones((2, 32), np.float32), "Q4_0", aids=Aids(importance))


def test_a_conversion_refuses_it_too(tmp_path: Path) -> None:
    """Before the output exists; with what is needed, the file records that it was used."""
    found, _ = asking("importance")
    np.savez(tmp_path / "source.npz", w=W)
    source, output = tmp_path / "source.npz", tmp_path / "model.bin"
    with installed(found):
        policy = fourcc.Policy.shorthand("Asks")
        with pytest.raises(UsageError, match=r"tensor 'w': the format Asks needs the importance"):
            fourcc.convert(source, output, policy=policy)
        with pytest.raises(UsageError, match=r"tensor 'w': the importance does not fit"):
            fourcc.convert(source, output, policy=policy, aids={"w": Aids(IMPORTANCE[:2])})
        assert not output.exists()
        result = fourcc.convert(source, output, policy=policy, aids={"w": EVERYTHING})
    (record,) = result.index.tensors
    assert record.aids is not None
    assert len(attrs.fields(Aids)) == 2
