"""Draws the README's picture from `specs/pictures/mixes.json`: one file for light pages, one for dark ones.

python -m tests.pictures.draw_mixes
"""

import json
from pathlib import Path
from typing import Any

from fourcc.drawing.frontier import WIDTH, Mark, frontier
from fourcc.drawing.markup import element, text
from fourcc.drawing.styles import DARK, LIGHT

FOLDER = Path(__file__).resolve().parents[2] / "specs" / "pictures"
THEMES = {"mixes-light.svg": LIGHT, "mixes-dark.svg": DARK}
TITLE = "Divergence from the original by size: mixes found by fourcc lie below single formats and llama.cpp's recipes"
CROWDED = ("Q4_0", "Q4_1", "Q5_1")  # older formats, farther from the line, whose names would hide those of recipes
AXES = {
    "size of all tensors": "size of the file",
    "KL divergence, nats a token": "KL divergence from the original, nats a token",
}
KEYS = (("line", "mixes that fourcc finds"), ("format", "one format"), ("other", "llama.cpp's recipes"))
RULES = """
.fc-plot{{background:{ground};font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}}
.fc-line{{stroke:{accent};stroke-width:2.2}}
.fc-axis{{stroke:{dim}}}.fc-rule{{stroke:{rule}}}
.fc-label,.fc-name{{fill:{dim}}}.fc-name.fc-of-other{{fill:{text}}}
.fc-mark.fc-of-format{{fill:{dim}}}.fc-mark.fc-of-other{{fill:{ground};stroke:{file};stroke-width:2}}
.key{{fill:{text};font-size:13px}}
"""


def marks(found: dict[str, Any]) -> list[Mark]:
    """The single formats and the recipes."""
    formats = {tag: each for tag, each in found["formats"].items() if tag not in CROWDED}
    single = [Mark(tag, each["bytes"], each["kld"], "format") for tag, each in formats.items()]
    return single + [Mark(name, each["bytes"], each["kld"], "other") for name, each in found["recipes"].items()]


def picture(found: dict[str, Any], colours: dict[str, str]) -> str:
    """The picture as a file of its own."""
    points = sorted((each["bytes"], each["kld"]) for each in found["mixes"])
    drawn = frontier(points, marks(found), title=TITLE)
    for old, new in AXES.items():
        drawn = drawn.replace(old, new)
    head, rest = drawn.split(">", 1)
    style = element("style", RULES.format(**colours))
    return f'{head} xmlns="http://www.w3.org/2000/svg">{style}{rest.removesuffix("</svg>")}{_keys()}</svg>\n'


def _keys() -> str:
    """Words for the line and the marks, at the top right."""
    x, pieces = WIDTH - 190, []
    for row, (kind, words) in enumerate(KEYS):
        y = 26 + 20 * row
        if row == 0:
            pieces.append(element("path", d=f"M{x - 22} {y - 4}h16", class_="fc-line", fill="none"))
        else:
            pieces.append(element("circle", cx=x - 14, cy=y - 4, r=3.5, class_=f"fc-mark fc-of-{kind}"))
        pieces.append(element("text", text(words), x=x, y=y, class_="key"))
    return "".join(pieces)


def main() -> None:
    """Draws."""
    found = json.loads((FOLDER / "mixes.json").read_text(encoding="utf-8"))
    for name, colours in THEMES.items():
        (FOLDER / name).write_text(picture(found, colours), encoding="utf-8")


if __name__ == "__main__":
    main()
