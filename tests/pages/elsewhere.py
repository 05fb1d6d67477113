"""The world outside of a page's folder: a hub with a model on it, and a port for a scheduler. All is on this machine.

A page that names `MODEL` gets a hub that serves the shipped model, its weights in four files; huggingface_hub is led to
it by ``HF_ENDPOINT``. A page that names `PORT` means a port that is free here while its commands run.
"""

import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import attrs

import fourcc
from tests.hub.server import LocalHub

MODEL = "org/model"
PORT = "8786"
WANTED = {MODEL: ("huggingface_hub", "hub"), f":{PORT}": ("distributed", "cluster")}


@attrs.frozen
class Elsewhere:
    """The world outside of a page's folder, as its commands find it.

    Attributes:
        env: what the environment has more.
        names: what the page names -> what its commands get in its place.
    """

    env: Mapping[str, str] = attrs.field(factory=dict)
    names: Mapping[str, str] = attrs.field(factory=dict)


def check_installed(page: str) -> None:
    """Raises RuntimeError where a page wants a package that is not installed."""
    for word, (package, extra) in WANTED.items():
        if word in page and find_spec(package) is None:
            raise RuntimeError(f"the page wants {package}: pip install -e '.[{extra}]'")


@contextmanager
def elsewhere(page: str, example: Path, scratch: Path) -> Iterator[Elsewhere]:
    """All that a page wants outside of its folder; it ends with the block.

    Args:
        page: its text.
        example: what `fourcc example` made.
        scratch: for the hub's model and cache.

    Raises:
        RuntimeError: a package that the page wants is not installed.
    """
    check_installed(page)
    names = other_port(free_port()) if f":{PORT}" in page else {}
    if MODEL not in page:
        yield Elsewhere(names=names)
        return
    hub = LocalHub()
    try:
        hub.add(MODEL, sharded(example / "hf", scratch / "served"))
        yield Elsewhere(hub_environment(hub.address, scratch / "hub-cache"), names)
    finally:
        hub.close()


def hub_environment(address: str, cache: Path) -> dict[str, str]:
    """The variables that lead huggingface_hub to a hub, without a token."""
    return {
        "HF_ENDPOINT": address,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "HF_HUB_OFFLINE": "0",
    }


def sharded(model: Path, folder: Path) -> Path:
    """A copy of a folder from Hugging Face, its weights in files of at most 400 kB."""
    parts = folder.with_name(f"{folder.name}-parts")
    fourcc.export(model, parts, shard_size="400kB")
    shutil.copytree(model, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    for path in parts.glob("model*.safetensors*"):
        shutil.copy(path, folder)
    return folder


def other_port(port: str) -> dict[str, str]:
    """Another port in the place of the page's: in addresses, and as an option."""
    return {form.format(PORT): form.format(port) for form in (":{}", "--port {}")}


def free_port() -> str:
    """A port of 127.0.0.1 that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
