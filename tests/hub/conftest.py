"""A hub on this machine, to which huggingface_hub is led; its cache lies in a temporary folder."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fourcc.conversion.carrying_out import execute
from fourcc.conversion.plan import plan
from fourcc.execution import Execution
from fourcc.files.write import check_target
from fourcc.hub import library as hub_library
from fourcc.hub import ranges, remote_file, trying
from fourcc.policy import Policy
from fourcc.sources import open_source
from fourcc.sources.elsewhere import Transfer
from tests.hub.making import sharded_folder
from tests.hub.server import LocalHub

NAME = "org/model"


def converted(source: str | Path, output: Path, transfer: Transfer, threads: int = 2) -> bytes:
    """The bytes of a model.bin made of a source."""
    with open_source(source, None, transfer) as opened:
        planned = plan(opened, Policy.chosen(format="Q8_0,F16"))
        execute(planned, check_target(output, opened.all_files, force=True), Execution(threads=threads))
    return output.read_bytes()


def leftovers(folder: Path) -> list[str]:
    """Temporary files and folders that are still there."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def _forget() -> None:
    """Has huggingface_hub read its environment when it is imported next."""
    hub_library.library.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "huggingface_hub"]:
        del sys.modules[name]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    """The hub; the package knows no other one."""
    pytest.importorskip("huggingface_hub")
    hub, patch = LocalHub(), pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING"))]:
        patch.delenv(name)
    patch.setenv("HF_ENDPOINT", hub.address)
    patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hf")))
    patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    patch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "1")
    patch.setenv("HF_HUB_ETAG_TIMEOUT", "1")
    _forget()
    hub_library.library()
    yield hub
    hub.close()
    patch.undo()
    _forget()


@pytest.fixture
def hub(served: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalHub:
    """The hub without models and faults, an empty cache, and no pauses between tries."""
    import huggingface_hub

    served.repos, served.faults, served.requests = {}, [], []
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_ASSETS_CACHE", str(tmp_path / "assets"))
    monkeypatch.setattr(trying, "PAUSES", (0.0,))
    monkeypatch.setattr(ranges, "PATIENCE", 0.5)
    monkeypatch.setattr(remote_file, "BLOCK", 16384)
    monkeypatch.setattr(remote_file, "MOST_AHEAD", 8)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return served


@pytest.fixture(scope="session")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint in three safetensors files with an index, as a folder."""
    return sharded_folder(tmp_path_factory.mktemp("sharded"))


@pytest.fixture(scope="session")
def expected(sharded: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The model.bin of the folder."""
    return converted(sharded, tmp_path_factory.mktemp("expected") / "model.bin", Transfer())
