"""The pictures of the README: what lies in the repository is what the script draws, of what was measured."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from tests.pictures import draw_mixes


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """The measured points."""
    points: dict[str, Any] = json.loads((draw_mixes.FOLDER / "mixes.json").read_text(encoding="utf-8"))
    return points


@pytest.mark.parametrize("name", draw_mixes.THEMES)
def test_the_picture_is_the_scripts(found: dict[str, Any], name: str) -> None:
    """`python -m tests.pictures.draw_mixes` draws it; it is a file that viewers take."""
    drawn = draw_mixes.picture(found, draw_mixes.THEMES[name])
    assert (draw_mixes.FOLDER / name).read_text(encoding="utf-8") == drawn
    root = ET.fromstring(drawn)  # noqa: S314 - our own text
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


def test_the_numbers_say_where_they_come_from(found: dict[str, Any]) -> None:
    assert {"command", "machine", "versions", "model", "tokens"} <= found.keys()


def at(points: list[tuple[int, float]], nbytes: int) -> float:
    """The divergence of a mix of so many bytes: straight between measured ones, on the picture's logarithmic axis."""
    sizes, klds = zip(*points, strict=True)
    return float(np.exp(np.interp(nbytes, sizes, np.log(klds))))


def test_mixes_lie_below_what_they_are_compared_with(found: dict[str, Any]) -> None:
    """As the README says beside the picture: less than half, at the bytes of each format and each recipe."""
    points = sorted((each["bytes"], each["kld"]) for each in found["mixes"])
    others = [each for kind in ("formats", "recipes") for each in found[kind].values() if each["bytes"] < points[-1][0]]
    assert len(others) > 15
    assert all(at(points, each["bytes"]) < each["kld"] / 2 for each in others)


def test_the_readme_shows_both(root: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    assert all(f"specs/pictures/{name}" in text for name in draw_mixes.THEMES)
