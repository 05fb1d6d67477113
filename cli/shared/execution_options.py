"""The options that say how long work is carried out, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import attrs
import typer

if TYPE_CHECKING:
    from fourcc.conversion.plan import Plan
    from fourcc.execution import Execution
    from fourcc.exporters.export import ExportPlan
    from fourcc.progress import OnProgress

Memory = Annotated[
    str | None, typer.Option("--memory", metavar="BYTES", help="The most resident memory to take, such as 2GB.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where this very work was interrupted.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster", metavar="ADDRESS", help="Spread the work with dask: tcp://HOST:8786, or local:4 for 4 processes."
    ),
]


@attrs.frozen(kw_only=True)
class AskedExecution:
    """The options of how work is carried out, as they were given."""

    threads: int | None = None
    memory: str | None = None
    resume: bool = False
    force: bool = False
    cluster: str | None = None

    @property
    def beyond_one_run(self) -> dict[str, object]:
        """The options that work in several steps does not take, by their names."""
        return {"--memory": self.memory, "--resume": self.resume, "--cluster": self.cluster}

    def execution(self, progress: OnProgress | None) -> Execution:
        """How the work is carried out. Raises UsageError for an option that is wrong."""
        from fourcc.execution import Execution
        from fourcc.policy.amounts import memory_cap

        return Execution(
            threads=self.threads,
            memory=memory_cap(self.memory, "--memory"),
            resume=self.resume,
            anew=self.force,
            progress=progress,
        )

    def refuse_unfit(self, planned: Plan | ExportPlan) -> None:
        """Raises UsageError where the work would be refused: a dry run tells it too."""
        from fourcc.conversion.memory_need import Room

        if self.memory is not None:
            Room.of(planned, self.execution(None)).refuse_unfit()
