"""safetensors in several files: an index that says which holds which tensor, or files numbered ``-00001-of-00003``.

The index is not trusted: it may only name files that lie beside it.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

from fourcc.errors import SourceError
from fourcc.files.beside import contents, file_in
from fourcc.files.json_text import parse_object
from fourcc.files.read import ReadFile
from fourcc.plugins.registry import registry
from fourcc.sources.extent import stored_bytes
from fourcc.sources.huggingface import adopt
from fourcc.sources.safetensors import KIND, MAX_HEADER, named, read_tensors
from fourcc.sources.source import Source, SourceTensor

INDEX_SUFFIX = ".safetensors.index.json"
_NUMBERED = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.safetensors")


def recognises(path: Path, head: bytes) -> bool:  # noqa: ARG001 - every kind's signature
    """Whether it is an index: a JSON object in which ``weight_map`` comes soon."""
    return head.lstrip()[:1] == b"{" and b'"weight_map"' in head


def open_index(path: Path) -> Source:
    """The files that an index names, as one source.

    Raises:
        SourceError: the index, a file or a tensor is missing or wrong; all missing ones are named.
    """
    weight_map, total_size = _read_index(path)
    names = list(dict.fromkeys(weight_map.values()))
    missing = [name for name in names if file_in(path.parent, name) is None]
    if missing:
        raise SourceError(
            f"{len(missing)} of {len(names)} files that the index names are missing: {', '.join(missing)}",
            file=path,
            hint="Download them.",
        )
    return _open_files(path, [path.parent / name for name in names], weight_map, total_size)


def open_numbered(path: Path, names: list[str]) -> Source:
    """The files ``NAME-00001-of-00003.safetensors`` of a folder without an index. Raises as `open_index` does."""
    matches = [match for name in sorted(names) if (match := _NUMBERED.fullmatch(name))]
    stems = {(match[1], match[3]) for match in matches}
    if len(matches) != len(names) or len(stems) != 1:
        raise SourceError(
            f"several safetensors files and no index: {', '.join(sorted(names))}",
            file=path,
            hint="Name one of them.",
        )
    stem, count = matches[0][1], matches[0][3]
    present = {int(match[2]) for match in matches}
    missing = [number for number in range(1, min(int(count), len(names) + 8) + 1) if number not in present]
    if missing or max(present) > int(count):
        listed = ", ".join(f"{stem}-{number:05}-of-{count}.safetensors" for number in missing)
        raise SourceError(
            f"the set of files is not complete: there is no {listed}", file=path, hint="Download the rest."
        )
    shards = [path / name for name in sorted(names)]
    gone = [name for name in sorted(names) if file_in(path, name) is None]
    if gone:
        raise SourceError("a symbolic link to nothing", file=path / gone[0])
    return _open_files(path, shards, None, None)


def _read_index(path: Path) -> tuple[dict[str, str], object]:
    """Tensor -> file, and the total size that the index states."""
    root = parse_object(contents(path, MAX_HEADER, "an index"), path)
    weight_map = root.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise SourceError("the index has no 'weight_map', or an empty one", file=path)
    for tensor, name in weight_map.items():
        if not isinstance(name, str) or not _is_plain(name):
            raise SourceError(
                "the index leads out of its folder",
                file=path,
                tensor=tensor,
                found=repr(name),
                expected="the name of a .safetensors file beside it",
            )
    metadata = root.get("metadata")
    return weight_map, metadata.get("total_size") if isinstance(metadata, dict) else None


def _is_plain(name: str) -> bool:
    """Whether it is a bare name of a safetensors file, without a path."""
    return name.endswith(".safetensors") and not set(name) & set('/\\:\0"') and not name.startswith(".")


def _open_files(path: Path, shards: list[Path], weight_map: dict[str, str] | None, total_size: object) -> Source:
    with ExitStack() as stack:
        homes: dict[str, dict[str, SourceTensor]] = {}  # name -> file -> tensor
        for shard in shards:
            file = ReadFile(shard, SourceError)
            stack.callback(file.close)
            for tensor in read_tensors(file):
                homes.setdefault(tensor.name, {})[shard.name] = tensor
        tensors = {name: _chosen(path, name, places, weight_map or {}) for name, places in homes.items()}
        notes = []
        if weight_map is not None:
            _refuse_missing(path, weight_map, homes)
            notes = [*_copies(weight_map, homes), *_notes(weight_map, tensors, total_size)]
        source = Source(
            path=path,
            kind=KIND,
            tensors=tuple(tensors.values()),
            files=tuple(shards),
            companions=() if weight_map is None else (path,),
            notes=tuple(notes),
            close=stack.pop_all().close,
        )
        return adopt(source, shards[0].parent)


def _chosen(path: Path, name: str, places: dict[str, SourceTensor], weight_map: dict[str, str]) -> SourceTensor:
    """The tensor from the file that the index names; where it names none, only one file may have the tensor."""
    if len(places) > 1 and weight_map.get(name) not in places:
        first, second = list(places)[:2]
        raise SourceError(f"the tensor is in {first} and in {second}", file=path, tensor=name)
    return places.get(weight_map.get(name, ""), next(iter(places.values())))


def _copies(weight_map: dict[str, str], homes: dict[str, dict[str, SourceTensor]]) -> list[str]:
    """A note on every file whose tensors the index takes from another one."""
    others: dict[str, list[str]] = {}
    for name, places in homes.items():
        for place in places:
            if len(places) > 1 and place != weight_map[name]:
                others.setdefault(place, []).append(name)
    return [
        f"{named(names)} {'is' if len(names) == 1 else 'are'} passed over in {place}: the index names another file"
        for place, names in sorted(others.items())
    ]


def _refuse_missing(path: Path, weight_map: dict[str, str], homes: dict[str, dict[str, SourceTensor]]) -> None:
    missing = [name for name in weight_map if name not in homes]
    if missing:
        home = weight_map[missing[0]]
        raise SourceError(
            f"the files lack {named(missing)}",
            file=path,
            tensor=missing[0],
            found=f"no such tensor in {home}",
            expected="what the index says",
        )
    for name, said in weight_map.items():
        if said not in homes[name]:
            others = ", ".join(homes[name])
            raise SourceError("the tensor is in another file", file=path, tensor=name, found=others, expected=said)


def _notes(weight_map: dict[str, str], tensors: dict[str, SourceTensor], total_size: object) -> list[str]:
    notes = []
    unlisted = [name for name in tensors if name not in weight_map]
    if unlisted:
        notes.append(f"the index does not list {named(unlisted)}: read all the same")
    nbytes = sum(stored_bytes(registry[tensor.tag], tensor.shape) for tensor in tensors.values())
    if total_size is not None and total_size != nbytes:
        notes.append(f"the index states a total_size of {total_size!r}, the tensors have {nbytes} bytes")
    return notes
