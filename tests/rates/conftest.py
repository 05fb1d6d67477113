"""A cache folder of each test's own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder; not made yet."""
    monkeypatch.setenv("FOURCC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
