"""Mixes of measured costs, converted and evaluated: the prediction holds, and a recipe is further from the original."""

from pathlib import Path

import pytest

import fourcc
from fourcc.calibration.measure import measure


@pytest.fixture
def halves(root: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A text to measure on, and another to judge on."""
    text = (root / "fourcc" / "example" / "heldout.txt").read_text()
    files = (tmp_path / "measured.txt", tmp_path / "judged.txt")
    for file, part in zip(files, (text[: len(text) // 2], text[len(text) // 2 :]), strict=True):
        file.write_text(part)
    return files


@pytest.mark.thorough
def test_a_mix_is_nearer_than_a_recipe(root: Path, tmp_path: Path, halves: tuple[Path, Path]) -> None:
    """In a file that is no larger, on another text; on the same text the divergence is the predicted one."""
    tiny = root / "fourcc" / "example" / "tiny.bin"
    tokenizer = tiny.with_name("tiny_tokenizer.bin")
    options = ("Q4_A", "Q8_0", "Q8_A", "Q4_0", "Q5_0", "F16")
    costs = measure(tiny, halves[0], options=options, tokens=2000, tokenizer=tokenizer)
    mix = fourcc.allocate(tiny, costs, budget="365kB", tokenizer=tokenizer)
    assert mix.recipe is not None
    files = (tmp_path / "mixed.bin", tmp_path / "recipe.bin")
    for file, policy in zip(files, (mix.policy, mix.recipe.plan.policy), strict=True):
        fourcc.convert(tiny, file, policy=policy, tokenizer=tokenizer)
        assert file.stat().st_size <= 365_000

    def divergence(file: Path, text: Path) -> float:
        found = fourcc.evaluate(
            file, text, reference=tiny, tokenizer=tokenizer, activations="exact", tokens=2000
        ).divergence
        assert found is not None
        return found.mean

    assert divergence(files[0], halves[0]) == pytest.approx(mix.allocation.kld, rel=0.2)
    assert divergence(files[0], halves[1]) < divergence(files[1], halves[1])
