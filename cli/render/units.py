"""Numbers as people read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, SupportsFloat

if TYPE_CHECKING:
    from fourcc.container.index import ErrorRecord


def plain_bytes(count: int) -> str:
    """A length in bytes, exact, and rounded if that is shorter.

    >>> plain_bytes(377), plain_bytes(1420700)
    ('377 bytes', '1420700 bytes (1.4 MB)')
    """
    return f"{count} bytes" if count < 1000 else f"{count} bytes ({short_bytes(count)})"


def short_bytes(count: float) -> str:
    """A length in the decimal unit that gives two to four digits.

    >>> short_bytes(377), short_bytes(1420700), short_bytes(28e9)
    ('377 B', '1.4 MB', '28 GB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if count >= 9.95 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.0f} TB" if count >= 9.95 else f"{count:.1f} TB"


def bits(value: SupportsFloat) -> str:
    """Bits per weight.

    >>> bits(4.5), bits(32)
    ('4.5', '32')
    """
    return f"{float(value):.4g}"


def counted(tags: Counter[str]) -> str:
    """The number of tensors, in all and in each format.

    >>> counted(Counter(F32=3, Q8_0=9)), counted(Counter())
    ('12 (9 Q8_0, 3 F32)', '0')
    """
    each = ", ".join(f"{count} {tag}" for tag, count in tags.most_common())
    return f"{tags.total()} ({each})" if each else "0"


def shape(dims: tuple[int, ...]) -> str:
    """The dimensions of a tensor.

    >>> shape((512, 64)), shape(())
    ('512 x 64', 'scalar')
    """
    return " x ".join(map(str, dims)) or "scalar"


def relative_rmse(error: ErrorRecord | None) -> str:
    """The measured error; ``-`` if none was measured."""
    if error is None:
        return "-"
    return "inf" if error.relative_rmse is None else f"{error.relative_rmse:.3g}"


def sqnr(error: ErrorRecord | None) -> str:
    """The signal-to-noise ratio in dB; infinite if nothing was lost."""
    if error is None:
        return "-"
    if error.sqnr_db is None:
        return "inf" if error.relative_rmse == 0 else "-inf"
    return f"{error.sqnr_db:.1f}"


def clock(seconds: float) -> str:
    """A duration.

    >>> clock(7.2), clock(3725)
    ('0:07', '1:02:05')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def settings(values: Mapping[str, object]) -> str:
    """Parameters or options, as ``name=value`` one after the other."""
    return " ".join(f"{name}={value}" for name, value in values.items())
