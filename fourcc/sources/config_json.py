"""A ``config.json`` of Hugging Face, whose keys are checked when they are asked for; one may hold another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from fourcc.errors import SourceError
from fourcc.files.beside import contents
from fourcc.files.json_text import parse_object
from fourcc.networks import CLASSES
from fourcc.networks.hyper import MAX_COUNT
from fourcc.networks.network import Network
from fourcc.networks.spelling import ConfigClass
from fourcc.sources.weight_only.modelopt import quantization_beside
from fourcc.sources.weight_scheme import Scheme, scheme_name, scheme_of

MAX_CONFIG = 1 << 20
_TEXT = "text_config"
_OF_WHOLE = ("tie_word_embeddings", "bos_token_id", "eos_token_id", "quantization_config", "compression_config")


@attrs.frozen
class ConfigJson:
    """The contents of a ``config.json``; null counts as absent.

    Attributes:
        path: of the file.
        fields: its keys; of a model of pictures, too, those of its language model.
        data: its bytes.
        around: the ``model_type`` of the model of which the language model is a part; None: it is the whole.
        beside: other files that say something of it.
    """

    path: Path
    fields: Mapping[str, Any]
    data: bytes = b""
    around: str | None = None
    beside: tuple[Path, ...] = ()

    @classmethod
    def read(cls, path: Path) -> ConfigJson:
        """The file. Raises SourceError where it is damaged."""
        data = contents(path, MAX_CONFIG, "a config")
        fields, beside = quantization_beside(parse_object(data, path), path.parent)
        return attrs.evolve(cls._of(fields, data, path), beside=beside)

    @classmethod
    def parse(cls, data: bytes, path: Path) -> ConfigJson:
        """A config from its bytes. Raises SourceError where they are damaged."""
        return cls._of(parse_object(data, path), data, path)

    @classmethod
    def _of(cls, fields: Mapping[str, Any], data: bytes, path: Path) -> ConfigJson:
        text = fields.get(_TEXT)
        if not isinstance(text, dict) or text.get("model_type") not in CLASSES:
            return cls(path, fields, data)
        over = {key: fields[key] for key in _OF_WHOLE if fields.get(key) is not None}
        return cls(path, {**text, "architectures": None, **over}, data, str(fields.get("model_type")))

    # -- what it describes

    @property
    def known(self) -> tuple[Network, ConfigClass] | None:
        """The network and the class of a language model that is known here."""
        kind = self.fields.get("model_type")
        known = CLASSES.get(kind) if isinstance(kind, str) else None
        if known is None or not self.classes:
            return known
        speaks = any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in self.classes)
        return known if speaks else None

    @property
    def classes(self) -> list[str]:
        """Names under ``architectures``."""
        listed = self.fields.get("architectures")
        return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []

    @property
    def scheme(self) -> Scheme | None:
        """How the weights are quantized, where that is in several tensors a matrix that can be joined."""
        return scheme_of(self.fields, self.path)

    @property
    def unread(self) -> str | None:
        """The name of the weights' quantization scheme, where it is not read here."""
        return scheme_name(self.fields) if self.scheme is None else None

    # -- its keys

    def count(self, key: str, default: int | None = None) -> int:
        """A positive integer."""
        value = self.fields.get(key)
        value = default if value is None else value
        if type(value) is not int or not 1 <= value <= MAX_COUNT:
            raise self.refusal(key, value, f"an integer from 1 to {MAX_COUNT}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A positive number."""
        stated = self.fields.get(key)
        value: Any = default if stated is None else stated
        if type(value) not in (int, float) or not 0 < value < 1e300:
            raise self.refusal(key, value, "a positive number")
        return float(value)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self.fields.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.refusal(key, value, "true or false")
        return default if value is None else value

    def map(self, key: str) -> dict[str, Any]:
        """A map; empty where there is none."""
        value = self.fields.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.refusal(key, value, "a map")
        return value or {}

    def refusal(self, key: str, found: object, expected: str) -> SourceError:
        """The error for a key whose value cannot be used."""
        return SourceError(f"the key {key!r} cannot be read", file=self.path, found=repr(found), expected=expected)
