"""The rows of the model of 260,000 weights, whose rows of 64 and 172 fit few formats; its own text and tokenizer."""

from collections.abc import Iterator
from pathlib import Path

from tests.lanes.calibration import common, texts
from tests.lanes.calibration.rows import Row
from tests.lanes.calibration.subject import Counts, Subject

OPTIONS = "Q4_0,IQ4N,NF4,Q4_Z,Q5_0,Q5_1,Q8_Z,Q8_0"  # NF4, Q4_Z and Q8_Z hold rows of 172, too
BUDGETS = (175_000, 200_000, 240_000)
UNIFORM = ("NF4", "Q4_Z", "Q8_Z")


def subject(data: Path, folder: Path) -> Subject:
    """The model, its texts and its options."""
    return Subject(
        "stories260K",
        data / "stories260K.bin",
        data / "tok512.bin",
        texts.stories(data, folder),
        Counts(20_000, 2_980, 20_000),
        folder,
        OPTIONS,
    )


def rows(stories: Subject) -> Iterator[Row]:
    """All rows, in the order of the tables."""
    yield from common.importance_rows(stories, {"NF4": 1.0, "Q4_Z": 1.0})
    yield from common.feedback_rows(stories, {"NF4": 1.0, "Q4_Z": 1.0}, by_plain=frozenset())
    for feedback in (None, "gptq"):
        for budget in BUDGETS:
            yield common.prediction_row(stories, budget, feedback=feedback, own_text=True)
    yield from (common.against_uniform(stories, each) for each in UNIFORM)
    yield from (common.against_random(stories, BUDGETS[1], seed) for seed in common.SEEDS)
