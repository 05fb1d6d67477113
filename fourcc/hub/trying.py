"""Asks again where a server failed for a reason that may pass, with longer pauses each time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from fourcc.errors import FourccError, SourceError, shown
from fourcc.hub.library import is_hub, library
from fourcc.hub.refusals import PASSING, address_of, explained, http_error, plain, status_of
from fourcc.threads import abandoned

T = TypeVar("T")
_log = logging.getLogger(__name__)

TRIES = 5
PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds before each further try
LONGEST_PAUSE = 60.0  # seconds that a server may ask for
EXPIRED = frozenset({400, 401, 403, 404, 410})  # statuses of a large file's address, which is good for some time only


def tried(what: str, ask: Callable[[], T]) -> T:
    """The answer to a question to the hub, which is asked again where it failed for a reason that may pass.

    Args:
        what: the model or file, for messages.
        ask: asks.

    Raises:
        SourceError: the hub refuses; the message says what to do.
        OSError: the hub cannot be reached.
    """
    for number in range(TRIES):
        try:
            return ask()
        except FourccError:
            raise
        except Exception as error:  # sorted out below
            unreachable = type(error).__name__ == "ConnectError"  # of httpx: no network, or no such host
            if abandoned() or not passing(error) or number == (1 if unreachable else TRIES - 1):
                raise explained(error, what) from error
            wait(number, error, what)
    raise AssertionError("unreachable")


def passing(error: Exception) -> bool:
    """Whether a failure may be gone the next time."""
    status = status_of(error)
    if status is not None:
        return status in PASSING or (status in EXPIRED and not is_hub(address_of(error)))
    errors = library().errors
    if isinstance(error, (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError)):
        cause = error.__cause__ or error.__context__
        return isinstance(error, errors.LocalEntryNotFoundError) and isinstance(cause, Exception) and passing(cause)
    text = str(error)
    return isinstance(error, http_error()) or (isinstance(error, OSError) and "Consistency check failed" in text)


def wait(number: int, error: BaseException, what: str) -> None:
    """Waits before the next try: as long as the server asks for, else longer each time. Raises SourceError."""
    pause = _asked_pause(error)
    if pause is not None and pause > LONGEST_PAUSE:
        raise SourceError(
            "the server wants to be left alone",
            file=what,
            found=f"{status_of(error)}, for {pause:.0f} s",
            hint="Try again then; `hf auth login` gives more requests.",
        )
    pause = PAUSES[min(number, len(PAUSES) - 1)] if pause is None else pause
    _log.info("%s: %s; trying again in %.1f s", what, shown(plain(error), 200), pause)
    until = time.monotonic() + pause
    while (rest := until - time.monotonic()) > 0 and not abandoned():
        time.sleep(min(rest, 0.2))


def _asked_pause(error: BaseException) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", {})
    try:
        return max(0.0, float(headers.get("Retry-After", "")))
    except ValueError:
        return None
