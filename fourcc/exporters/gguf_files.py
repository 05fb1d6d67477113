"""The places of tensors in a GGUF file, or in several that make one model, as llama.cpp's gguf-split cuts them.

Each file has a head and tensors of its own. The first has all keys; the keys ``split.*`` of each say which file it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from fourcc.conversion.pipeline import Step
from fourcc.exporters.gguf_head import INT32, UINT16, GGUFKey, Info, aligned, head
from fourcc.exporters.layout import FileCut
from fourcc.exporters.shards import Placed, cut, file_names
from fourcc.plugins.registry import registry
from fourcc.sources.gguf_metadata import SPLITTING

_SUFFIX = ".gguf"


def placed(keys: Sequence[GGUFKey], steps: tuple[Step, ...], into: FileCut | None = None) -> Placed:
    """The heads of all files, and the places of tensors.

    Args:
        keys: of the model.
        steps: the tensors, by their names in the file.
        into: how they are cut; None: into one file.
    """
    known = {step.source.name: step for step in steps}
    files = cut({name: step.decision.nbytes for name, step in known.items()}, None if into is None else into.largest)
    names = [] if into is None or len(files) == 1 else file_names(into.stem, len(files), _SUFFIX)
    made = Placed({}, {}, {}, 0, b"")
    end = 0
    for number, tensors in enumerate(files):
        infos, places, nbytes = _places([known[name] for name in tensors])
        start = head([*(keys if number == 0 else ()), *_split_keys(number, len(files), len(steps))], infos)
        made.pieces[end] = start
        made.places.update(
            {name: {part: end + len(start) + at for part, at in parts.items()} for name, parts in places.items()}
        )
        made.shards.update(dict.fromkeys(names[number : number + 1], end))
        end += len(start) + nbytes
    return Placed(made.places, made.pieces, made.shards, end, b"")


def _split_keys(number: int, count: int, tensors: int) -> list[GGUFKey]:
    """The keys of one of several files, which counts from 0; none where it is the only one."""
    if count == 1:
        return []
    values = {"split.no": (UINT16, number), "split.count": (UINT16, count), "split.tensors.count": (INT32, tensors)}
    return [GGUFKey(name, *values[name]) for name in SPLITTING]


def _places(steps: Sequence[Step]) -> tuple[list[Info], dict[str, dict[str, int]], int]:
    """The head's entries for the tensors, the offsets of their parts in the data, and the length of the data."""
    infos: list[Info] = []
    places: dict[str, dict[str, int]] = {}
    end = 0
    for step in steps:
        spec = registry[step.decision.tag]
        number = spec.foreign["ggml"]
        assert isinstance(number, int)  # the kind holds no other
        infos.append(Info(step.source.name, step.source.shape, number, end))
        places[step.source.name] = {spec.parts[0].name: end}
        end = aligned(end + step.decision.nbytes)
    return infos, places, end
