"""Facts about a model that no computation needs: name, author, license, languages, tags, what it was made of.

They come from the front matter of a folder's ``README.md`` and from ``_name_or_path`` of its ``config.json``, or from a
GGUF file's keys ``general.*``. A model.bin that was made of a folder keeps them in the blob ``about.json``; keys of a
GGUF file stay among its keys. Exporters write them again.

A model's name is taken apart as GGUF's naming convention has it, ``<base name>-<size>-<fine-tune>-<version>``:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#gguf-naming-convention.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from fourcc.errors import InputError, SourceError
from fourcc.files.beside import contents, file_in
from fourcc.files.json_text import parse_object
from fourcc.sources.front_matter import front_matter
from fourcc.sources.gguf_metadata import BLOB as KEYS_BLOB
from fourcc.sources.gguf_metadata import Typed, unpacked_metadata

BLOB = "about.json"
CARD = "README.md"
MAX_CARD = 4 << 20
HUB = "https://huggingface.co/"
PREFIX = "general."
_NAMES = ("_name_or_path", "_model_name_or_path")
_IDENTITY = re.compile(r"[\w.-]+/[\w.-]+")
_SIZE = re.compile(r"(\d+x)?[Aa]?\d+(\.\d+)?[KMBTkmbt]")
_VERSION = re.compile(r"[vV]\d+(\.\d+)*")
# Field -> the card's keys for it, the first that is there counts.
_TEXTS = {
    "name": ("model_name", "name"),
    "author": ("model_creator", "model_author", "author"),
    "organization": ("model_organization", "organization"),
    "version": ("model_version", "version"),
    "description": ("model_description", "description"),
    "license": ("license",),
    "license_name": ("license_name",),
    "license_link": ("license_link",),
    "pipeline_tag": ("pipeline_tag",),
}
_LISTS = {
    "languages": ("language", "languages"),
    "tags": ("tags",),
    "base_models": ("base_model", "base_models"),
    "datasets": ("datasets", "dataset"),
}
_KEYS = {  # field -> GGUF's key, without ``general.``
    "name": "name",
    "author": "author",
    "version": "version",
    "organization": "organization",
    "description": "description",
    "basename": "basename",
    "finetune": "finetune",
    "size_label": "size_label",
    "license": "license",
    "license_name": "license.name",
    "license_link": "license.link",
}


@attrs.frozen
class ModelFacts:
    """Facts about a model.

    Attributes:
        identity: of the model on the Hugging Face hub, ``organization/name``.
        name, author, organization, version, description: of the model.
        basename, finetune, size_label: parts of its name.
        license, license_name, license_link: its license; the name and the link of one that is ``other``.
        pipeline_tag: the task that the hub lists it under.
        languages, tags: lists.
        base_models, datasets: what it was made of, each an identity on the hub or an address.
    """

    identity: str | None = None
    name: str | None = None
    author: str | None = None
    organization: str | None = None
    version: str | None = None
    description: str | None = None
    basename: str | None = None
    finetune: str | None = None
    size_label: str | None = None
    license: str | None = None
    license_name: str | None = None
    license_link: str | None = None
    pipeline_tag: str | None = None
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    base_models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()

    @property
    def packed(self) -> bytes:
        """The blob's bytes; empty where nothing is known."""
        said = {name: value for name, value in attrs.asdict(self).items() if value}
        return json.dumps(said, ensure_ascii=False, indent=1).encode() if said else b""

    @property
    def texts(self) -> dict[str, str]:
        """GGUF's keys for single texts, without ``general.``, and their values."""
        values = {key: getattr(self, field) for field, key in _KEYS.items()}
        return {key: value for key, value in values.items() if value}


def about_folder(folder: Path, config: Mapping[str, Any]) -> tuple[ModelFacts, list[Path], list[str]]:
    """The facts that a folder's card and config state, the files that were read, and notes.

    Args:
        folder: of a Hugging Face model.
        config: the contents of ``config.json``.

    Raises:
        SourceError: the card is a link that leads elsewhere, or too long.
    """
    path, said, notes = file_in(folder, CARD), dict[str, str | list[str]](), list[str]()
    if path is not None:
        try:
            said = front_matter(contents(path, MAX_CARD, "a model card").decode(errors="replace"))
        except ValueError as error:
            notes.append(f"the front matter of {CARD} is left out: {error}")
    found = _of_card(said)
    for key in _NAMES:
        found = _named(found, config.get(key))
    return found, [] if path is None else [path], notes


def about_source(blobs: Mapping[str, bytes], file: object) -> ModelFacts:
    """The facts among a source's blobs: those of a folder, or the keys of a GGUF file.

    Raises:
        InputError: a blob is damaged.
    """
    if BLOB in blobs:
        return unpacked_about(blobs[BLOB], f"{file} ({BLOB})")
    if KEYS_BLOB in blobs:
        return _of_keys(unpacked_metadata(blobs[KEYS_BLOB], f"{file} ({KEYS_BLOB})"))
    return ModelFacts()


