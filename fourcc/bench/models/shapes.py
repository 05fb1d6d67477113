"""Sizes of the models that are measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import sqrt

import attrs

from fourcc.bench.matrices import FLOAT_BYTES
from fourcc.bench.plan import items
from fourcc.errors import UsageError
from fourcc.networks import NETWORKS
from fourcc.sources.source import Hyper

_LAYER = "layers.*."


@attrs.frozen
class ModelShape:
    """The sizes of a model of any network.

    Attributes:
        name: for display.
        architecture: the network's.
        sizes: its hyper-parameters, but for those that all models here share.
        optional: of the tensors that a layer need not have, those that it has.
    """

    name: str
    architecture: str
    sizes: Mapping[str, object]
    optional: tuple[str, ...] = ()

    def hyper(self, context: int) -> Hyper:
        """Hyper-parameters, in fourcc's words, of a model with room for `context` positions."""
        shared = {"norm_eps": 1e-5, "rope_theta": 10000.0, "rope_pairing": "adjacent", "tied_embeddings": False}
        return {**shared, **self.sizes, "seq_len": context}  # type: ignore[dict-item]  # of a hyper-parameter's kinds

    def size(self, name: str) -> int:
        """A hyper-parameter that is a count."""
        value = self.sizes[name]
        assert isinstance(value, int)
        return value

    def cache_bytes(self, context: int) -> int:
        """Bytes of the keys and values of `context` positions, as float32."""
        width = self.size("n_kv_heads") * self.size("head_dim")
        return FLOAT_BYTES * 2 * self.size("n_layers") * width * context

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name and shape of each tensor."""
        network, hyper = NETWORKS[self.architecture], self.hyper(1)
        untied = hyper["tied_embeddings"] is False
        for template, tensor in network.tensors.items():
            wanted = (
                untied if tensor.unless is not None else tensor.needed or template.removeprefix(_LAYER) in self.optional
            )
            for layer in range(self.size("n_layers") if "*" in template else 1) if wanted else ():
                if tensor.is_in(layer, hyper):
                    sizes = tensor.sizes(hyper)
                    yield template.replace("*", str(layer)), tuple(size for size in sizes if size is not None)


def _llama(name: str, dim: int, hidden: int, layers: int, heads: int, kv_heads: int, vocab: int = 32000) -> ModelShape:
    return ModelShape(name, "llama", _sizes(dim, hidden, layers, heads, kv_heads, dim // heads, vocab))


def _sizes(
    dim: int, hidden: int, layers: int, heads: int, kv_heads: int, head: int, vocab: int = 32000
) -> dict[str, object]:
    return {
        "dim": dim,
        "hidden_dim": hidden,
        "n_layers": layers,
        "n_heads": heads,
        "n_kv_heads": kv_heads,
        "head_dim": head,
        "vocab_size": vocab,
    }


def _moe(name: str, sizes: dict[str, object], experts: int, used: int, width: int) -> ModelShape:
    """A model of Qwen3-MoE's architecture."""
    mixture: dict[str, object] = {
        "n_experts": experts,
        "n_experts_used": used,
        "expert_hidden_dim": width,
        "expert_scores": "softmax",
        "expert_weights_normalized": True,
    }
    return ModelShape(name, "qwen3_moe", sizes | mixture, ("attention.q_norm", "attention.k_norm"))


def _gemma(name: str, sizes: dict[str, object]) -> ModelShape:
    """A model of Gemma 2's architecture."""
    dim, head, layers = sizes["dim"], sizes["head_dim"], sizes["n_layers"]
    assert isinstance(dim, int)
    assert isinstance(head, int)
    assert isinstance(layers, int)
    numbers: dict[str, object] = {
        "hidden_act": "gelu_tanh",
        "embedding_scale": sqrt(dim),
        "attention_scale": head**-0.5,
        "attention_softcap": 50.0,
        "output_softcap": 30.0,
        "sliding_window": 4096,
        "sliding_window_layers": [(layer + 1) % 2 for layer in range(layers)],
        "tied_embeddings": True,
    }
    return ModelShape(name, "gemma2", sizes | numbers)


SHAPES = {
    shape.name: shape
    for shape in (
        _llama("tiny", 64, 192, 2, 4, 2, 512),  # to see that everything works
        _moe("tiny-moe", _sizes(64, 192, 2, 4, 2, 32, 512), 8, 2, 64),
        _gemma("tiny-gemma", _sizes(64, 192, 2, 4, 2, 32, 512)),
        _llama("15M", 288, 768, 6, 6, 6),
        _llama("110M", 768, 2048, 12, 12, 12),
        _llama("1.1B", 2048, 5632, 22, 32, 4),
        _moe(
            "moe", _sizes(2048, 6144, 4, 32, 4, 128), 64, 8, 768
        ),  # of Qwen3-30B-A3B: four layers, half of the experts
        _gemma("gemma", _sizes(2304, 9216, 6, 8, 4, 256)),  # of Gemma 2 2B: six layers, fewer tokens
    )
}


def named(text: str) -> tuple[ModelShape, ...]:
    """Shapes from a comma list of names.

    Raises:
        UsageError: a name is unknown.
    """
    for name in items(text):
        if name not in SHAPES:
            raise UsageError("no such model", found=repr(name), expected=", ".join(SHAPES))
    return tuple(SHAPES[name] for name in items(text))
