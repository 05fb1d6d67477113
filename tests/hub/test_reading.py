"""A model on a hub is read as a folder of this machine is: downloaded, by ranges, file after file."""

from pathlib import Path

import pytest

from fourcc.sources.elsewhere import Reach
from tests.hub.conftest import NAME, converted
from tests.hub.server import LocalHub


@pytest.mark.parametrize("way", ["download", "ranges", "stream"])
def test_the_same_bytes(hub: LocalHub, sharded: Path, expected: bytes, tmp_path: Path, way: str) -> None:
    """However the bytes come."""
    hub.add(NAME, sharded)
    assert converted(NAME, tmp_path / "model.bin", Reach(way, tmp_path)) == expected
