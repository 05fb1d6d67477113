"""The conditions for work on other processes: one version of everything, the same source, a folder that all share."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from glob import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

import attrs

from fourcc.errors import ClusterError, InputError
from fourcc.files.read import ReadFile
from fourcc.files.write import NAME_CHARS, SUFFIX
from fourcc.plugins.registry import registry
from fourcc.tags import FourCC, as_tag

ENDS = 1 << 16  # bytes at each end of a file that tell it from others
LIBRARIES = ("numpy", "numba", "llvmlite", "xxhash")  # of other versions of these results may differ


@attrs.frozen
class SeenFile:
    """A file as a process sees it.

    Attributes:
        path: absolute.
        nbytes: its length.
        ends: BLAKE2b-128 of its first and last 64 KiB, in hex.
    """

    path: str
    nbytes: int
    ends: str

    @classmethod
    def at(cls, path: str) -> Self:
        """The file as this process sees it. Raises OSError where it sees none."""
        file = ReadFile(Path(path), InputError)
        try:
            digest = hashlib.blake2b(file.read(0, min(ENDS, file.size)), digest_size=16)
            digest.update(file.read(max(0, file.size - ENDS), min(ENDS, file.size)))
        finally:
            file.close()
        return cls(path, file.size, digest.hexdigest())


@attrs.frozen
class Marker:
    """A file with a random text beside the output: who reads the text sees the folder.

    Attributes:
        path: absolute; the worker's answer lies beside it.
        text: the file's.
    """

    path: str
    text: str

    @classmethod
    def beside(cls, output: Path, key: str) -> Self:
        """A marker beside an output, not yet written; a later run to the output sweeps what a killed one leaves."""
        return cls(str(output.with_name(f".{output.name[:NAME_CHARS]}.{key}{SUFFIX}")), secrets.token_hex(16))

    def sibling(self, name: str) -> Path:
        """A file beside it that goes with it when it is removed."""
        return Path(f"{self.path.removesuffix(SUFFIX)}.{name}{SUFFIX}")

    def answer(self, process: str) -> Path:
        """The file in which a process answers, so that whoever set the marker knows that it writes into the folder."""
        return self.sibling(hashlib.blake2b(process.encode(), digest_size=8).hexdigest())

    def remove(self) -> None:
        """Removes the marker, all answers to it, and its other siblings."""
        path = Path(self.path)
        for each in path.parent.glob(f"{escape(path.name.removesuffix(SUFFIX))}*{SUFFIX}"):
            with contextlib.suppress(OSError):
                each.unlink()


@attrs.frozen
class Conditions:
    """The conditions that each worker checks before it works.

    Attributes:
        key: names this work; a process checks its conditions once.
        versions: name -> value, equal on all workers.
        files: that every worker reads.
        marker: of the output's folder; None where workers write nothing.
    """

    key: str
    versions: Mapping[str, str]
    files: tuple[SeenFile, ...] = ()
    marker: Marker | None = None

    @property
    def tags(self) -> tuple[FourCC, ...]:
        """The formats that the work uses."""
        return tuple(as_tag(name.removeprefix(FORMAT)) for name in self.versions if name.startswith(FORMAT))

    def check(self) -> None:
        """Compares them with what this process has and sees.

        Raises:
            ClusterError: one does not hold; the message has both sides.
            UsageError: ``FOURCC_SIMD`` asks for a target that this machine cannot run.
        """
        here = versions_here(self.tags, simd=SIMD in self.versions)
        for name, expected in self.versions.items():
            if here[name] != expected:
                raise ClusterError(f"a worker has another {name}", found=here[name], expected=expected, hint=SAME)
        for file in self.files:
            _check_file(file)
        if self.marker is not None:
            _check_folder(self.marker)


FORMAT = "format "
SIMD = "SIMD target"
NO_TASK = "a worker cannot load fourcc's tasks"
SAME = "All workers need one version of everything, and see the same files."


def conditions(
    tags: Iterable[FourCC], files: Iterable[Path], output: Path | None = None, *, simd: bool = False
) -> Conditions:
    """The conditions that hold in this process.

    Args:
        tags: of the formats that the work uses.
        files: that every worker reads; each must exist here.
        output: into whose folder every worker writes; None: workers only return results.
        simd: whether results depend on the family of processors that kernels are compiled for.
    """
    key = secrets.token_hex(8)
    marker = None if output is None else Marker.beside(output.absolute(), key)
    seen = tuple(SeenFile.at(str(Path(path).absolute())) for path in files)
    return Conditions(key, versions_here(sorted(set(tags)), simd=simd), seen, marker)


def versions_here(tags: Iterable[FourCC], *, simd: bool) -> dict[str, str]:
    """The versions that this process has of all that results depend on, by names for people."""
    found = {
        "version of fourcc": _version("fourcc"),
        "source code of fourcc": code_digest(),
        "version of Python": platform.python_version(),
        **{f"version of {name}": _version(name) for name in LIBRARIES},
        **{f"{FORMAT}{tag}": _plugin(tag) for tag in tags},
    }
    if simd:
        from fourcc.compute.choosing import target_name

        found[SIMD] = target_name()
    return found


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _plugin(tag: FourCC) -> str:
    """The package that provides a format, and its version."""
    return registry.entry(tag).owner if tag in registry else "none"


@cache
def code_digest() -> str:
    """BLAKE2b-64 over the names and texts of the package's modules, in hex: a checkout may differ within a version."""
    digest = hashlib.blake2b(digest_size=8)
    root = Path(__file__).resolve().parents[1]
    for path in sorted(_modules(root)):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _modules(folder: Path) -> Iterator[Path]:
    """The .py files below a folder; links are followed, as a checkout has them."""
    for path in folder.iterdir():
        if path.is_dir() and path.name != "__pycache__":
            yield from _modules(path)
        elif path.suffix == ".py":
            yield path


