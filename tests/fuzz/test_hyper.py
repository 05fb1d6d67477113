"""Hyper-parameters of the wrong kind and beyond all bounds: an answer or an error of ours, soon, in little memory."""

import sys
from pathlib import Path

import pytest

from fourcc.errors import FourccError
from tests.fuzz.hyper import KEYS, KINDS, VALUES, honest_model, logits_of, mutations, swept

EACH = 24  # of the sweep's models one is tried here; all of them: python -m tests.fuzz.hyper


def test_the_sweep_is_wide() -> None:
    """It sets every key of every kind to every value, and pairs of keys."""
    everything = list(mutations())
    assert len(everything) >= 753
    assert len(set(map(str, everything))) > 0.9 * len(everything)
    assert {mutation.kind for mutation in everything} == set(KINDS) == set(KEYS)
    assert {key for mutation in everything for key in mutation.changes} == {
        key for keys in KEYS.values() for key in keys
    }
    assert sum(len(mutation.changes) == 2 for mutation in everything) >= 100
    assert len(VALUES) > 30


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux does")
@pytest.mark.parametrize("first", [0, 1])
def test_run_eval_and_export(first: int) -> None:
    """Through the commands, in this process: exit codes 0 to 3, a second and 256 MiB at most beyond the honest."""
    sweep = swept(list(mutations())[first::EACH])
    assert not sweep.findings
    assert {code for command, code in sweep.codes if command == "run"} == {0, 2, 3}


def test_the_honest_model_answers(tmp_path: Path) -> None:
    """The models that the sweep changes run if nothing is changed."""
    assert logits_of(honest_model(tmp_path / "m.bin", {})).shape == (1, 260)
    with pytest.raises(FourccError, match="n_heads"):
        logits_of(honest_model(tmp_path / "m.bin", {"n_heads": "4"}))