def unpacked_about(data: bytes, file: object) -> ModelFacts:
    """The facts in the bytes of a blob. Raises InputError where they are none."""
    if len(data) > MAX_CARD:
        raise InputError("too long for facts about a model", file=file, found=f"{len(data)} bytes")
    try:
        said = parse_object(data, file)
    except SourceError as error:
        raise InputError(f"no facts about a model: {error.what}", file=file) from error
    known = attrs.fields_dict(ModelFacts)
    for name, value in said.items():
        listed = name in known and known[name].default == ()
        fits = isinstance(value, list) and all(isinstance(each, str) for each in value) if listed else None
        if name not in known or not (fits or (not listed and isinstance(value, str))):
            raise InputError("no fact about a model is said so", file=file, tensor=name, found=f"{value!r:.60}")
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
    return ModelFacts(**fields)


def _of_card(said: Mapping[str, str | list[str]]) -> ModelFacts:
    texts = {field: _first(said, keys) for field, keys in _TEXTS.items()}
    lists = {field: _all(said, keys) for field, keys in _LISTS.items()}
    return ModelFacts(**texts, **lists)  # type: ignore[arg-type]  # texts and lists by their fields


def _first(said: Mapping[str, str | list[str]], keys: tuple[str, ...]) -> str | None:
    values = (said.get(key) for key in keys)
    return next((value for value in values if isinstance(value, str)), None)


def _all(said: Mapping[str, str | list[str]], keys: tuple[str, ...]) -> tuple[str, ...]:
    value = next((said[key] for key in keys if key in said), [])
    return tuple(dict.fromkeys([value] if isinstance(value, str) else value))


def _named(about: ModelFacts, said: object) -> ModelFacts:
    """The facts, with what a config's name or path tells: an identity on the hub, or a name in words; never a path."""
    if not isinstance(said, str):
        return about
    if _IDENTITY.fullmatch(said) and not said.startswith("."):
        return _with_identity(about, said)
    return attrs.evolve(about, name=about.name or said) if " " in said and "/" not in said else about


def _with_identity(about: ModelFacts, identity: str) -> ModelFacts:
    """The facts, with those that a name on the hub tells and nothing else did."""
    organization, _, whole = identity.partition("/")
    told: dict[str, Any] = {
        "identity": identity,
        "organization": organization,
        "name": whole.replace("-", " "),
        **_taken_apart(whole),
    }
    fresh = {field: value for field, value in told.items() if not getattr(about, field)}
    return attrs.evolve(about, **fresh)


def _taken_apart(name: str) -> dict[str, str]:
    """Base name, size, fine-tune and version of a name that has a size in it; nothing of another."""
    parts = name.split("-")
    at = next((place for place, part in enumerate(parts) if place and _SIZE.fullmatch(part)), None)
    if at is None:
        return {}
    rest = parts[at + 1 :]
    version = next((part for part in reversed(rest) if _VERSION.fullmatch(part)), None)
    told = {
        "basename": "-".join(parts[:at]),
        "size_label": parts[at].upper().replace("X", "x"),
        "finetune": "-".join(part for part in rest if part != version),
        "version": version or "",
    }
    return {field: value for field, value in told.items() if value}


def _of_keys(given: Mapping[str, Typed]) -> ModelFacts:
    """The facts in a GGUF file's keys."""
    values = {name.removeprefix(PREFIX): _text(typed.value) for name, typed in given.items() if name.startswith(PREFIX)}
    texts = {field: value for field, key in _KEYS.items() if isinstance(value := values.get(key), str)}
    lists = {field: values.get(field) for field in ("languages", "tags")}
    plural = {field: tuple(value) for field, value in lists.items() if isinstance(value, list)}
    made = {f"{word}s": tuple(_origins(values, word)) for word in ("base_model", "dataset")}
    return ModelFacts(**texts, **plural, **made)  # type: ignore[arg-type]  # texts and lists by their fields


def _origins(values: Mapping[str, Any], word: str) -> list[str]:
    """The models, or the sets of data, that a GGUF file says its model was made of."""
    count = values.get(f"{word}.count")
    found = []
    for number in range(min(count, len(values)) if type(count) is int else 0):
        address, name = (values.get(f"{word}.{number}.{part}") for part in ("repo_url", "name"))
        said = address.removeprefix(HUB) if isinstance(address, str) else name
        found += [said] if isinstance(said, str) else []
    return found


def _text(value: object) -> object:
    """A value with bytes as text."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return [_text(item) for item in value] if isinstance(value, list) else value
