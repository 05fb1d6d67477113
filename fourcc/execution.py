"""How long work is carried out: on how many threads or whose executor, in how much memory, and whether it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from fourcc.progress import OnProgress


@attrs.frozen(eq=False, kw_only=True)
class Execution:
    """How a conversion, an export, a calibration or a measurement is carried out; the result does not depend on it.

    Attributes:
        threads: of this process; None: ``FOURCC_THREADS``, or the cores that the process may use.
        memory: bytes of resident memory that this process may take at most; None: as much as the work needs.
        resume: go on where this very work was interrupted, with what lies beside the output.
        anew: replace an existing output, and begin unfinished work beside it again.
        executor: runs the tasks, maybe on other machines; None: threads of this process do.
        progress: is told how much is done.
    """

    threads: int | None = None
    memory: int | None = None
    resume: bool = False
    anew: bool = False
    executor: Executor | None = None
    progress: OnProgress | None = None
