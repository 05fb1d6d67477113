"""The rotation that a ``config.json`` states: its base, its scaling, the columns that turn.

Newer configs have one map of all, ``rope_parameters``, or one for each type of layer; older ones have keys beside each
other and a map of the scaling, ``rope_scaling``. The facts are those of transformers 5.24.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fourcc.networks.scaling import ORIGINAL, SCALING, SCALINGS, magnitude
from fourcc.networks.spelling import RotationWords
from fourcc.sources.config_json import ConfigJson
from fourcc.sources.source import Hyper, HyperParams, storable

LOCAL_KEY = "rope_local_base_freq"
MAPS = ("rope_scaling", "rope_parameters")
_TYPES = ("full_attention", "sliding_attention")
_WITH_ORIGINAL = ("llama3", "yarn", "longrope")


def heeded(turning: RotationWords | None) -> tuple[str, ...]:
    """The keys that a class reads."""
    if turning is None:
        return ()
    partial = () if turning.partial is None else (turning.partial_key,)
    return (turning.theta_key, *MAPS, ORIGINAL, *partial, *(() if turning.local is None else (LOCAL_KEY,)))


def rotation_of(config: ConfigJson, turning: RotationWords | None, hyper: Hyper) -> tuple[HyperParams, list[str]]:
    """Base, scaling and columns of the rotation, and notes.

    Where both maps are there, transformers takes the older.

    Args:
        config: of a class that is known here.
        turning: how the class states the rotation; None: it has none.
        hyper: the sizes.

    Raises:
        SourceError: what is said cannot be.
    """
    if turning is None:
        return {}, []
    older, (newer, local) = config.map(MAPS[0]), _by_type(config, turning)
    values = dict(older or newer or turning.scaling)
    if turning.local is not None and older:  # there the older map is laid over a kind that is always stated
        values = {**(newer or {"rope_type": "default"}), **older}
    notes = _differences(config, turning, older, newer)
    kind = _kind(config, turning, values)
    theta, partial = values.pop("rope_theta", None), values.pop("partial_rotary_factor", None)
    values = _with_magnitude(kind, _with_original(config, turning, kind, values, hyper))
    if kind == "longrope" and partial in (None, 1) and _is_for_any_length(values):
        kind, values = "factors", {"factors": values["short_factor"]}
    known = {key: value for key, value in values.items() if value is not None and _is_heeded(kind, key)}
    if ignored := sorted(key for key, value in values.items() if value is not None and key not in known):
        notes.append(f"rope scaling {kind!r} does not heed {', '.join(ignored)}: passed over")
    found: HyperParams = {"rope_theta": _base(config, theta, turning)}
    found |= _local(config, turning, local)
    found |= _columns(config, turning, kind, partial, hyper)
    return found | _scaling(config, kind, known), notes


def _differences(
    config: ConfigJson, turning: RotationWords, older: Mapping[str, Any], newer: Mapping[str, Any]
) -> list[str]:
    """Notes on maps of which a class takes only one, or less than they say."""
    notes = []
    if older and newer and older != newer:
        notes.append("rope_scaling and rope_parameters differ: rope_scaling is taken")
    if turning.local is not None and config.map(MAPS[1]) and not _is_by_type(config.map(MAPS[1])):
        notes.append(f"rope_parameters without {' and '.join(_TYPES)} is passed over, as by transformers")
    if (
        turning.local is not None
        and older.get("type", "default") != "default"
        and "rope_type" not in {**older, **newer}
    ):
        notes.append(f"rope_scaling says type {older['type']!r} and no rope_type: passed over, as by transformers")
    return notes


def _is_by_type(newer: Mapping[str, Any]) -> bool:
    return any(isinstance(newer.get(kind), dict) for kind in _TYPES)


def _by_type(config: ConfigJson, turning: RotationWords) -> tuple[dict[str, Any], dict[str, Any]]:
    """The newer map, and that of layers with a window where a class has one for each type, and takes no other."""
    newer = config.map(MAPS[1])
    if not _is_by_type(newer):
        return {} if turning.local is not None else newer, {}
    full, sliding = ({**newer[kind]} if isinstance(newer.get(kind), dict) else {} for kind in _TYPES)
    if turning.local is not None:
        return full, sliding
    if full and sliding and full != sliding:
        raise config.refusal(MAPS[1], newer, "one rotation for all layers")
    return full or sliding, {}


def _kind(config: ConfigJson, turning: RotationWords, values: dict[str, Any]) -> str:
    kind = values.pop("type", "default")
    kind = values.pop("rope_type", kind)
    if not isinstance(kind, str):
        raise config.refusal(MAPS[0], kind, "a kind by name")
    return turning.kinds.get(kind, kind)


def _with_original(
    config: ConfigJson, turning: RotationWords, kind: str, values: dict[str, Any], hyper: Hyper
) -> dict[str, Any]:
    """The scaling with the context of the first training, and with YaRN's factor where only that context tells it."""
    if kind not in _WITH_ORIGINAL:
        return values
    values = {ORIGINAL: hyper["seq_len"], **values}
    beside = config.fields.get(ORIGINAL, turning.original)  # a class with a number of its own has it always beside
    values |= {} if beside is None else {ORIGINAL: beside}
    if kind == "yarn" and values.get("factor") is None:
        original = values[ORIGINAL]
        if type(original) not in (int, float) or original <= 0:
            raise config.refusal(ORIGINAL, original, "a positive number")
        values["factor"] = float(str(hyper["seq_len"])) / original
    return values


