"""Numbers of ggml types that forks of llama.cpp gave to types of their own: the size of the data tells whose it is.

A tensor's data reach up to where the next one begins, at most the alignment less one byte of padding. A number that is
listed here is believed only where every tensor that has it has the size of ggml's type; where every one has that of the
fork's, they are the fork's, which no format reads. Otherwise the file is refused, with both names.

Known from the forks' own discussions: PrismML-Eng/llama.cpp issue 167 and pull request 130 (type 42 of the older Bonsai
files), unixsysdev/llama-turboquant pull request 6 (types 40 to 43).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from fourcc.errors import SourceError
from fourcc.files.read import ReadFile
from fourcc.plugins.registry import registry
from fourcc.sources.gguf_header import GgufTensor, Head
from fourcc.sources.gguf_types import GgmlType, layout_name

PRISM, TURBO, BITNET = "PrismML's llama.cpp", "forks for TurboQuant", "bitnet.cpp"
# Number -> types that forks gave it, and whose they are; a type of unknown size cannot be recognised, only named.
FORKS: dict[int, tuple[tuple[GgmlType, str], ...]] = {
    39: ((GgmlType("TL2", 1, 0), BITNET),),
    40: ((GgmlType("1-bit blocks", 32, 6), PRISM),),
    41: ((GgmlType("TQ3_0", 1, 0), TURBO),),
    42: ((GgmlType("2-bit blocks", 128, 34), f"older {PRISM}"), (GgmlType("1-bit blocks", 32, 6), TURBO)),
    43: ((GgmlType("1-bit blocks", 128, 18), TURBO),),
}

SizeOf = Callable[[GgufTensor], int | None]  # bytes of a tensor as ggml's type; None where its shape does not fit


def rooms(file: ReadFile, head: Head) -> list[int]:
    """Bytes from each tensor's offset to the next one's, or to the end of the file."""
    starts = [info.offset for info in head.tensors]
    return [max(0, end - start) for start, end in pairwise([*starts, file.size - head.data])]


def reused(file: ReadFile, head: Head, size_of: SizeOf) -> dict[int, str]:
    """The numbers of this file that are a fork's, with names for messages.

    Args:
        file: the file.
        head: its head.
        size_of: the size that ggml's type gives.

    Raises:
        SourceError: the sizes fit neither ggml's type nor one of a fork's.
    """
    room_of = dict(zip(head.tensors, rooms(file, head), strict=True))
    found = {}
    for number in sorted({info.ggml_type for info in head.tensors} & FORKS.keys()):
        tensors = [info for info in head.tensors if info.ggml_type == number]
        misfits = [info for info in tensors if not _believable(info, size_of(info), room_of[info], head)]
        if not misfits:
            continue
        whose = _fork(number, tensors, room_of, head)
        if whose is None:
            raise _neither(file, misfits[0], room_of[misfits[0]], size_of(misfits[0]))
        found[number] = whose
    return found


def _fork(number: int, tensors: Sequence[GgufTensor], room_of: dict[GgufTensor, int], head: Head) -> str | None:
    """The name of the fork's type whose size all tensors have; None where there is none."""
    for kind, whose in FORKS[number]:
        if kind.nbytes and all(_fills(kind.stored_bytes(info.shape), room_of[info], head) for info in tensors):
            return f"{kind.name} of {whose} (ggml type {number}, {kind.block} weights in {kind.nbytes} bytes)"
    return None


def _fills(nbytes: int | None, room: int, head: Head) -> bool:
    """Whether so many bytes fill the room but for padding."""
    return nbytes is not None and 0 <= room - nbytes < head.alignment


def _believable(info: GgufTensor, nbytes: int | None, room: int, head: Head) -> bool:
    """Whether a tensor may be of ggml's type: behind the last one anything may follow."""
    return _fills(nbytes, room, head) or (nbytes is not None and info is head.tensors[-1] and nbytes <= room)


def _neither(file: ReadFile, info: GgufTensor, room: int, nbytes: int | None) -> SourceError:
    """The refusal of a size that fits no type of that number."""
    fmt = registry.foreign("ggml", info.ggml_type)
    name = layout_name(info.ggml_type) if fmt is None else f"{fmt.name} (ggml type {info.ggml_type})"
    ours = f"{'other rows' if nbytes is None else f'{nbytes} bytes'} as {name}"
    theirs = " or ".join(
        f"{f'{size} bytes' if (size := kind.stored_bytes(info.shape)) else 'others'} as {kind.name} of {whose}"
        for kind, whose in FORKS[info.ggml_type]
    )
    return SourceError(
        "the size of the data is not that of the tensor's type",
        file=file.path,
        tensor=info.name,
        offset=info.at,
        found=f"{room} bytes up to the next tensor",
        expected=f"{ours}, or {theirs}",
        hint="The file is cut or damaged, or was made by a fork of llama.cpp that uses the number otherwise.",
    )
