"""A folder that came from elsewhere: which file holds its model."""

from __future__ import annotations

import re
from pathlib import Path

from fourcc.container.folder_models import models_in, several
from fourcc.container.shard_names import SUFFIX, numbered
from fourcc.errors import SourceError

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
    others, weights = models_among(names)
    ours = models_in(folder)
    beside = [name for name in ours if not name.endswith(SUFFIX) or numbered(name)]  # sets; a whole file is the result
    models = [*beside, *others] if others else ours
    if len(models) > 1:
        raise SourceError(several(folder, models), file=folder, hint="Name one of these files.")
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
    pickles = [name for name in names if name.endswith(_PICKLES)]
    hint = "Name the file itself, if the model is one of another kind."
    if unfinished:
        hint = f"The download has not finished: {', '.join(unfinished[:4])}."
    elif pickles:
        hint = (
            f"{', '.join(pickles[:4])}: a pickle can execute code and is never read, convert it to safetensors; "
            "name the file itself if it is a llama2.c checkpoint or a model.bin."
        )
    kinds = f"a model.bin, *{_INDEX}, *{_SAFETENSORS} and *{_GGUF}"
    return SourceError(f"no model in this folder: looked for {kinds} among {len(names)} files", file=folder, hint=hint)
