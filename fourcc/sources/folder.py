"""A folder that came from elsewhere: which file holds its model, and which files its names may lead to."""

from __future__ import annotations

import errno
import os
import re
from contextlib import closing
from pathlib import Path

from fourcc.container.head_and_tail import recognisable
from fourcc.errors import SourceError
from fourcc.files.read import ReadFile

_CACHED = re.compile(r"(?:\.\./)+blobs/[0-9a-f]{40,64}")  # as Hugging Face's cache links its files


_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_SAFETENSORS, _INDEX, _GGUF = ".safetensors", ".safetensors.index.json", ".gguf"
_SPLIT = re.compile(r"(.*)-\d{5}-of-(\d{5})\.gguf")
_UNFINISHED = (".incomplete", ".part", ".crdownload")


def choose(folder: Path) -> list[str]:
    """The file that holds a folder's model: an index, a safetensors or a GGUF file; or several, a set without an index.

    Raises:
        SourceError: there is none, or more than one model.
    """
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    models, weights = models_among(names)
    if len(models) > 1:
        raise SourceError(
            f"the folder holds more than one model: {' and '.join(models)}",
            file=folder,
            hint="Name one of these files.",
        )
    if not models:
        raise _nothing(folder, names)
    return weights if models == weights[:1] else models


def models_among(names: list[str]) -> tuple[list[str], list[str]]:
    """The models among a folder's files, by a file each, and all safetensors files; `names` are sorted."""
    indexes, ggufs = ([name for name in names if name.endswith(end)] for end in (_INDEX, _GGUF))
    weights = [name for name in names if name.endswith(_SAFETENSORS)]
    return [*(indexes or weights[:1]), *_one_a_set(ggufs)], weights


def _one_a_set(names: list[str]) -> list[str]:
    """GGUF files; of a split model only the first file."""
    firsts: dict[tuple[str, ...], str] = {}
    for name in names:
        match = _SPLIT.fullmatch(name)
        firsts.setdefault((name,) if match is None else match.groups(), name)
    return list(firsts.values())


def _nothing(folder: Path, names: list[str]) -> SourceError:
    """The error for a folder without a model."""
    unfinished = [name for name in names if name.endswith(_UNFINISHED)]
    ours = [
        name for name in names if name.endswith(".bin") and (folder / name).is_file() and recognisable(folder / name)
    ]
    pickles = [name for name in names if name.endswith(_PICKLES)]
    hint = "Name the file itself, if the model is one of another kind."
    if unfinished:
        hint = f"The download has not finished: {', '.join(unfinished[:4])}."
    elif ours:
        hint = f"Did you mean {' or '.join(str(folder / name) for name in ours[:4])}?"
    elif pickles:
        hint = (
            f"{', '.join(pickles[:4])}: a pickle can execute code and is never read, convert it to safetensors; "
            "name the file itself if it is a llama2.c checkpoint or a model.bin."
        )
    return SourceError(
        f"no model in this folder: looked for *{_INDEX}, *{_SAFETENSORS} and *{_GGUF} among {len(names)} files",
        file=folder,
        hint=hint,
    )


def file_in(folder: Path, name: str) -> Path | None:
    """The path of a file in a folder, or None where there is none.

    Args:
        folder: a folder whose contents are not trusted.
        name: a file's name.

    Raises:
        SourceError: it is a symbolic link that leads out of the folder, other than into Hugging Face's cache.
    """
    path = folder / name
    try:
        if path.is_symlink() and not _stays(folder, path):
            raise SourceError(
                "a symbolic link that leads out of its folder",
                file=path,
                found=str(path.readlink()),
                hint="Copy the file into the folder, or name the file itself.",
            )
        return path if path.exists() else None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # no file can have that name
            return None
        raise


def contents(path: Path, most: int, what: str) -> bytes:
    """The bytes of a small file.

    Args:
        path: the file.
        most: bytes that it may have.
        what: what it should be, for the message.

    Raises:
        SourceError: it is longer.
    """
    with closing(ReadFile(path, SourceError)) as file:
        if file.size > most:
            raise SourceError(f"too long for {what}", file=path, found=f"{file.size} bytes", expected=f"at most {most}")
        return bytes(file.read(0, file.size))


def _stays(folder: Path, path: Path) -> bool:
    """Whether a link ends in its own folder, or at a file of Hugging Face's cache that it names itself.

    The cache's file has to be a regular one: if it were a link again, it could lead anywhere.
    """
    home, end = Path(os.path.realpath(folder)), Path(os.path.realpath(path))
    if end.is_relative_to(home):
        return True
    link = str(path.readlink())
    named = Path(os.path.normpath(home / link))
    return _CACHED.fullmatch(link) is not None and end == named and (end.is_file() or not os.path.lexists(end))
