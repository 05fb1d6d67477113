"""One measurement of one kind of work."""

from __future__ import annotations

from math import isfinite

import attrs


@attrs.frozen
class Sample:
    """The median of the tiles of one conversion, or one run.

    Attributes:
        processor: seconds of a thread's processor time for a unit of the work, which other processes change little.
        wall: seconds that passed meanwhile, waiting for the disk and for other processes included.
        threads: that worked at once.
    """

    processor: float
    wall: float
    threads: int

    @property
    def plain(self) -> list[float]:
        """The sample as JSON keeps it."""
        return [self.processor, self.wall, self.threads]

    @classmethod
    def read(cls, value: object) -> Sample | None:
        """A sample as JSON keeps it; None where the value is none."""
        if not isinstance(value, list) or len(value) != len(attrs.fields(cls)):
            return None
        processor, wall, threads = value
        numbers = (processor, wall)
        if not all(isinstance(each, (int, float)) and isfinite(each) and 0 < each < 1e6 for each in numbers):
            return None
        if not isinstance(threads, int) or not 1 <= threads <= 1024:
            return None
        return cls(float(processor), float(wall), threads)
