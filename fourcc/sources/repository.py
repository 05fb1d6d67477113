"""The files of a repository that make one model, so that no others are fetched."""

from __future__ import annotations

import re

import attrs

from fourcc.errors import SourceError, listed
from fourcc.files.json_text import parse_object
from fourcc.hub import cache
from fourcc.hub.listing import Listing, RepositoryFile
from fourcc.sources.config_json import MAX_CONFIG
from fourcc.sources.folder import models_among
from fourcc.sources.safetensors import MAX_HEADER
from fourcc.sources.tokenizer import MAX_TOKENIZER, OTHER_TEMPLATES

SMALL = frozenset(
    {
        "config.json",
        "generation_config.json",
        "hf_quant_config.json",
        "adapter_config.json",
        "quantize_config.json",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "merges.txt",
        "chat_template.jinja",
        "README.md",
    }
)
SHOWN = 12  # names in a message
_INDEX = ".safetensors.index.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_NUMBERED = re.compile(r"(.*)-\d{5}-of-(\d{5}\.(?:safetensors|gguf|bin))")
_LIST = ".index.json"  # of the shards of a model.bin


@attrs.frozen
class ModelFiles:
    """The files of one model in a repository.

    Attributes:
        folder: their folder in the repository; empty: its root.
        opened: what is opened, from there; empty: the folder.
        weights: files that hold weights, by their names from there.
        small: the others.
    """

    folder: str
    opened: str
    weights: dict[str, RepositoryFile]
    small: dict[str, RepositoryFile]


def files_of(found: Listing) -> ModelFiles:
    """The files of the one model that is asked for. Raises SourceError where there is none, or more than one."""
    inside = found.name.inside
    if inside in found.entries:
        folder, _, chosen = inside.rpartition("/")
    else:
        folder, chosen = inside, ""
    below = found.below(folder)
    if not below:
        raise SourceError("the repository has no such file or folder", file=str(found.name), hint=_offer(found))
    named = chosen or _only_model(found, below)
    weights = _weights(found, below, named, by_name=bool(chosen))
    beside = {path: entry for path, entry in below.items() if _is_small(path, named)}
    alone = named.endswith((".gguf", ".bin"))
    return ModelFiles(folder, named if _is_ours(named) else chosen, weights, {} if alone and chosen else beside)


def _is_small(path: str, named: str) -> bool:
    template = path.startswith(OTHER_TEMPLATES) and path.endswith(".jinja")
    return path in SMALL or template or (path == named and path.endswith(_LIST))


def _only_model(found: Listing, below: dict[str, RepositoryFile]) -> str:
    """The file that stands for a folder's one model."""
    names = sorted(path for path in below if "/" not in path)
    models, _ = models_among(names)
    models = models or [path for path in names if _is_ours(path) and (path.endswith(".bin") or _set_of(path, below))]
    if len(models) == 1:
        return models[0]
    if not models:
        what = "the repository holds no safetensors and no GGUF file here"
        raise SourceError(what, file=str(found.name), hint=_offer(found))
    what = f"the repository holds more than one model: {listed(models, SHOWN)}"
    raise SourceError(what, file=str(found.name), hint=f"Name one of them: {_spelled(found, models[0])}")


def _offer(found: Listing) -> str | None:
    """Models elsewhere in the repository, as the end of a message."""
    ends = (".gguf", _INDEX, ".safetensors", "/model.bin")
    names = [path for path in sorted(found.entries) if f"/{path}".endswith(ends)]
    firsts = [path for path in names if "-of-" not in path or "-00001-of-" in path]
    pickles = [path for path in found.entries if path.endswith(_PICKLES)]
    if firsts:
        return f"It has {listed(firsts, SHOWN)}. Name one of them: {_spelled(found, firsts[0])}"
    if pickles:
        return f"It has {listed(sorted(pickles), 4)}: a pickle can execute code, and is neither downloaded nor read."
    return None


def _is_ours(path: str) -> bool:
    """Whether a file is called as a model.bin usually is, or as the list of its shards."""
    return path.rpartition("/")[2] == "model.bin" or (path.endswith(_LIST) and not path.endswith(_INDEX))


def _set_of(name: str, below: dict[str, RepositoryFile]) -> dict[str, RepositoryFile]:
    """The shards of a model.bin, by the name of their list."""
    alike = re.compile(rf"{re.escape(name.removesuffix(_LIST))}-\d{{5}}-of-\d{{5}}\.bin")
    return {path: entry for path, entry in below.items() if alike.fullmatch(path)}


def _spelled(found: Listing, path: str) -> str:
    return str(attrs.evolve(found.name, inside=path))


def _weights(
    found: Listing, below: dict[str, RepositoryFile], named: str, *, by_name: bool
) -> dict[str, RepositoryFile]:
    """The files with the weights of a model, by the file that stands for it, and whether the user named that file."""
    if named.endswith(_INDEX):
        return _of_index(found, below, named)
    if named.endswith(_LIST):
        return _set_of(named, below)
    match = _NUMBERED.fullmatch(named)
    if match is not None and not (by_name and named.endswith(".safetensors")):
        alike = re.compile(rf"{re.escape(match[1])}-\d{{5}}-of-{match[2]}")
        return {path: entry for path, entry in below.items() if alike.fullmatch(path)}
    several = [path for path in sorted(below) if path.endswith(".safetensors") and "/" not in path]
    if not by_name and named in several[:1] and len(several) > 1:
        what = f"several safetensors files and no index: {listed(several, SHOWN)}"
        raise SourceError(what, file=str(found.name), hint=f"Name one of them: {_spelled(found, several[0])}")
    return {named: below[named]}


def _of_index(found: Listing, below: dict[str, RepositoryFile], name: str) -> dict[str, RepositoryFile]:
    """The files that an index names and the repository has; who reads the index says what is missing."""
    entry = below[name]
    if entry.size > MAX_HEADER:
        raise SourceError("too long for an index", file=_spelled(found, entry.path), found=f"{entry.size} bytes")
    said = parse_object(cache.fetched(found, entry).read_bytes(), _spelled(found, entry.path))
    homes = said.get("weight_map")
    names = dict.fromkeys(home for home in (homes.values() if isinstance(homes, dict) else ()) if type(home) is str)
    return {home: below[home] for home in names if home in below and re.fullmatch(r"[^/]+\.safetensors", home)}


def refuse_pickle(found: Listing, entry: RepositoryFile) -> None:
    """Refuses a pickle by its first bytes, before it is downloaded."""
    if not entry.path.endswith(_PICKLES) or cache.cached(found, entry) is not None:
        return
    head = b"".join(found.remote(entry).runs(0, min(entry.size, 4)))
    if head.startswith(b"PK") or (head[:1] == b"\x80" and head[1:2] <= b"\x05"):
        what = "a pickle can execute code, and is neither downloaded nor read"
        raise SourceError(what, file=_spelled(found, entry.path), hint="Take a model whose weights are safetensors.")


def most_bytes(entry: RepositoryFile) -> int:
    """Bytes of a small file beyond which its reader would not take it."""
    return MAX_HEADER if entry.path.endswith(_INDEX) else max(MAX_CONFIG, MAX_TOKENIZER)
