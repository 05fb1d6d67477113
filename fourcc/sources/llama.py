"""The Llama family's tensors: which shape each must have, given the model's hyper-parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import attrs

from fourcc.naming import position, split_name
from fourcc.sources.source import Hyper, SourceTensor, Unreadable

ARCHITECTURE = "llama"
_SHOWN = 4  # names in a note

# Template -> the names of its dimensions, rows first.
_SHAPES: dict[str, tuple[str, ...]] = {
    "tok_embeddings": ("vocab_size", "dim"),
    "layers.*.attention_norm": ("dim",),
    "layers.*.attention.wq": ("n_heads * head_dim", "dim"),
    "layers.*.attention.wk": ("n_kv_heads * head_dim", "dim"),
    "layers.*.attention.wv": ("n_kv_heads * head_dim", "dim"),
    "layers.*.attention.wo": ("dim", "n_heads * head_dim"),
    "layers.*.attention.q_norm": ("head_dim",),
    "layers.*.attention.k_norm": ("head_dim",),
    "layers.*.ffn_norm": ("dim",),
    "layers.*.feed_forward.w1": ("hidden_dim", "dim"),
    "layers.*.feed_forward.w2": ("dim", "hidden_dim"),
    "layers.*.feed_forward.w3": ("hidden_dim", "dim"),
    "norm": ("dim",),
    "output": ("vocab_size", "dim"),
}
# What a layer cannot do without; biases and norms of q and k are some models' own.
_OPTIONAL = ("q_norm", "k_norm")


@attrs.frozen
class Contradiction:
    """A tensor that cannot be what the hyper-parameters say."""

    tensor: SourceTensor | Unreadable
    found: str
    expected: str


def contradictions(tensors: Iterable[SourceTensor | Unreadable], hyper: Hyper) -> Iterator[Contradiction]:
    """The tensors whose shape or layer does not go with the hyper-parameters; what these leave open is not compared."""
    layers = hyper.get("n_layers")
    for tensor in tensors:
        template, layer, ending = split_name(tensor.name)
        if layer is not None and isinstance(layers, int) and layer >= layers and template in _SHAPES:
            yield Contradiction(tensor, f"layer {layer}", f"n_layers {layers}")
        words = _SHAPES.get(template, ())
        sizes = [_size(word, hyper) for word in (words[:1] if ending == ".bias" else words)]
        fits = len(sizes) == len(tensor.shape) and all(
            size in (None, found) for size, found in zip(sizes, tensor.shape, strict=True)
        )
        if words and not fits:
            said = ", ".join(f"{name} {hyper[name]}" for word in words for name in word.split(" * ") if name in hyper)
            shown = " x ".join("any" if size is None else str(size) for size in sizes)
            yield Contradiction(tensor, f"shape {list(tensor.shape)}", f"{shown} ({said})")


def _size(word: str, hyper: Hyper) -> int | None:
    """A dimension's size, or None where the hyper-parameters do not tell."""
    product = 1
    for name in word.split(" * "):
        value = hyper.get(name)
        if type(value) is not int:
            return None
        product *= value
    return product


def missing(tensors: Iterable[SourceTensor | Unreadable], hyper: Hyper) -> Iterator[str]:
    """Names of tensors that the model needs and that are not there, one by one: a false n_layers makes many."""
    present = {tensor.name for tensor in tensors}
    layers = hyper.get("n_layers")
    for template in _SHAPES:
        if template.endswith(_OPTIONAL) or (template == "output" and hyper.get("tied_embeddings")):
            continue
        for number in range(layers if "*" in template and isinstance(layers, int) else 1):
            name = template.replace("*", str(number))
            if name not in present:
                yield name


def incomplete(tensors: Iterable[SourceTensor | Unreadable], hyper: Hyper) -> str | None:
    """A note that names the first of the tensors that are missing; None where the model is whole."""
    gone = list(islice(missing(tensors, hyper), _SHOWN + 1))
    if not gone:
        return None
    more = ", and others" if len(gone) > _SHOWN else ""
    return f"the model is not complete: there is no {', '.join(gone[:_SHOWN])}{more}"


def in_model_order(tensors: Iterable[SourceTensor]) -> tuple[SourceTensor, ...]:
    """The tensors as the model runs; those of no known name last, in the order given."""
    return tuple(sorted(tensors, key=lambda tensor: position(tensor.name)))