def _with_magnitude(kind: str, values: dict[str, Any]) -> dict[str, Any]:
    """YaRN with one number for what queries and keys are multiplied by, where two words give it together."""
    words: list[Any] = [values.get(word) for word in ("mscale", "mscale_all_dim", "factor")]
    numbers = all(type(each) in (int, float) and each > 0 for each in words)
    if kind != "yarn" or values.get("attention_factor") is not None or not numbers:
        return values
    scale, whole, factor = words
    found = {word: value for word, value in values.items() if word not in ("mscale", "mscale_all_dim")}
    return {**found, "attention_factor": magnitude(factor, scale) / magnitude(factor, whole)}


def _is_for_any_length(values: Mapping[str, Any]) -> bool:
    """Whether longrope's factors are equal for short and long texts, and attention is not scaled."""
    same = isinstance(values.get("short_factor"), list) and values["short_factor"] == values.get("long_factor")
    return same and values.get("attention_factor") == 1


def _is_heeded(kind: str, key: str) -> bool:
    """Whether a kind of scaling heeds a key; of an unknown kind, any key may count."""
    return kind not in SCALINGS or key in SCALINGS[kind].words


def _scaling(config: ConfigJson, kind: str, known: Mapping[str, Any]) -> HyperParams:
    found: HyperParams = {} if kind == "default" else {f"{SCALING}type": kind}
    for key, value in known.items():
        if not storable(value):
            raise config.refusal(f"rope_scaling.{key}", value, "a number, a text or a list of these")
        found[f"{SCALING}{key}"] = value
    return found


def _base(config: ConfigJson, within: object, turning: RotationWords) -> float:
    value: Any = config.fields.get(turning.theta_key) if within is None else within
    return _positive(config, turning.theta_key, turning.theta if value is None else value)


def _local(config: ConfigJson, turning: RotationWords, sliding: Mapping[str, Any]) -> HyperParams:
    """The base in layers with a window; these are not scaled."""
    if turning.local is None:
        return {}
    kind = sliding.get("rope_type", sliding.get("type", "default"))
    if kind != "default":
        raise config.refusal(MAPS[1], kind, "no scaling of the layers with a window")
    stated = sliding.get("rope_theta", config.fields.get(LOCAL_KEY))
    return {"rope_local_theta": _positive(config, LOCAL_KEY, turning.local if stated is None else stated)}


def _positive(config: ConfigJson, key: str, value: object) -> float:
    if type(value) not in (int, float) or not 0 < float(str(value)) < 1e300:
        raise config.refusal(key, value, "a positive number")
    return float(str(value))


def _columns(config: ConfigJson, turning: RotationWords, kind: str, within: object, hyper: Hyper) -> HyperParams:
    """The columns of a head that turn, where not all do; only some classes can, others fail where they scale."""
    head = int(str(hyper["head_dim"]))
    if turning.partial is None:
        impossible = kind != "default" and within not in (None, 1) and storable(within)
        return {f"{SCALING}partial_rotary_factor": within} if impossible else {}  # type: ignore[dict-item]  # storable
    beside = config.fields.get(turning.partial_key)
    share = within if within is not None else turning.partial if beside is None else beside
    turned = int(head * _positive(config, turning.partial_key, share))
    return {} if turned == head else {"rope_dim": turned}
