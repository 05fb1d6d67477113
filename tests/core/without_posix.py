"""Runs commands of fourcc in a process that has only what Windows has, as far as another system can pretend.

    python tests/core/without_posix.py '["inspect", "model.bin"]' '["verify", "model.bin"]'

For fourcc's own modules, not for the libraries below it: names of `os`, `signal` and the like that Windows lacks are
gone, and so are modules; the stubs of the type checker say which. Files must be opened as binary, or with an encoding.
No file that is open can be renamed, replaced or removed.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

CHANGED = ("os", "signal", "mmap", "select", "time", "socket")
BINARY = 1 << 28  # stands for Windows' O_BINARY
MOVING = ("rename", "replace", "remove", "unlink")


def stubs() -> Path:
    """The type checker's stubs of the standard library."""
    found = find_spec("mypy")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "typeshed" / "stdlib"


def names(body: list[ast.stmt], platform: str) -> Iterator[str]:
    """The names that a stub declares for a platform and this version of Python."""
    for node in body:
        if isinstance(node, ast.If):
            known = {"sys": type("sys", (), {"platform": platform, "version_info": sys.version_info})}
            holds = eval(compile(ast.Expression(node.test), "stub", "eval"), known)  # noqa: S307 - of the stubs
            yield from names(node.body if holds else node.orelse, platform)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def lacking(module: str) -> set[str]:
    """The names of a module that Linux has and Windows lacks."""
    folder, file = stubs() / module / "__init__.pyi", stubs() / f"{module}.pyi"
    tree = ast.parse((folder if folder.is_file() else file).read_text(encoding="utf-8"))
    return set(names(tree.body, "linux")) - set(names(tree.body, "win32"))


def absent_modules() -> set[str]:
    """The modules that declare nothing for Windows."""
    trees = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in stubs().glob("*.pyi")}
    return {name for name, tree in trees.items() if not set(names(tree.body, "win32")) and lacking(name)}


def ours(depth: int = 2) -> bool:
    """Whether the caller's caller is a module of fourcc."""
    return str(sys._getframe(depth).f_globals.get("__name__")).split(".")[0] == "fourcc"


def hide(module: ModuleType) -> None:
    """Takes away from fourcc what Windows lacks; everyone else finds it as before."""
    kept = {name: vars(module).pop(name) for name in lacking(module.__name__) if name in vars(module)}

    def found(name: str) -> object:
        if name not in kept or ours():
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r} on Windows")
        return kept[name]

    vars(module)["__getattr__"] = found


def forbid_imports(absent: set[str]) -> None:
    """Makes modules that Windows lacks fail to be imported by fourcc."""
    real = builtins.__import__

    def imported(name: str, *rest: Any, **more: Any) -> ModuleType:
        if name in absent and ours():
            raise ImportError(f"no module {name!r} on Windows", name=name)
        return real(name, *rest, **more)

    builtins.__import__ = imported


def open_files() -> set[str]:
    """Paths of this process's open and mapped files."""
    mapped = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    paths = {line.split(maxsplit=5)[5] for line in mapped if line.count("/")}
    for link in Path("/proc/self/fd").iterdir():
        try:
            paths.add(str(link.readlink()))
        except OSError:  # the descriptor that lists them
            continue
    return paths


def forbid_moving_open_files() -> None:
    """Makes renaming, replacing and removing of open files fail, as without FILE_SHARE_DELETE."""

    def guarded(real: Callable[..., None]) -> Callable[..., None]:
        def move(*paths: Any, **more: Any) -> None:
            held = open_files() & {os.path.realpath(path) for path in paths if isinstance(path, (str, os.PathLike))}
            if held and not more:  # a folder's descriptor comes from the libraries
                raise PermissionError(13, "The process cannot access the file because it is being used", held.pop())
            real(*paths, **more)

        return move

    for name in MOVING:
        setattr(os, name, guarded(getattr(os, name)))


def demand_binary() -> None:
    """Makes fourcc say that it opens a file as binary, and lets no one open a folder."""
    real = os.open

    def opened(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if ours() and str(path) != os.devnull:
            if os.path.isdir(path):  # noqa: PTH112 - a descriptor, too
                raise PermissionError(13, "Permission denied", str(path))
            assert flags & BINARY, f"{path} is opened as text"
        return real(path, flags & ~BINARY, *rest, **more)

    os.open = opened
    os.O_BINARY = BINARY  # type: ignore[attr-defined, unused-ignore]


def main(commands: list[list[str]]) -> int:
    """Runs the commands one after the other; ends with the exit code of the first that fails."""
    for name in ("subprocess", "tempfile", "multiprocessing", "numpy", "numba"):  # take what they want beforehand
        importlib.import_module(name)
    warnings.filterwarnings("error", category=EncodingWarning, module=r"fourcc\.")
    for name in CHANGED:
        hide(importlib.import_module(name))
    forbid_imports(absent_modules())
    demand_binary()
    forbid_moving_open_files()
    from fourcc.cli.app import main as run

    for command in commands:
        code = run(command)
        if code:
            sys.stderr.write(f"{command}: exit code {code}\n")
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main([json.loads(word) for word in sys.argv[1:]]))
