"""The script of the tables: findings are kept, random mixes are of the wanted size; a short run on our own model."""

import json
from pathlib import Path

import attrs
import pytest

import fourcc
from fourcc.calibration.costs import Costs, FixedTensor, Option, Unit
from tests.lanes.calibration import common, texts
from tests.lanes.calibration.mixes import policy_of, random_mix, size
from tests.lanes.calibration.rows import Finding, Kept, Row, tables
from tests.lanes.calibration.subject import Counts, Subject, Texts, uniform


def costs_of(count: int) -> Costs:
    """Costs of some units with four options each."""
    tags = zip(("Q2_K", "Q4_K", "Q6_K", "Q8_0"), (2, 4, 6, 8), strict=True)
    options = tuple(Option(tag, {}, {}, 256 * bits, 0.1, 1 / bits) for tag, bits in tags)
    units = tuple(
        Unit(f"layers.{n}.attention.wq", (f"layers.{n}.attention.wq",), ("attention.q",), ((8, 256),), (0,), options)
        for n in range(count)
    )
    fixed = (FixedTensor("norm", "F32", 1024),)
    return Costs("0", "here", "a", None, "b", 1, 1, documents=False, feedback=None, units=units, fixed=fixed)


def test_a_finding_is_kept(tmp_path: Path) -> None:
    """A row is measured once, and again when that is asked for."""
    found = iter((0.5, 2.0))
    row = Row("a-row", "a table", "a thing", 1.0, lambda: Finding(next(found), {"with": 0.123456, "bytes": 1234567}))
    kept = Kept(tmp_path)
    assert [kept.found(row, again=again)["value"] for again in (False, False, True)] == [0.5, 0.5, 2.0]
    other = attrs.evolve(row, name="not-measured", table="another")
    text = tables([row, other], kept)
    assert text.splitlines()[1] == "## a table"
    assert text.splitlines()[-1] == "| `a-row` | a thing | 1 | 2 | **no** | with 0.1235, bytes 1,234,567 |"


@pytest.mark.parametrize("seed", range(20))
def test_a_random_mix_fills_its_size(seed: int) -> None:
    """No step up fits any more; what is protected stays; the seed decides."""
    costs, protected = costs_of(12), {"layers.3.attention.wq": 3}
    units = {unit.name: unit for unit in costs.units}
    mix = random_mix(costs, 12 * 256 * 5, protected, seed)
    assert mix == random_mix(costs, 12 * 256 * 5, protected, seed)
    assert mix["layers.3.attention.wq"] == 3
    assert 12 * 256 * 5 - 512 < size(units, mix) <= 12 * 256 * 5
    policy = fourcc.Policy.parse(policy_of(costs, mix))
    assert {str(choice.tag) for rule in policy.rules for choice in rule.choices} <= {"Q2_K", "Q4_K", "Q6_K", "Q8_0"}


def test_a_uniform_policy_protects_the_embedding(root: Path, tmp_path: Path) -> None:
    """Its encoder's options are those that are asked for."""
    tiny = root / "fourcc" / "example" / "tiny.bin"
    fourcc.convert(tiny, tmp_path / "m.bin", policy=uniform("Q4_A:method=equal-count"))
    with fourcc.open(tmp_path / "m.bin") as model:
        assert isinstance(model, fourcc.Model)
        tags = {record.name: str(record.tag) for record in model.index.tensors}
        assert model.record("layers.0.attention.wq").options["method"] == "equal-count"
    assert (tags["tok_embeddings"], tags["norm"], tags["layers.0.attention.wq"]) == ("Q8_0", "F32", "Q4_A")


def test_texts_have_no_story_in_common(tmp_path: Path) -> None:
    """Nor a paragraph of the prose."""
    stories = [f"Story {number}." for number in range(100)]
    (tmp_path / "tinystories_train_1000.json").write_text(json.dumps(stories), encoding="utf-8")
    (tmp_path / "tinystories_val_1k.txt").write_text("Another story.", encoding="utf-8")
    for made in (texts.stories(tmp_path, tmp_path), texts.prose(tmp_path, tmp_path)):
        files = made.calibrating, made.measuring, made.judging
        parts = [set(path.read_text(encoding="utf-8").strip().split("\n\n")) for path in files]
        assert all(parts)
        assert not any(one & other for number, one in enumerate(parts) for other in parts[:number])


@pytest.mark.thorough
def test_rows_of_our_own_model(root: Path, tmp_path: Path) -> None:
    """From the text to the findings: files have the size that was asked for, and no mix is worse than uniform ones."""
    models = root / "fourcc" / "example"
    told = (models / "heldout.txt").read_text(encoding="utf-8").split("\n\n")
    files = []
    for name, part in (("a", told[:40]), ("b", told[40:50]), ("c", told[50:80])):
        (tmp_path / f"{name}.txt").write_text("\n\n".join(part), encoding="utf-8")
        files.append(tmp_path / f"{name}.txt")
    tiny = Subject(
        *("tiny", models / "tiny.bin", models / "tiny_tokenizer.bin", Texts(*files), Counts(2000, 500, 1000), tmp_path),
        options="NF4,Q4_Z,Q8_Z",
    )
    rows = [
        *common.importance_rows(tiny, {"NF4": 1.2}),
        *common.feedback_rows(tiny, {"NF4": 1.0}, by_plain=frozenset()),
        common.against_uniform(tiny, "NF4"),
        common.against_random(tiny, 230_000, 0),
        common.prediction_row(tiny, 230_000, own_text=True),
    ]
    kept = Kept(tmp_path / "findings")
    found = {row.name: kept.found(row, again=False) for row in rows}
    assert all(row.goal is None or found[row.name]["value"] <= row.goal for row in rows)
    figures = found["tiny-uniform-NF4"]["figures"]
    assert figures["allocated bytes"] <= figures["NF4 bytes"]
