"""One text as two: what a model is calibrated on must not be what its formats are measured on."""

from __future__ import annotations

from pathlib import Path

from fourcc.errors import UsageError

MEASURED = 8  # one part in so many measures, the others calibrate
BREAKS = ("\n\n", "\n", " ")  # where a text is parted, at best


def two_texts(text: str, file: Path) -> tuple[str, str]:
    """The first seven eighths of a text, and the rest.

    They are parted at the empty line after that point, or else at the end of a line, or else between words.

    Args:
        text: the text.
        file: where it lies, for messages.

    Raises:
        UsageError: there is no place to part it.
    """
    about = len(text) - len(text) // MEASURED
    for each in BREAKS:
        place = text.find(each, about)
        if place < 0 or not text[place:].strip():
            place = text.rfind(each, 0, about)
        first, last = text[: max(0, place)], text[max(0, place) + len(each) :]
        if first.strip() and last.strip():
            return first, last
    raise UsageError(
        "the text cannot be parted into one for calibrating and one for measuring",
        file=file,
        found=f"{len(text)} characters",
        hint="Give a longer text: some 100 kB are usual.",
    )
