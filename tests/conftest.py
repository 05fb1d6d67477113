"""Fixtures that many tests share, and which tests a run without further words takes."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# That inputs are drawn slowly tells of a busy machine; a test that sets its own keeps it.
settings.register_profile("fourcc", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.register_profile("thorough", settings.get_profile("fourcc"))  # see tests/examples.py
settings.load_profile("fourcc")

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FIRST = ("conformance", "specs", "kernels", "cli", "bench", "running", "testing")  # folders


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out thorough tests, unless they are asked for; the folders of long tests come first.

    They are asked for by any ``-m``, which then chooses alone, and by the name of their file or of a test in it.
    """
    if not config.option.markexpr:
        named = {(config.invocation_params.dir / str(each).partition("::")[0]).resolve() for each in config.args}
        left_out = [item for item in items if item.get_closest_marker("thorough") and item.path.resolve() not in named]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            gone = set(left_out)
            items[:] = [item for item in items if item not in gone]
    order = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.parent.name, len(order)))


def pytest_report_header(config: pytest.Config) -> str | None:
    """Says so."""
    return None if config.option.markexpr else "thorough tests run if -m thorough, or their file, is given"


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    """One kernel is in the cache: a command of this run is not the first of this machine, and need not say so."""
    from fourcc import compute
    from fourcc.compute import precompiling
    from fourcc.kernels.compiler import jit

    if not jit.uncompiled() and not compute.current_entries():
        jit.compiled(precompiling.shared_kernels()["add_to"])


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real models that are not part of the repository; skips where there is none."""
    folder = Path(os.environ.get("FOURCC_DATA", ""))
    if not folder.is_absolute() or not folder.is_dir():
        pytest.skip("FOURCC_DATA names no folder of real models")
    return folder
