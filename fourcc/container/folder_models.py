"""The containers that a folder holds: whole files, and sets of shards."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from fourcc.container.head_and_tail import read_index, recognisable
from fourcc.container.shard_list import is_shard_list, read_shard_list
from fourcc.container.shard_names import LIST_SUFFIX, SUFFIX, numbered
from fourcc.errors import IndexDamageError, InputError, listed
from fourcc.files.beside import file_in
from fourcc.files.folder_write import WEIGHTS
from fourcc.files.read import ReadFile

_SHOWN = 4  # names in a message


def is_container(path: Path) -> bool:
    """Whether a path leads to a container, or to what was one; to a folder only where it holds no other weights."""
    if path.is_dir():
        return bool(models_in(path)) and not any(name.endswith(WEIGHTS) for name in _names(path))
    return path.is_file() and (recognisable(path) or is_shard_list(path))


def models_in(folder: Path) -> list[str]:
    """The file from which each container in a folder is opened: a set's list or first shard, or a whole file.

    Raises:
        SourceError: a symbolic link leads out of the folder.
        OSError: a file cannot be read.
    """
    names = _names(folder)
    lists = [
        name for name in names if name.endswith(LIST_SUFFIX) and _is_file(folder, name) and is_shard_list(folder / name)
    ]
    known = {shard for name in lists for shard in _listed(folder, name, names)}
    files = [name for name in names if name.endswith(SUFFIX) and name not in known and _is_model(folder, name)]
    firsts: dict[object, str] = {}
    for name in files:
        apart = numbered(name)
        firsts.setdefault(name if apart is None else (apart.stem, apart.count), name)
    return [*lists, *firsts.values()]


def model_in(folder: Path) -> Path:
    """The file from which a folder's only container is opened. Raises InputError where there is none, or another."""
    names = models_in(folder)
    if len(names) == 1:
        return folder / names[0]
    if names:
        raise InputError(several(folder, names), file=folder, hint="Name one of these files.")
    raise IndexDamageError("no model.bin in this folder", file=folder, hint="Name the file itself.")


def several(folder: Path, names: list[str]) -> str:
    """The words for a folder with several models; a shard whose name does not tell it is called one."""
    *first, last = (_described(folder, name) for name in names)
    shown = f"{', '.join(first)} and {last}" if len(names) <= _SHOWN else listed([*first, last], _SHOWN)
    return f"the folder holds more than one model: {shown}"


def _described(folder: Path, name: str) -> str:
    if not name.endswith(SUFFIX) or numbered(name) is not None:
        return name
    with ExitStack() as stack:
        try:
            file = ReadFile(folder / name)
            stack.callback(file.close)
            _, _, index = read_index(file)
        except InputError:
            return name
    return name if index.shard is None else f"{name} (shard {index.shard.number} of {index.shard.count} of a model)"


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))


def _is_file(folder: Path, name: str) -> bool:
    path = file_in(folder, name)
    return path is not None and path.is_file()


def _is_model(folder: Path, name: str) -> bool:
    return _is_file(folder, name) and recognisable(folder / name)


def _listed(folder: Path, name: str, names: list[str]) -> list[str]:
    """The shards of a list; of a damaged one, whose error comes when it is opened, all that have its name."""
    try:
        return [shard.file for shard in read_shard_list(folder / name).shards]
    except IndexDamageError:
        stem = name.removesuffix(LIST_SUFFIX)
        return [each for each in names if (apart := numbered(each)) is not None and apart.stem == stem]
