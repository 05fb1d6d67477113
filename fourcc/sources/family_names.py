"""The meaning of a name of another project's file in a network: one tensor of ours, a part of one, or several."""

from __future__ import annotations

from collections.abc import Iterable, Sized

import attrs

from fourcc.errors import listed
from fourcc.naming import HUGGING_FACE, split_name
from fourcc.networks.network import Network
from fourcc.networks.spelling import EXPERT, JoinedRows, Spelling, StackedMatrices

_WRAPPERS = ("_orig_mod.", "model.language_model.", "language_model.", "model.")
_ADAPTER = (".lora_A.", ".lora_B.")
_SHOWN = 4  # names in a note
_DEEPEST = 3  # words of a prefix


@attrs.frozen
class Place:
    """The meaning of a file's tensor.

    Attributes:
        parts: the names of ours that it holds, more than one where it joins them.
        joined: how it joins them; None: it is one tensor.
        stacked: the stack that it is one matrix of; None: it is whole.
        number: of that matrix.
    """

    parts: tuple[str, ...]
    joined: JoinedRows | None = None
    stacked: StackedMatrices | None = None
    number: int = 0


def spelling_of(network: Network) -> Spelling:
    """How other projects' files state a network."""
    if network.spelling is None:
        raise TypeError(f"no files of other projects are known for the network {network.name}")
    return network.spelling


def place_of(network: Network, spelling: str, name: str) -> Place | None:
    """The meaning of a tensor; None where the network has none of that name.

    Args:
        network: the model's.
        spelling: one of `fourcc.naming`'s.
        name: as the file has it.
    """
    own = spelling_of(network)
    usual = _usual(own, spelling, name)
    template, layer, ending = split_name(usual)
    if not ending:
        return None

    def named(ours: str) -> str:
        return ours.replace("*", str(layer)) + ending.removesuffix(".weight")

    for joined in own.joined:
        if joined.names.get(spelling) == template:
            return Place(tuple(map(named, joined.parts)), joined)
    single, number = _numbered(template)
    for stacked in own.stacked:
        if number is not None and stacked.names.get(spelling) == single:
            return Place((named(stacked.into),), stacked=stacked, number=number)
    ours = network.to_ours(usual, spelling)
    return None if ours is None else Place((ours,))


def _usual(own: Spelling, spelling: str, name: str) -> str:
    """The name with the ending that most files have."""
    for theirs, usual in own.endings.get(spelling, ()):
        if name.endswith(theirs):
            return name.removesuffix(theirs) + usual
    return name


def _numbered(template: str) -> tuple[str, int | None]:
    """The template with `#` for its number, and the number; None where it has none."""
    words = template.split(".")
    for place, word in enumerate(words):
        if word.isascii() and word.isdigit() and (word == "0" or not word.startswith("0")):
            return ".".join([*words[:place], EXPERT, *words[place + 1 :]]), int(word)
    return template, None


def their_name(network: Network, spelling: str, ours: str) -> str | None:
    """The name of a tensor of ours that a file stores as one; None where it has no such name."""
    name = network.from_ours(ours, spelling)
    return None if name is None else unusual(spelling_of(network), spelling, name)


def unusual(own: Spelling, spelling: str, name: str) -> str:
    """A name as files of the family end it."""
    for theirs, usual in own.endings.get(spelling, ()):
        if name.endswith(usual):
            return name.removesuffix(usual) + theirs
    return name


# -- prefixes


def without_prefixes(network: Network, names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Names of a folder's tensors as the family spells them, and notes on prefixes that are passed over.

    `torch.compile` and models of pictures put words before all names; a model without its head lacks the family's.

    Returns:
        The file's name -> the family's name, for those that are known by another name than the file's.
    """
    renamed: dict[str, str] = {}
    begins: dict[str, list[str]] = {}
    for name in names:
        begin, known = _behind(network, name)
        if known is not None and known != name:
            renamed[name] = known
            begins.setdefault(begin, []).append(name)
    notes = [_note(begin, found, renamed) for begin, found in sorted(begins.items())]
    return renamed, notes


def _note(begin: str, names: list[str], renamed: dict[str, str]) -> str:
    first = min(names)
    count = "1 name is" if len(names) == 1 else f"{len(names)} names are"
    way = f"without {begin!r}" if begin else "with the words that the family puts before them"
    return f"{count} read {way}: {first} as {renamed[first]}"


def _behind(network: Network, name: str) -> tuple[str, str | None]:
    """The words before a name, and the family's name without it; None where no such name is known."""
    base = spelling_of(network).base
    rest = name
    while True:
        for meant in (rest, base + rest):
            if place_of(network, HUGGING_FACE, meant) is not None:
                return name.removesuffix(rest), meant
        wrapper = next((each for each in _WRAPPERS if rest.startswith(each)), None)
        if wrapper is None:
            return "", None
        rest = rest.removeprefix(wrapper)


def unknown_notes(network: Network, spelling: str, names: Iterable[str]) -> list[str]:
    """Notes on unknown names: with an example for every prefix that hides known ones, and on those of an adapter."""
    behind: dict[str, list[tuple[str, str]]] = {}
    names = list(names)
    for name in names:
        prefix, known = _hidden(network, spelling, name)
        if known is not None:
            behind.setdefault(prefix, []).append((name, known))
    notes = []
    for prefix, pairs in sorted(behind.items()):
        (name, known), begin = min(pairs), f" that begin with {prefix!r}" if prefix else ""
        notes.append(f"{_counted(pairs)} unknown names{begin}: {name} would be known as {known}")
    adapters = [name for name in names if any(word in name for word in _ADAPTER)]
    merge = "the names of a LoRA adapter's: merge it into the model first"
    return [*notes, *([f"{_counted(adapters)} {merge}"] if adapters else [])]


def _hidden(network: Network, spelling: str, name: str) -> tuple[str, str | None]:
    """The prefix to be removed, and the name that is known without it; None where there is no such prefix."""
    words = name.split(".")
    base = spelling_of(network).base
    for cut in range(min(_DEEPEST, len(words) - 1) + 1):
        rest = ".".join(words[cut:])
        for meant in (rest, base + rest):
            if place_of(network, spelling, meant) is not None:
                return "".join(f"{word}." for word in words[:cut]), meant
    return "", None


def _counted(tensors: Sized) -> str:
    return "1 tensor has" if len(tensors) == 1 else f"{len(tensors)} tensors have"


def left_out_note(names: list[str], why: str) -> list[str]:
    """A note on tensors that are left out."""
    if not names:
        return []
    are = "1 tensor is" if len(names) == 1 else f"{len(names)} tensors are"
    return [f"{are} left out: {why}: {listed(names, _SHOWN)}"]
