"""The texts: stories of the data folder, cut so that none is used twice, and a text that was written for this."""

import json
from pathlib import Path

from tests.lanes.calibration.subject import Texts

CALIBRATING, MEASURING = 57, 7  # stories: 20,000 and 2,980 tokens of the vocabulary of 512
PROSE = Path(__file__).with_name("prose.txt")


def stories(data: Path, folder: Path) -> Texts:
    """The first training stories, the next ones, and the held-out stories."""
    told = json.loads((data / "tinystories_train_1000.json").read_text(encoding="utf-8"))
    ends = CALIBRATING, CALIBRATING + MEASURING
    return Texts(
        _written(folder / "calibrating.txt", told[: ends[0]]),
        _written(folder / "measuring.txt", told[ends[0] : ends[1]]),
        data / "tinystories_val_1k.txt",
    )


def prose(data: Path, folder: Path) -> Texts:
    """Three parts of the text beside this file, each with some stories: paragraphs 3n, 3n + 1 and 3n + 2."""
    told = json.loads((data / "tinystories_train_1000.json").read_text(encoding="utf-8"))
    paragraphs = PROSE.read_text(encoding="utf-8").strip().split("\n\n")
    names, takes = ("calibrating", "measuring", "judging"), (told[:10], told[10:12], told[12:15])
    parts = [paragraphs[number::3] for number in range(3)]
    files = [
        _written(folder / f"{name}-prose.txt", [*_alternating(part, list(some))])
        for name, part, some in zip(names, parts, takes, strict=True)
    ]
    return Texts(*files)


def _alternating(first: list[str], second: list[str]) -> list[str]:
    """The pieces of two texts in turn, so that a beginning of the whole has both; the rest of the longer one last."""
    count = min(len(first), len(second))
    pairs = [each for pair in zip(first, second, strict=False) for each in pair]
    return pairs + first[count:] + second[count:]


def _written(path: Path, pieces: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(each.strip() for each in pieces) + "\n", encoding="utf-8")
    return path
