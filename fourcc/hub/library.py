"""huggingface_hub, which knows the hub's addresses, tokens and cache; it is loaded when a model of a hub is asked for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fourcc.errors import FourccError, SourceError, UsageError, shown
from fourcc.hub.names import HUB_HOSTS
from fourcc.installation import hint
from fourcc.threads import abandoned

T = TypeVar("T")
_log = logging.getLogger(__name__)

TRIES = 5
PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds before each further try
LONGEST_PAUSE = 60.0  # seconds that a server may ask for
EXPIRED = frozenset({400, 401, 403, 404, 410})  # statuses of a large file's address, which is good for some time only
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that may be others the next time


@cache
def library() -> Any:  # noqa: ANN401 - a package that may be missing
    """The package huggingface_hub. Raises UsageError where it is missing."""
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors
        import huggingface_hub.file_download
        import huggingface_hub.utils
    except ImportError as error:
        what = "a model on a hub is read with the package huggingface_hub, which is missing"
        raise UsageError(what, hint=hint("hub")) from error
    for name in ("huggingface_hub.utils._http", "huggingface_hub.file_download"):
        logging.getLogger(name).setLevel(logging.ERROR)  # its warnings of each try: fourcc tells of them itself
    return huggingface_hub


def session() -> Any:  # noqa: ANN401 - httpx's client, of this package's or of huggingface_hub's choice
    """The client of huggingface_hub, as the user has set it up."""
    return library().utils.get_session()


def offline() -> bool:
    """Whether huggingface_hub was told to use its cache alone (HF_HUB_OFFLINE)."""
    return bool(library().constants.is_offline_mode())


def endpoint() -> str:
    """The address of the hub (HF_ENDPOINT)."""
    return str(library().constants.ENDPOINT).rstrip("/")


def hosts() -> tuple[str, ...]:
    """The hosts whose addresses name models, with their ports."""
    return tuple(dict.fromkeys([urlsplit(endpoint()).netloc.lower(), *HUB_HOSTS]))


def is_hub(url: str) -> bool:
    """Whether an address may be sent the user's token: it is the hub's, and as safe as the hub's own."""
    parts = urlsplit(url)
    told = urlsplit(endpoint())
    ours = (parts.scheme, parts.netloc.lower()) == (told.scheme, told.netloc.lower())
    return ours or (parts.scheme == "https" and parts.netloc.lower() in HUB_HOSTS)


def headers_for(url: str) -> dict[str, str]:
    """The headers of a request to an address; the user's token is among them for the hub alone."""
    token = None if is_hub(url) else False
    made = library().utils.build_hf_headers(token=token, library_name="fourcc")
    return {**made, "Accept-Encoding": "identity"}


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
            if not passing(error) or number == (1 if unreachable else TRIES - 1):
                raise explained(error, what) from error
            wait(number, error, what)
    raise AssertionError("unreachable")


def passing(error: Exception) -> bool:
    """Whether a failure may be gone the next time."""
    status = status_of(error)
    if status is not None:
        return status in PASSING or (status in EXPIRED and not is_hub(_address_of(error)))
    errors = library().errors
    if isinstance(error, (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError)):
        cause = error.__cause__ or error.__context__
        return isinstance(error, errors.LocalEntryNotFoundError) and isinstance(cause, Exception) and passing(cause)
    text = str(error)
    return isinstance(error, _http_error()) or (isinstance(error, OSError) and "Consistency check failed" in text)


def _http_error() -> type[Exception]:
    """The base of the errors of httpx, which huggingface_hub brings under one name or another."""
    found: type[Exception] = library().errors.HTTPError
    return found


def status_of(error: BaseException) -> int | None:
    """The status that a server answered with; None where there was no answer, or one that was no error."""
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def _address_of(error: BaseException) -> str:
    """The address that an answer came from."""
    return str(getattr(getattr(error, "response", None), "url", ""))


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
    _log.info("%s: %s; trying again in %.1f s", what, shown(_plain(error), 200), pause)
    until = time.monotonic() + pause
    while (rest := until - time.monotonic()) > 0 and not abandoned():
        time.sleep(min(rest, 0.2))


def _asked_pause(error: BaseException) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", {})
    try:
        return max(0.0, float(headers.get("Retry-After", "")))
    except ValueError:
        return None


def _plain(error: BaseException) -> str:
    """An error in words, without the query of any address, which may be a secret."""
    status = status_of(error)
    if status is not None:
        return f"the server answered {status}"
    first = str(error).strip().partition("\n")[0].partition("?")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def explained(error: Exception, what: str) -> Exception:
    """Our error for a failure of huggingface_hub's or httpx's, which says what to do.

    Args:
        error: the failure.
        what: the model or file.
    """
    errors, status = library().errors, status_of(error)
    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception) and not offline():
        return explained(error.__cause__, what)
    if isinstance(error, (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError)) and offline():
        hint = "Unset HF_HUB_OFFLINE, or download the model while there is a network."
        return SourceError("not in the cache, and HF_HUB_OFFLINE forbids to ask the hub", file=what, hint=hint)
    known = _known(error, what, status)
    if known is not None:
        return known
    if status is not None:
        hint = "Try again later." if status in PASSING else None
        return SourceError("the server does not give it", file=what, found=f"status {status}", hint=hint)
    if not isinstance(error, (OSError, ValueError, _http_error())):
        return error
    return OSError(getattr(error, "errno", None) or 0, f"cannot be read over the network: {_plain(error)}", what)


def _known(error: Exception, what: str, status: int | None) -> SourceError | None:
    """The error for an answer whose meaning is known."""
    errors = library().errors
    if isinstance(error, errors.GatedRepoError):
        hint = f"Accept its licence at {endpoint()}/{_repo(what)}, and log in: hf auth login."
        return SourceError("access to this model is restricted", file=what, found=f"status {status}", hint=hint)
    if isinstance(error, errors.RevisionNotFoundError):
        return SourceError("the hub has no such revision of the model", file=what, hint="Name a branch, tag or commit.")
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return SourceError("the model has no such file", file=what)
    if isinstance(error, errors.RepositoryNotFoundError) or status == 404:
        hint = "Check the name. If the model is private, log in: hf auth login."
        return SourceError("the hub has no such model", file=what, found=f"status {status}", hint=hint)
    if status == 401:
        return SourceError("the hub does not know you", file=what, found="status 401", hint="Log in: hf auth login.")
    if status == 403:
        hint = "Accept the model's licence on its page, or log in with a token that may read it: hf auth login."
        return SourceError("the hub does not let you read it", file=what, found="status 403", hint=hint)
    if status == 429:
        hint = "Wait some minutes; `hf auth login` gives more requests."
        return SourceError("too many requests", file=what, found="status 429", hint=hint)
    return None


def _repo(what: str) -> str:
    return "/".join(what.removeprefix("hf://").partition("@")[0].split("/")[:2])
