"""Sizes of the models that are measured."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from fourcc.bench.matrices import FLOAT_BYTES
from fourcc.bench.plan import items
from fourcc.errors import UsageError
from fourcc.sources.source import Hyper


@attrs.frozen
class ModelShape:
    """Sizes of a Llama.

    Attributes:
        name: for display.
        dim, hidden: columns of the residual stream and of the feed-forward part.
        layers: how many.
        heads, kv_heads: of the queries; of keys and values.
        vocab: tokens.
    """

    name: str
    dim: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    vocab: int = 32000

    @property
    def head(self) -> int:
        """Columns of a head."""
        return self.dim // self.heads

    def hyper(self, context: int) -> Hyper:
        """Hyper-parameters, in fourcc's words, of a model with room for `context` positions."""
        return {
            "dim": self.dim,
            "hidden_dim": self.hidden,
            "n_layers": self.layers,
            "n_heads": self.heads,
            "n_kv_heads": self.kv_heads,
            "head_dim": self.head,
            "vocab_size": self.vocab,
            "seq_len": context,
            "norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "tied_embeddings": False,
        }

    def cache_bytes(self, context: int) -> int:
        """Bytes of the keys and values of `context` positions, as float32."""
        return FLOAT_BYTES * 2 * self.layers * self.kv_heads * self.head * context

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name and shape of each tensor."""
        yield "tok_embeddings", (self.vocab, self.dim)
        for layer in range(self.layers):
            yield from ((f"layers.{layer}.{end}", shape) for end, shape in self._layer())
        yield "norm", (self.dim,)
        yield "output", (self.vocab, self.dim)

    def _layer(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        kv = self.kv_heads * self.head
        return (
            ("attention_norm", (self.dim,)),
            ("attention.wq", (self.dim, self.dim)),
            ("attention.wk", (kv, self.dim)),
            ("attention.wv", (kv, self.dim)),
            ("attention.wo", (self.dim, self.dim)),
            ("ffn_norm", (self.dim,)),
            ("feed_forward.w1", (self.hidden, self.dim)),
            ("feed_forward.w2", (self.dim, self.hidden)),
            ("feed_forward.w3", (self.hidden, self.dim)),
        )


SHAPES = {
    shape.name: shape
    for shape in (
        ModelShape("tiny", 64, 192, 2, 4, 2, 512),  # to see that everything works
        ModelShape("15M", 288, 768, 6, 6, 6),
        ModelShape("110M", 768, 2048, 12, 12, 12),
        ModelShape("1.1B", 2048, 5632, 22, 32, 4),
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
