"""The options that say how long work is carried out, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from fourcc.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from fourcc.conversion.plan import Plan
    from fourcc.execution import Execution
    from fourcc.exporters.export import ExportPlan
    from fourcc.forecasting.forecast import Forecast
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
    stream: bool = False

    def __attrs_post_init__(self) -> None:
        if self.stream and self.cluster is not None:
            hint = "Without --stream each machine downloads the model into its cache."
            raise UsageError("--stream and --cluster exclude each other", hint=hint)

    @property
    def beyond_one_run(self) -> dict[str, object]:
        """The options that work in several steps does not take, by their names."""
        run = {"--memory": self.memory, "--resume": self.resume, "--cluster": self.cluster}
        return {**run, "--stream": self.stream}

    def execution(self, progress: OnProgress | None) -> Execution:
        """How the work is carried out on this machine. Raises UsageError for an option that is wrong."""
        from fourcc.cluster.connection import check_address
        from fourcc.execution import Execution
        from fourcc.policy.amounts import memory_cap

        if self.cluster is not None:
            check_address(self.cluster)
        return Execution(
            threads=self.threads,
            memory=memory_cap(self.memory, "--memory"),
            resume=self.resume,
            anew=self.force,
            progress=progress,
        )

    @contextmanager
    def connected(self, progress: OnProgress | None) -> Iterator[Execution]:
        """How the work is carried out, on the cluster if one is asked for; the connection ends with the block.

        Raises:
            UsageError: an option is wrong, or a package is missing.
            ClusterError: the cluster does not answer.
        """
        how = self.execution(progress)
        if self.cluster is None:
            yield how
            return
        from fourcc.cluster.connection import connected

        with connected(self.cluster) as executor:
            yield attrs.evolve(how, executor=executor)

    def forecast(self, planned: Plan | ExportPlan, output: Path | None) -> Forecast:
        """The forecast of the work on this machine. Raises UsageError for an option that is wrong."""
        from fourcc.forecasting.forecast import forecast_of

        return forecast_of(planned, self.execution(None), output, stream=self.stream)
