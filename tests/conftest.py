"""Fixtures that many tests share, and which tests a run takes, in which order."""

import gc
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import HealthCheck, settings

# That inputs are drawn slowly tells of a busy machine; a test that sets its own keeps it.
settings.register_profile("fourcc", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.register_profile("thorough", settings.get_profile("fourcc"))  # see tests/examples.py
settings.load_profile("fourcc")

ROOT = Path(__file__).resolve().parent.parent
BYTECODE = ROOT / ".pytest_cache" / "bytecode"
# Folders. The two that read all sources stand together, so one worker parses them.
LONGEST_FIRST = ("conformance", "specs", "layout", "kernels", "cli", "bench", "running", "testing", "properties")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option ``--share K/N``."""
    what = "take the Kth of N shares of the tests that are chosen; together the shares are all"
    parser.addoption("--share", type=share, default=(1, 1), metavar="K/N", help=what)


def share(text: str) -> tuple[int, int]:
    """A share of how many: ``2/3``.

    Raises:
        ValueError: it is none; the option's own error names it.
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError(text)
    return int(found[1]), int(found[2])


def pytest_configure(config: pytest.Config) -> None:
    """Sets all that workers, and the commands that tests start, inherit; they are hundreds.

    numpy's BLAS has no threads: their start and end take 0.1 s of processor time in each process. Where Python is told
    to write no bytecode beside the sources, it is kept elsewhere: otherwise each worker would rewrite all asserts, and
    each command compile the package's sources for itself.
    """
    if hasattr(config, "workerinput"):
        return
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ["HF_HUB_OFFLINE"] = "1"  # a name that no file has is asked of no hub, but in tests/hub of its own
    if sys.dont_write_bytecode and "PYTHONPYCACHEPREFIX" not in os.environ:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(BYTECODE)
        shutil.rmtree(BYTECODE.joinpath(*Path(tempfile.gettempdir()).parts[1:]), ignore_errors=True)  # of earlier runs


def pytest_collection_finish() -> None:
    """Searches for garbage leave out what collecting made, and the modules: half a million objects."""
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out thorough tests, unless they are asked for, and other shares; the folders of long tests come first.

    They are asked for by any ``-m``, which then chooses alone, and by the name of their file or of a test in it.
    """
    if not config.option.markexpr:
        named = {(config.invocation_params.dir / str(each).partition("::")[0]).resolve() for each in config.args}
        keep(config, items, lambda item: not item.get_closest_marker("thorough") or item.path.resolve() in named)
    which, count = config.option.share
    keep(config, items, lambda item: crc32(item.nodeid.encode()) % count == which - 1)
    items[:] = ordered(items)


def ordered(items: list[pytest.Item]) -> list[pytest.Item]:
    """The folders of long tests first, the kernels' tests in reverse.

    Two workers begin with the formats' and the kernels' tests, and both go through the formats. In one direction they
    would want the same kernels at the same time, and one would wait while the other compiles.
    """
    folders: dict[str, list[pytest.Item]] = {name: [] for name in (*LONGEST_FIRST, "")}
    for item in items:
        folders[item.path.parent.name if item.path.parent.name in folders else ""].append(item)
    folders["kernels"].reverse()
    return [item for each in folders.values() for item in each]


def keep(config: pytest.Config, items: list[pytest.Item], wanted: Callable[[pytest.Item], bool]) -> None:
    """Leaves out what is not wanted."""
    kept = [item for item in items if wanted(item)]
    if len(kept) < len(items):
        gone = set(items) - set(kept)
        config.hook.pytest_deselected(items=[item for item in items if item in gone])
        items[:] = kept


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Says what is left out."""
    which, count = config.option.share
    lines = [f"share {which} of {count}: another run takes --share {which % count + 1}/{count}"] if count > 1 else []
    return lines if config.option.markexpr else [*lines, "thorough tests run if -m thorough, or their file, is given"]


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
