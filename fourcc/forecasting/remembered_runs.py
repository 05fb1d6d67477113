"""A run's message to later forecasts: how many times as long a token took as was forecast."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.conversion.plan import plan
from fourcc.errors import FourccError
from fourcc.forecasting.known_rates import KnownRates
from fourcc.forecasting.network_sizes import network_sizes
from fourcc.forecasting.token_speed import RUN, token_seconds
from fourcc.policy import Policy
from fourcc.rates.remembered import remember
from fourcc.rates.sample import Sample
from fourcc.sources.model_bin import open_model_bin
from fourcc.threads import thread_count

if TYPE_CHECKING:
    from fourcc.models.generate import Speed
    from fourcc.models.model import Model

LEAST_TOKENS = 32  # that tell a speed
LEAST_SECONDS = 1e-3  # of a token, since those of small models tell nothing of large ones


def remember_run(model: Model, speed: Speed, threads: int | None) -> None:
    """Remembers how fast a model ran, for later forecasts, once one has measured this machine's memory; never an error.

    Args:
        model: that ran.
        speed: of its run.
        threads: as the run was given them.
    """
    if speed.tokens < LEAST_TOKENS or speed.seconds < LEAST_SECONDS * speed.tokens:
        return
    try:
        rates = KnownRates(thread_count(threads))
        if not rates.reading_is_known:  # measuring it would take memory that the run did not
            return
        with open_model_bin(Path(model.path), fd=model.another_fd()) as source:
            expected = token_seconds(network_sizes(plan(source, Policy.keep())), rates).middle
    except (FourccError, OSError):  # the file was replaced meanwhile
        return
    ratio = speed.seconds / speed.tokens / expected
    remember({RUN: Sample(ratio, ratio, rates.threads)})
