"""Names of models that lie elsewhere: ``org/name``, ``hf://org/name@revision``, and addresses of pages and files."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import attrs

from fourcc.errors import SourceError

_PART = r"[A-Za-z0-9_][\w.-]*"
_NAME = re.compile(rf"({_PART}/{_PART})((?:/[^@]+)?)(?:@(.+))?", re.ASCII)
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+(.+)", re.IGNORECASE)
_FILES = (".gguf", ".safetensors", ".bin", ".json", ".npz", ".pt", ".pth", ".toml", ".calib", ".dat", ".imatrix")
_PAGES = ("tree", "blob", "resolve", "raw")  # between a model's name and a revision, in addresses of the hub
_NO_MODELS = ("datasets/", "spaces/", "buckets/")
_REFS = re.compile(r"(refs/(?:pr|convert)/[^/]+)(?:/(.*))?")
HUB_HOSTS = ("huggingface.co", "hf.co", "www.huggingface.co")


@attrs.frozen
class HubName:
    """A model on a hub, or a file or folder of its repository.

    Attributes:
        repo: ``owner/name``.
        inside: a path in the repository; empty: all of it.
        revision: a branch, a tag or a commit; None: the main branch.
        explicit: whether it can be nothing but a name on a hub.
    """

    repo: str
    inside: str = ""
    revision: str | None = None
    explicit: bool = True

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"hf://{self.repo}{revision}{f'/{self.inside}' if self.inside else ''}"


@attrs.frozen
class FileAddress:
    """A file on any server.

    Attributes:
        url: its address.
    """

    url: str

    @property
    def name(self) -> str:
        """The file's name, as a folder can hold it."""
        return plain_name(unquote(urlsplit(self.url).path).rpartition("/")[2], self.url)

    def __str__(self) -> str:
        parts = urlsplit(self.url)  # what follows ? may be a secret
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


def read_name(path: str | Path, hosts: tuple[str, ...] = HUB_HOSTS) -> HubName | FileAddress | None:
    """The model elsewhere that a path names, or None where it can only be a path.

    Args:
        path: what the user gave; a `Path` of an address has lost a slash.
        hosts: of hubs, whose addresses name models.

    Raises:
        SourceError: it begins as an address does, and is none that can be read.
    """
    text = str(path)
    address = _ADDRESS.fullmatch(text)
    if address is not None:
        return _of_address(address[1].lower(), address[2], hosts)
    match = _NAME.fullmatch(text)
    if match is None or ".." in text or (not match[2] and match[1].lower().endswith(_FILES)):
        return None
    return _hub_name(text, explicit=False)


def _of_address(scheme: str, rest: str, hosts: tuple[str, ...]) -> HubName | FileAddress:
    shown = f"{scheme}://{rest.partition('?')[0]}"
    if scheme == "hf":
        return _hub_name(rest.removeprefix("models/"), explicit=True)
    if scheme not in ("https", "http"):
        hint = "hf:// and https:// addresses can be read; download the file first, then name its path."
        raise SourceError("no such address can be read", file=shown, hint=hint)
    parts = urlsplit(f"{scheme}://{rest}")
    if parts.username or parts.password:
        raise SourceError("the address holds a password", file=f"{scheme}://{parts.hostname}", hint="Leave it out.")
    if parts.netloc.lower() in hosts:
        return _of_page(unquote(parts.path).strip("/"), shown)
    if parts.path.strip("/") == "":
        raise SourceError("the address names no file", file=shown)
    return FileAddress(f"{scheme}://{rest}")


def _of_page(path: str, shown: str) -> HubName:
    """The model of a page of a hub, ``owner/name``, ``owner/name/tree/main`` or ``owner/name/blob/main/file``."""
    owner, _, rest = path.partition("/")
    name, _, rest = rest.partition("/")
    page, _, rest = rest.partition("/")
    if re.fullmatch(_PART, owner) is None or re.fullmatch(_PART, name) is None or (page and page not in _PAGES):
        hint = "Name the model: hf://OWNER/NAME."
        raise SourceError("no page of a model", file=shown, hint=hint)
    special = _REFS.fullmatch(rest)
    revision, inside = special.groups() if special else rest.partition("/")[::2]
    return HubName(f"{owner}/{name}", checked_path(inside or "", shown), revision or None)


def _hub_name(text: str, *, explicit: bool) -> HubName:
    match = _NAME.fullmatch(text.rstrip("/"))
    if match is None or text.startswith(_NO_MODELS):
        expected = "hf://OWNER/NAME, hf://OWNER/NAME@REVISION or hf://OWNER/NAME/FILE"
        raise SourceError("no name of a model on a hub", file=f"hf://{text}", expected=expected)
    repo, inside, revision = match[1], match[2].strip("/"), match[3]
    if revision and not inside:
        special = _REFS.fullmatch(revision)
        if special is not None:
            revision, inside = special[1], special[2] or ""
        elif "/" in revision:
            revision, _, inside = revision.partition("/")
    return HubName(repo, checked_path(inside, text), revision and unquote(revision), explicit)


def checked_path(path: str, said_by: object) -> str:
    """A path in a repository, as it was given. Raises SourceError where it leads out, or is no plain path.

    Args:
        path: with slashes.
        said_by: the file or address that has it, for the message.
    """
    for part in path.split("/") if path else ():
        plain_name(part, said_by)
    return path


def plain_name(name: str, said_by: object) -> str:
    """A bare name of a file. Raises SourceError where it leads elsewhere, or is hidden."""
    if not name or name.startswith(".") or set(name) & set('/\\:\0"') or not name.isprintable():
        raise SourceError(
            "a file's name leads out of its folder, or is none",
            file=said_by,
            found=repr(name),
            expected="a plain name",
        )
    return name
