"""The meaning of a server's refusal, and what to do."""

from __future__ import annotations

from errno import EACCES, EDQUOT, EIO, ENAMETOOLONG, ENOSPC, EPERM, EROFS

from fourcc.errors import SourceError
from fourcc.hub.library import endpoint, is_hub, library, offline

NO_MODEL = "the hub has no such model"
DISK = frozenset({EACCES, EDQUOT, EIO, ENAMETOOLONG, ENOSPC, EPERM, EROFS})  # errors of the cache's disk, of no server
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that may be others the next time


def http_error() -> type[Exception]:
    """The base of the errors of httpx, which huggingface_hub brings under one name or another."""
    found: type[Exception] = library().errors.HTTPError
    return found


def status_of(error: BaseException) -> int | None:
    """The status that a server answered with; None where there was no answer, or one that was no error."""
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def address_of(error: BaseException) -> str:
    """The address that an answer came from; empty where there was none."""
    return str(getattr(getattr(error, "response", None), "url", ""))


def plain(error: BaseException) -> str:
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
    if isinstance(error, OSError) and error.errno in DISK:
        return OSError(error.errno, f"{error.strerror} (while it was downloaded)", error.filename or what)
    known = _known(error, what, status) or _unknown(error, what, status)
    if known is not None or not isinstance(error, (OSError, http_error())):
        return known or error
    why = f"cannot be read over the network: {plain(error)}. Check the network; HF_ENDPOINT is the address of the hub"
    return OSError(getattr(error, "errno", None) or 0, why, what)


def _unknown(error: Exception, what: str, status: int | None) -> SourceError | None:
    """The error for an answer of which only its kind is known."""
    if status is not None:
        later = "Try again later." if status in PASSING else None
        return SourceError("the server does not give it", file=what, found=f"status {status}", hint=later)
    if "Consistency check failed" in str(error):
        return SourceError("the server's answers are wrong", file=what, found=plain(error), hint=_ANOTHER_WAY)
    bare = isinstance(error, library().errors.FileMetadataError)  # a portal's page, as a rule
    if bare or isinstance(error, ValueError):
        found = "an answer without a hub's headers" if bare else plain(error)
        check = "Check HF_ENDPOINT, and whether a proxy wants a login."
        return SourceError("this is not the answer of a hub", file=what, found=found, hint=check)
    return None


def _known(error: Exception, what: str, status: int | None) -> SourceError | None:
    """The error for an answer whose meaning is known."""
    of_hub = what.startswith("hf://") and is_hub(address_of(error))
    said = _by_class(error, what) if of_hub else None
    said = said or (_BY_STATUS if of_hub else _ELSEWHERE).get(status or 0)
    if said is None:
        return None
    return SourceError(said[0], file=what, found=f"status {status}" if status else None, hint=said[1] or None)


_ANOTHER_WAY = "Download the file in another way, then name its path."
_LOG_IN = "log in: hf auth login."
_LICENCE = "Accept the model's licence on its page, or log in with a token that may read it: hf auth login."
_BY_STATUS = {
    401: ("the hub does not know you", f"First {_LOG_IN}"),
    403: ("the hub does not let you read it", _LICENCE),
    404: (NO_MODEL, f"Check the name. If the model is private, {_LOG_IN}"),
    429: ("too many requests", "Wait some minutes; `hf auth login` gives more requests."),
}
_ELSEWHERE = {
    401: ("the server wants a login", _ANOTHER_WAY),
    403: ("the server does not let you read it", _ANOTHER_WAY),
    404: ("the server has no such file", "Check the address, or try again later."),
    429: ("too many requests", "Wait some minutes."),
}


def _by_class(error: Exception, what: str) -> tuple[str, str] | None:
    """The meaning of an error of huggingface_hub's, and what to do; None where it has none."""
    errors = library().errors
    repo = "/".join(what.removeprefix("hf://").partition("@")[0].split("/")[:2])
    meanings = (
        (
            errors.GatedRepoError,
            "access to the model is restricted",
            f"Accept its licence at {endpoint()}/{repo}, and {_LOG_IN}",
        ),
        (
            errors.RevisionNotFoundError,
            "the hub has no such revision of the model",
            "Name a branch, a tag or a commit.",
        ),
        (errors.RemoteEntryNotFoundError, "the model has no such file", ""),
        (errors.RepositoryNotFoundError, *_BY_STATUS[404]),
    )
    return next(((said, hint) for kind, said, hint in meanings if isinstance(error, kind)), None)