def _check_file(expected: SeenFile) -> None:
    try:
        found = SeenFile.at(expected.path)
    except (OSError, InputError) as error:
        what = f"a worker does not see a file of the source: {getattr(error, 'strerror', None) or error}"
        raise ClusterError(what, file=expected.path, hint=SHARED) from error
    if found != expected:
        what = "a worker sees another file under this name"
        raise ClusterError(what, file=expected.path, found=_spelled(found), expected=_spelled(expected), hint=SHARED)


SHARED = "Workers need the source and the output under the same paths: put them on a file system that all share."


def _spelled(file: SeenFile) -> str:
    return f"{file.nbytes} bytes, digest of its ends {file.ends}"


def _check_folder(marker: Marker) -> None:
    """Reads the marker, and answers."""
    folder = Path(marker.path).parent
    try:
        text = Path(marker.path).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        seen = "no such folder" if not folder.is_dir() else f"{sum(1 for _ in folder.iterdir())} other files in it"
        what = "a worker does not see the output's folder: the file that marks it is missing there"
        raise ClusterError(what, file=folder, found=seen, hint=SHARED) from error
    if text != marker.text:
        raise ClusterError("a worker sees another folder under this name", file=folder, hint=SHARED)
    try:
        marker.answer(process_name()).write_text(marker.text, encoding="ascii")
    except OSError as error:
        what = f"a worker cannot write into the output's folder: {error.strerror or error}"
        raise ClusterError(what, file=folder, hint=SHARED) from error


def process_name() -> str:
    """The number of this process and its host: no other process of a cluster has both."""
    return f"process {os.getpid()} on {platform.node()}"


def worker_name() -> str:
    """The name of this process for people: its address in a cluster of dask, else its number; and the host."""
    dask = sys.modules.get("distributed.worker")
    try:
        return process_name() if dask is None else f"{dask.get_worker().address} on {platform.node()}"
    except ValueError:  # dask is loaded, and this is no worker of it
        return process_name()
