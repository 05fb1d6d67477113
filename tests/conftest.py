"""Fixtures that many tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# That inputs are drawn slowly tells of a busy machine; a test that sets its own keeps it.
settings.register_profile("fourcc", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("fourcc")

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first, so that none of them is what all wait for at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real models that are not part of the repository; skips where there is none."""
    folder = Path(os.environ.get("FOURCC_DATA", ROOT.parent / "shared" / "models"))
    if not folder.is_dir():
        pytest.skip("FOURCC_DATA names no folder of real models")
    return folder
