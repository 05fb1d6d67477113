"""Facts that a file states of itself, and whether its bytes are as they were written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from fourcc.container.folder_models import is_container
from fourcc.container.reader import ModelFile
from fourcc.container.verify import damages
from fourcc.drawing.markup import size
from fourcc.errors import ChecksumError
from fourcc.sources.model_bin import POLICY_BLOB

if TYPE_CHECKING:
    from fourcc.container.verify import Damage
    from fourcc.sources.source import Source

MOST_DAMAGES = 20  # that are listed


@attrs.frozen
class FileFacts:
    """The facts of a file.

    Attributes:
        kind: for people.
        facts: by their words.
        policy: the policy's text that it carries; empty: none.
        checked: a sentence on checksums.
        troubles: damage; sentences.
    """

    kind: str
    facts: dict[str, object]
    policy: str = ""
    checked: str = ""
    troubles: tuple[str, ...] = ()


def file_facts(source: Source, *, check: bool) -> FileFacts:
    """The facts of an opened source's files.

    Args:
        source: the source.
        check: whether every byte of a model.bin is compared with its checksum.
    """
    if not is_container(source.path):
        checked = "this kind of file has no checksums"
        return FileFacts(source.kind, _said(_common(source) | {"blobs": _blobs(source)}), checked=checked)
    with ModelFile(source.path) as model:
        facts = FileFacts(_kind(model), _said(_facts(source, model)))
        try:
            text = model.blob(POLICY_BLOB).decode("utf-8", "backslashreplace")
        except (KeyError, ChecksumError):
            text = ""
    facts = attrs.evolve(facts, policy=text, checked="checksums were not compared")
    if not check:
        return facts
    found = [_damage(damage) for damage in damages(source.path)]
    if not found:
        return attrs.evolve(facts, checked="every byte is as it was written")
    more = [f"{len(found) - MOST_DAMAGES} more damaged places"] if len(found) > MOST_DAMAGES else []
    troubles = (*found[:MOST_DAMAGES], *more)
    places = f"{len(found)} damaged place{'s' * (len(found) != 1)}"
    return attrs.evolve(facts, checked=places, troubles=troubles)


def _kind(model: ModelFile) -> str:
    return f"model.bin {'.'.join(map(str, model.version))}"


def _common(source: Source) -> dict[str, object]:
    ours = source.architecture or "unknown"
    return {
        "architecture": ours if source.stated is None else f"{ours} (a {source.stated})",
        "size on disk": _files(source),
    }


def _files(source: Source) -> str:
    nbytes = sum(path.stat().st_size for path in source.files if path.is_file())
    return f"{len(source.files)} file{'s' * (len(source.files) != 1)}, {size(nbytes)}"


def _blobs(source: Source) -> str:
    return ", ".join(f"{name} ({size(len(data))})" for name, data in source.blobs.items())


def _facts(source: Source, model: ModelFile) -> dict[str, object]:
    index = model.index
    origins = [f"{each.kind}, {size(each.nbytes)}, XXH3-128 {each.digest.hex()}" for each in index.sources]
    return {
        **_common(source),
        "id": model.digest.hex(),
        "converted from": "; ".join(origins),
        "formats by": ", ".join(map(str, index.providers)),
        "blobs": ", ".join(f"{blob.name} ({size(blob.nbytes)})" for blob in index.blobs),
    }


def _said(facts: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value}


def _damage(damage: Damage) -> str:
    where = "" if damage.file is None else f"{damage.file}, "
    where += "" if damage.tensor is None else f"tensor {damage.tensor!r}, "
    if damage.part is not None:
        where += f"{'blob' if damage.tensor is None else 'part'} {damage.part!r}, "
    if damage.nbytes:
        where += f"bytes {damage.offset} to {damage.offset + damage.nbytes - 1}, "
    return f"{where.removesuffix(', ')}: {damage.what}"
