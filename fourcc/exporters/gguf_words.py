"""A model's hyper-parameters as keys of an architecture of llama.cpp, and what llama.cpp makes otherwise of them.

What llama.cpp takes for granted is not written, unless the model has something else: then the key says so to readers
that heed it, and a note says that llama.cpp does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fourcc.exporters.gguf_head import FLOAT32, GGUFKey
from fourcc.exporters.refusals import same_value
from fourcc.networks.network import Network
from fourcc.networks.scaling import ORIGINAL, SCALING, usual_magnitude
from fourcc.networks.spelling import GgufArchitecture, Word
from fourcc.sources import gguf_keys
from fourcc.sources.family_names import spelling_of
from fourcc.sources.gguf_rotation import MAGNITUDE, YARN
from fourcc.sources.gguf_rotation import ORIGINAL as GGUF_ORIGINAL
from fourcc.sources.gguf_rotation import SCALING as GGUF_SCALING
from fourcc.sources.source import Hyper

_BY_TENSORS = ("llama3", "factors", "longrope")  # scalings whose factors are tensors
_LONGEST = 1 << 16
ACTIVATION = "hidden_act"
_SILENT = {ACTIVATION: "silu"}  # what a model has that does not state it
_YARN = {f"{SCALING}beta_fast": 32.0, f"{SCALING}beta_slow": 1.0, f"{SCALING}truncate": True}
_GELUS = {"gelu", "gelu_tanh"}  # one for the other changes little; any other activation would make another model


def hyper_keys(network: Network, architecture: GgufArchitecture, hyper: Hyper) -> list[GGUFKey]:
    """Hyper-parameters as keys of an architecture."""
    found = {key.name: key for key in _all(network, architecture, hyper)}
    return list(found.values())


def _all(network: Network, architecture: GgufArchitecture, hyper: Hyper) -> Iterator[GGUFKey]:
    at, words = f"{architecture.name}.", [word for word in spelling_of(network).words if word.gguf is not None]
    for word in words:
        if word.kind == "count" and type(hyper.get(word.hyper)) is int:
            yield GGUFKey.of(f"{at}{word.gguf}", hyper[word.hyper])
    width, turned = hyper.get("head_dim"), hyper.get("rope_dim", hyper.get("head_dim"))
    if type(width) is int and type(turned) is int:
        yield GGUFKey.of(f"{at}attention.value_length", width)
        if "rope_theta" in hyper:
            yield GGUFKey.of(f"{at}{gguf_keys.TURNED}", turned)
    for word in words:
        if word.kind != "count":
            yield from _stated(word, architecture, hyper)
    for ours, theirs in (("rope_theta", "rope.freq_base"), ("rope_local_theta", gguf_keys.LOCAL)):
        value = hyper.get(ours)
        if isinstance(value, (int, float)):
            yield GGUFKey(f"{at}{theirs}", FLOAT32, float(value))
    yield from _layers(architecture, hyper)
    yield from _scaling_keys(architecture, hyper)


def _stated(word: Word, architecture: GgufArchitecture, hyper: Hyper) -> Iterator[GGUFKey]:
    """The key of a number, a flag or a text; none where llama.cpp takes the value for granted and has no such key."""
    value, name = hyper.get(word.hyper), f"{architecture.name}.{word.gguf}"
    implied = architecture.implied(hyper).get(word.hyper)
    granted = word.hyper in architecture.unheeded and same_value(value, implied)
    if value is None or granted or (word.hyper == ACTIVATION and {value, implied} != _GELUS):
        return
    if word.kind == "number" and isinstance(value, (int, float)):
        yield GGUFKey(name, FLOAT32, float(word.gguf_write(value)))
    else:
        yield GGUFKey.of(name, word.gguf_write(value))


# -- layers


def _layers(architecture: GgufArchitecture, hyper: Hyper) -> Iterator[GGUFKey]:
    """The window, the layers that have it, and those that rotate, where llama.cpp does not take them for granted."""
    at, size = f"{architecture.name}.", hyper.get("sliding_window")
    if type(size) is int:
        yield GGUFKey.of(f"{at}{gguf_keys.WINDOW}", size)
        stated = _flags(hyper, "sliding_window_layers")
        usual = _flags(gguf_keys.window({gguf_keys.WINDOW: size}, hyper, architecture), "sliding_window_layers", hyper)
        if stated != usual:
            yield GGUFKey.of(f"{at}{gguf_keys.PATTERN}", stated)
    elif architecture.window is not None:
        yield GGUFKey.of(f"{at}{gguf_keys.WINDOW}", 0)
    turned = _flags(hyper, "rope_layers")
    if "rope_theta" in hyper and turned != _flags(architecture.implied(hyper), "rope_layers", hyper):
        yield GGUFKey.of(f"{at}{gguf_keys.TURNED_LAYERS}", turned)


def _flags(hyper: Mapping[str, object], name: str, sizes: Hyper | None = None) -> list[bool]:
    """A flag for each layer; all true where the model states none."""
    flags, count = hyper.get(name), (hyper if sizes is None else sizes).get("n_layers")
    if isinstance(flags, (list, tuple)):
        return [bool(flag) for flag in flags]
    return [True] * min(count if isinstance(count, int) else 0, _LONGEST)


# -- scaling of the rotation


def _scaling_keys(architecture: GgufArchitecture, hyper: Hyper) -> Iterator[GGUFKey]:
    """Keys that scale the rotation; where tensors of factors do, only what these cannot say."""
    at = f"{architecture.name}.{GGUF_SCALING}"
    scaling = {name.removeprefix(SCALING): v for name, v in hyper.items() if name.startswith(SCALING)}
    kind = scaling.get("type", "default")
    if kind == "longrope":
        yield GGUFKey.of(f"{at}original_context_length", scaling.get(ORIGINAL))
        yield GGUFKey(f"{at}{MAGNITUDE}", FLOAT32, _magnitude(scaling, hyper))
    if kind in ("default", "dynamic", *_BY_TENSORS):  # llama.cpp knows no dynamic scaling, and ends at its name
        return
    back = {ours: theirs for theirs, ours in {**GGUF_ORIGINAL, **(YARN if kind == "yarn" else {})}.items()}
    for word, value in scaling.items():
        number = (isinstance(value, float) or word == "factor") and not isinstance(value, (str, list, tuple))
        name = f"{at}{back.get(word, word)}"
        yield GGUFKey(name, FLOAT32, float(str(value))) if number else GGUFKey.of(name, value)
    factor, own = scaling.get("factor"), scaling.get("attention_factor")
    if kind == "yarn" and isinstance(factor, (int, float)) and isinstance(own, (int, float)):
        yield GGUFKey(f"{at}{MAGNITUDE}", FLOAT32, own / usual_magnitude("yarn", float(factor), 1.0))


def _magnitude(scaling: Mapping[str, object], hyper: Hyper) -> float:
    """The factor of queries and keys that longrope has."""
    stated, original = scaling.get("attention_factor"), float(str(scaling.get(ORIGINAL, 1)))
    factor = float(str(scaling.get("factor", float(str(hyper.get("seq_len", 1))) / original)))
    return float(str(stated)) if stated is not None else usual_magnitude("longrope", factor, original)


# -- notes


def unheeded_notes(architecture: GgufArchitecture, hyper: Hyper, names: Iterable[str]) -> list[str]:
    """Notes on what is written though llama.cpp does not heed it for this architecture, or does not load such a model.

    Args:
        architecture: of the file.
        hyper: of the model.
        names: of its tensors, in our spelling.
    """
    reason = architecture.unloadable(hyper, frozenset(names))
    unloadable = [f"llama.cpp does not load this {architecture.name}: {reason}"] if reason else []
    return [*unloadable, *_window_note(architecture, hyper), *_other_note(architecture, hyper)]


def _window_note(architecture: GgufArchitecture, hyper: Hyper) -> list[str]:
    """A note on a window shorter than the context, where llama.cpp reads none."""
    window, context, name = hyper.get("sliding_window"), hyper.get("seq_len"), architecture.name
    short = isinstance(window, int) and not (isinstance(context, int) and window >= context)
    if not short or "sliding_window" not in architecture.unheeded:
        return []
    what = f"{name}.{gguf_keys.WINDOW} {window} is written, and llama.cpp does not heed it for a {name}"
    return [f"{what}: texts of more than {window} tokens get other numbers there"]


def _other_note(architecture: GgufArchitecture, hyper: Hyper) -> list[str]:
    silent = {**_SILENT, **(_YARN if hyper.get(f"{SCALING}type") == "yarn" else {})}
    implied = {**silent, **architecture.implied(hyper)}
    unheeded = dict.fromkeys([*architecture.unheeded, *(name for name in silent if name.startswith(SCALING))])
    names = [name for name in unheeded if name != "sliding_window" and name in {**hyper, **implied}]
    stated = {name: hyper.get(name, silent.get(name)) for name in names}
    other = {name: value for name, value in stated.items() if not same_value(value, implied.get(name))}
    if not other:
        return []
    said = ", ".join(f"{name} {value!s:.40}" for name, value in other.items())
    return [f"{said}: llama.cpp does not heed this for a {architecture.name}, and gets other numbers"]
