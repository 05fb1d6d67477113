"""huggingface_hub, which knows the hub's addresses, tokens and cache; it is loaded when a model elsewhere is named."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from fourcc import installation
from fourcc.errors import UsageError
from fourcc.hub.names import HUB_HOSTS


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
        raise UsageError(what, hint=installation.hint("hub")) from error
    for name in ("huggingface_hub.utils._http", "huggingface_hub.file_download"):
        logging.getLogger(name).setLevel(logging.ERROR)  # its warnings of each try: fourcc tells of them itself
    return huggingface_hub


def session() -> Any:  # noqa: ANN401 - httpx's client, of this package's or of huggingface_hub's choice
    """The client of huggingface_hub, as the user has set it up."""
    return library().utils.get_session()


def offline() -> bool:
    """Whether huggingface_hub was told to use its cache alone (HF_HUB_OFFLINE)."""
    return bool(library().constants.HF_HUB_OFFLINE)


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
