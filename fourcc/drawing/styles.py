"""The style sheet of the pieces, light and dark: a page, or a notebook, puts it once into a ``<style>``.

Everything is inside of an element of the class ``fc``.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fourcc.drawing.map import LETTERS
from fourcc.drawing.palette import STEPS, ink, shades

LIGHT = {
    "ground": "#ffffff",
    "raised": "#f6f7f9",
    "text": "#16191d",
    "dim": "#56606b",
    "rule": "#dde1e6",
    "accent": "#0b5cad",
    "before": "#b9c3cf",
    "file": "#b34700",
    "none": "#eef0f3",
}
DARK = {
    "ground": "#14171b",
    "raised": "#1c2025",
    "text": "#e8eaed",
    "dim": "#a3acb7",
    "rule": "#333a42",
    "accent": "#6db3f2",
    "before": "#4a545f",
    "file": "#f08a3c",
    "none": "#23282e",
}


@cache
def stylesheet() -> str:
    """The rules as text; dark colours where the reader's system asks for them."""
    light, dark = _variables(LIGHT, dark=False), _variables(DARK, dark=True)
    colours = f".fc{{{light}}}\n@media screen and (prefers-color-scheme:dark){{.fc{{{dark}}}}}"
    rules = (files("fourcc.drawing") / "pieces.css").read_text(encoding="utf-8")
    return f"{colours}\n{rules}{_paint()}"


def _variables(base: dict[str, str], *, dark: bool) -> str:
    named = {f"--fc-{name}": colour for name, colour in base.items()}
    for scale, letter in LETTERS.items():
        for step, colour in enumerate(shades(scale, dark=dark)):
            named |= {f"--fc-{letter}{step}": colour, f"--fc-{letter}{step}i": ink(colour)}
    return ";".join(f"{name}:{value}" for name, value in named.items())


def _paint() -> str:
    """The rules that show the chosen measure: its numbers, its legend, its colours."""
    rules = []
    for scale, letter in LETTERS.items():
        chosen = f".fc-map:has(.fc-by-{scale}:checked)"
        rules.append(f"{chosen} span.fc-v{letter}{{display:block}}{chosen} div.fc-v{letter}{{display:flex}}")
        for step in range(STEPS):
            colours = f"background:var(--fc-{letter}{step});color:var(--fc-{letter}{step}i)"
            rules.append(f"{chosen} :is(td,li,i).{letter}{step}{{{colours}}}")
    return "\n".join(rules)
