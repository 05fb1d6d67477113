"""The room that a cap on memory leaves to a conversion: how many tiles it holds at once, and what it refuses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import attrs

from fourcc.conversion.step_need import MB, StepNeed, base_bytes, step_needs
from fourcc.errors import UsageError, listed
from fourcc.execution import Execution
from fourcc.feedback.factors import KEPT
from fourcc.resident import give_back_freed_arrays
from fourcc.threads import Task, thread_count

if TYPE_CHECKING:
    from fourcc.conversion.step import Step

T = TypeVar("T")
SHOWN = 8  # tensors in a message

_log = logging.getLogger(__name__)


class Planned(Protocol):
    """A plan of a conversion, or of an export, which has `gathered` too: tensor -> bytes that it gathers."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """The tensors."""


@attrs.frozen(eq=False)
class Room:
    """The memory that a conversion may take, and that it would; without a cap it is not asked what tensors need.

    Attributes:
        steps: the tensors.
        how: threads and cap.
        gathered: tensor -> bytes of it that an export gathers before it writes them.
    """

    steps: Sequence[Step]
    how: Execution = attrs.field(factory=Execution)
    gathered: Mapping[str, int] = attrs.field(factory=dict)

    @classmethod
    def of(cls, planned: Planned, how: Execution | None = None) -> Room:
        """The room of a planned conversion or export."""
        return cls(planned.steps, how or Execution(), getattr(planned, "gathered", {}))

    @property
    def cap(self) -> int | None:
        """Bytes of resident memory that the process may take; None: any number."""
        return self.how.memory

    @cached_property
    def threads(self) -> int:
        """Threads that work on tiles; with a cap, none that could have no tile."""
        threads = thread_count(self.how.threads)
        if self.cap is None:
            return threads
        spare = self.cap - base_bytes(self.steps, 1)
        smallest = min((need.tile.working for need in self.needs if need.weights), default=1)
        return max(1, min(threads, spare // max(1, smallest)))

    @cached_property
    def base(self) -> int:
        """Bytes that the process takes whatever its tiles do."""
        return base_bytes(self.steps, self.threads)

    @cached_property
    def needs(self) -> tuple[StepNeed, ...]:
        """The bytes of the tensors, in their order."""
        return step_needs(self.steps, self.gathered)

    @property
    def usual(self) -> int:
        """The most bytes without a cap: those of the tensor that takes most, with factors of those before it."""
        most = max((need.usual(self.threads) for need in self.needs), default=0)
        factors = sorted((need.beside for need in self.needs if need.fed), reverse=True)
        return self.base + most + sum(factors[1 : KEPT + 2])

    @property
    def least(self) -> int:
        """The most bytes with one tile at a time, and one factor."""
        return self.base + max((need.least for need in self.needs), default=0)

    @property
    def peak(self) -> int:
        """The most bytes that the conversion will take: at most the cap, unless it is refused."""
        return self.usual if self.cap is None else max(self.least, min(self.cap, self.usual))

    def refuse_unfit(self) -> None:
        """Raises UsageError where the process alone, or tensors, do not fit the cap; names all such tensors."""
        if self.cap is None:
            return
        if self.base >= self.cap:
            what = f"the cap on memory is below the {_size(self.base)} that this process takes before a tensor is read"
            hint = "Raise --memory. `fourcc cache build` compiles kernels beforehand, which else counts."
            raise UsageError(what, found=_size(self.cap), expected=f"at least {_size(self.least)}", hint=hint)
        unfit = [need for need in self.needs if self.base + need.least > self.cap]
        if unfit:
            raise self._refusal(unfit)

    def _refusal(self, unfit: Sequence[StepNeed]) -> UsageError:
        each = listed((f"{need.name!r} needs {_size(self.base + need.least)}" for need in unfit), SHOWN)
        count = "a tensor does" if len(unfit) == 1 else f"{len(unfit)} tensors do"
        fed = " Or leave error feedback out: --no-feedback-for ROLE." * any(need.fed for need in unfit)
        return UsageError(
            f"{count} not fit the cap on memory: {each}",
            found=f"--memory of {_size(self.cap or 0)}",
            expected=f"at least {_size(self.least)}",
            hint=f"Raise --memory, or give them another format.{fed}",
        )

    def begin(self) -> None:
        """Refuses what does not fit, and prepares the process for the cap. Raises UsageError."""
        self.refuse_unfit()
        if self.cap is not None:
            give_back_freed_arrays()
            _log.info(
                "memory: %s of %s are taken before tiles, %d threads, at most %s in all",
                _size(self.base), _size(self.cap), self.threads, _size(self.peak),
            )  # fmt: skip

    def tasks(self, works: Iterable[tuple[Step, Iterator[Task[T]]]], forget: Callable[[], None]) -> Iterator[Task[T]]:
        """The tasks of the tensors, one after the other, each with the bytes that it and those before it may hold.

        Where a tensor holds something beside its tiles, neither tiles of another run meanwhile, nor does a factor stay.

        Args:
            works: tensors in order, all or some, and their tasks.
            forget: forgets the factors of Hessians.
        """
        held: Any = None  # a Hessian, or a tensor that has something else beside it
        needs = {} if self.cap is None else {need.name: need for need in self.needs}
        for step, tasks in works:
            if self.cap is None:
                yield from tasks
                continue
            need = needs[step.source.name]
            holds = (step.aids.hessian if need.fed else step) if need.beside else None
            for task in tasks:
                size = need.tile.working if task.weights else 0
                if holds is held:
                    yield attrs.evolve(task, nbytes=size, room=self.cap - self.base - need.beside)
                else:
                    yield attrs.evolve(task, run=partial(_after, forget, task.run), nbytes=size, room=0)
                held = holds


def _after(forget: Callable[[], None], run: Callable[[], T]) -> T:
    forget()
    return run()


def _size(nbytes: int) -> str:
    """Bytes in decimal megabytes, rounded up; a few bytes as they are.

    >>> _size(1_400_001), _size(2)
    ('2 MB', '2 bytes')
    """
    return f"{-(-nbytes // MB)} MB" if nbytes >= MB else f"{nbytes} bytes"


def peak_bytes(planned: Planned, how: Execution | None = None) -> int:
    """The most resident memory that a conversion will take, in bytes; never less than it then takes.

    What this process holds already counts: ask in the process that will do the work, once source and plan are there.
    With a cap (`how.memory`) the conversion holds fewer tiles at once, so the answer is at most the cap; where it would
    be refused, it is what it takes with one tile at a time.

    Args:
        planned: the conversion.
        how: threads and cap; None: as many threads as there are cores, and no cap.
    """
    return Room.of(planned, how).peak
