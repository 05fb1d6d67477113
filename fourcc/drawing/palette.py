"""Colours: scales that anyone can tell apart, light and dark, for pages, notebooks and plots alike.

A scale is one hue whose lightness changes evenly, so that it reads without colour vision and in grey print. Colours are
computed in OKLCH, in which equal steps look equal. Series of a plot have the eight colours of Okabe and Ito.
"""

from __future__ import annotations

from math import cos, radians, sin
from types import MappingProxyType
from typing import Literal

Scale = Literal["bits", "error", "kld"]

STEPS = 7  # classes of a scale: more cannot be told apart beside each other
HUES = MappingProxyType({"bits": 245.0, "error": 55.0, "kld": 320.0})  # degrees: blue, amber, violet
LIGHTEST, DARKEST = 0.965, 0.42  # lightness of the weakest and the strongest step on white
DIMMEST, BRIGHTEST = 0.30, 0.84  # likewise on black
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#b8a800")
SERIES_DARK = ("#4aa8e0", "#f08a3c", "#2fc79a", "#e29bc4", "#f0b840", "#8accf2", "#ffffff", "#f0e442")


def shade(scale: Scale, share: float, *, dark: bool = False) -> str:
    """A colour of a scale.

    Args:
        scale: ``bits``, ``error`` or ``kld``.
        share: from 0, the weakest, to 1, the strongest.
        dark: whether it lies on a dark ground.
    """
    share = min(1.0, max(0.0, share))
    first, last = (DIMMEST, BRIGHTEST) if dark else (LIGHTEST, DARKEST)
    chroma = 0.02 + 0.11 * share if not dark else 0.035 + 0.085 * share
    return oklch(first + (last - first) * share, chroma, HUES[scale])


def shades(scale: Scale, count: int = STEPS, *, dark: bool = False) -> list[str]:
    """A number of colours of a scale, evenly spread, the weakest first."""
    return [shade(scale, step / max(1, count - 1), dark=dark) for step in range(count)]


def ink(ground: str) -> str:
    """Black or white: the one that is read better on a colour."""
    return max(("#000000", "#ffffff"), key=lambda colour: contrast(colour, ground))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, from 1 to 21, as WCAG 2 defines it; 4.5 is enough for small text.

    >>> contrast("#ffffff", "#000000")
    21.0
    """
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return round((lighter + 0.05) / (darker + 0.05), 3)


def oklch(lightness: float, chroma: float, hue: float) -> str:
    """A colour of OKLCH in sRGB, with less chroma where sRGB has not so much.

    Args:
        lightness: from 0 to 1.
        chroma: from 0 to about 0.3.
        hue: in degrees.

    >>> oklch(1, 0, 0), oklch(0, 0, 0)
    ('#ffffff', '#000000')
    """
    while True:
        channels = _linear(lightness, chroma * cos(radians(hue)), chroma * sin(radians(hue)))
        if chroma <= 0 or all(-1e-6 <= channel <= 1 + 1e-6 for channel in channels):
            return "#" + "".join(f"{round(255 * _encoded(channel)):02x}" for channel in channels)
        chroma = max(0.0, chroma - 0.005)


def _linear(lightness: float, a: float, b: float) -> tuple[float, float, float]:
    """Linear sRGB of a colour of OKLab."""
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )


def _encoded(channel: float) -> float:
    """A linear channel as sRGB stores it."""
    channel = min(1.0, max(0.0, channel))
    return 12.92 * channel if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
