"""The machine that was measured on, and the versions of packages."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import attrs

from fourcc.rates.processor import processor_name
from fourcc.threads import thread_count

PACKAGES = ("fourcc", "numpy", "numba", "llvmlite")


@attrs.frozen
class Machine:
    """The machine, in the names that the system gives.

    Attributes:
        cpu: model of the processor.
        architecture: as the system names it.
        cores: cores of the machine.
        usable: cores that this process may use.
        system: kernel and its release.
    """

    cpu: str
    architecture: str
    cores: int
    usable: int
    system: str


def machine() -> Machine:
    """This machine."""
    system = f"{platform.system()} {platform.release()}"
    return Machine(processor_name(), platform.machine(), os.cpu_count() or 1, thread_count(), system)


def last_level_cache(folder: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> int:
    """Bytes of the largest cache, as Linux reports it; 0 if the system reports none."""
    sizes = [0]
    for path in folder.glob("index*/size"):
        match = re.fullmatch(r"(\d+)([KMG]?)", path.read_text(encoding="ascii", errors="replace").strip())
        if match:
            sizes.append(int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[match[2]])
    return max(sizes)


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of Python and of packages; packages that are not installed are left out."""
    installed = {"python": platform.python_version()}
    for package in packages:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed
