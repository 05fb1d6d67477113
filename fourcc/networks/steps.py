"""The steps of a layer, as data: a network's table says what is computed, and `fourcc.models.stages` computes it.

Steps read and write buffers by name. Each holds a row for every activation:

===========  =====================  ==========================================================
buffer       columns                holds
===========  =====================  ==========================================================
``x``        dim                    the residual stream
``normed``   dim                    what a norm made of it
``q``        n_heads * head_dim     queries, which attention rotates in place
``k``, ``v`` n_kv_heads * head_dim  keys and values
``attended`` n_heads * head_dim     what attention made of the values
``added``    dim                    what attention or the feed-forward network adds to ``x``
===========  =====================  ==========================================================

Names of tensors are those of a layer: ``attention.wq``. Where a layer lacks an optional tensor, the steps that need it
are skipped; a bias is added wherever the layer has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

GATE, UP, DOWN = "w1", "w3", "w2"  # matrices of a feed-forward network


@attrs.frozen
class Norm:
    """Normalizes activations: RMSNorm, or LayerNorm in a network that says so.

    Attributes:
        weight: the tensor of its weights.
        source, into: buffers.
    """

    weight: str
    source: str = "x"
    into: str = "normed"


@attrs.frozen
class NormHeads:
    """Normalizes each head of a buffer by itself, in place.

    Attributes:
        weight: the tensor of its weights, which all heads share, or one row a head.
        of: the buffer.
    """

    weight: str
    of: str


@attrs.frozen
class Multiply:
    """Products of the same activations with several matrices.

    Attributes:
        outputs: matrices, each with the buffer that its product goes to.
        source: the buffer of the activations.
    """

    outputs: tuple[tuple[str, str], ...]
    source: str = "normed"


@attrs.frozen
class Attend:
    """Rotates ``q`` and ``k``, and attends to the positions that are seen: ``attended``.

    Attributes:
        sinks: a tensor with a score for each head that takes part in the softmax and has no value.
    """

    sinks: str = "attention.sinks"


@attrs.frozen
class FeedForward:
    """The feed-forward network: w2 (act(w1 x) * w3 x), or w2 act(w3 x) where a layer has no w1.

    Attributes:
        at: what the names of its matrices begin with.
        source, into: buffers.
    """

    at: str = "feed_forward"
    source: str = "normed"
    into: str = "added"


@attrs.frozen
class MixExperts:
    """The weighted sum of the feed-forward networks that a router chooses for each activation; none without a router.

    Attributes:
        at: what the names of its tensors begin with: ``router``, ``experts.w1``, ``shared.w1``, ``shared_gate``.
        source, into: buffers.
    """

    at: str = "feed_forward"
    source: str = "normed"
    into: str = "added"

    @property
    def router(self) -> str:
        """The tensor that scores the experts."""
        return f"{self.at}.router"

    def expert(self, matrix: str) -> str:
        """The stack of a matrix of each expert."""
        return f"{self.at}.experts.{matrix}"

    def shared(self, matrix: str) -> str:
        """A matrix of the expert that all activations go through."""
        return f"{self.at}.shared.{matrix}"

    @property
    def shared_gate(self) -> str:
        """The matrix whose product's sigmoid that expert's result is multiplied by."""
        return f"{self.at}.shared_gate"

    @property
    def inputs(self) -> tuple[tuple[str, ...], ...]:
        """Its matrices by the activations that they multiply, in the order in which they are computed."""
        return (
            (self.router,),
            (self.expert(GATE), self.expert(UP)),
            (self.expert(DOWN),),
            (self.shared(GATE), self.shared(UP), self.shared_gate),
            (self.shared(DOWN),),
        )


@attrs.frozen
class Add:
    """Adds a buffer to the residual stream, times the hyper-parameter ``residual_scale`` where a model has it.

    Attributes:
        source: the buffer.
    """

    source: str = "added"


LayerStep = Norm | NormHeads | Multiply | Attend | FeedForward | MixExperts | Add

QKV = Multiply((("attention.wq", "q"), ("attention.wk", "k"), ("attention.wv", "v")))
ATTENTION: tuple[LayerStep, ...] = (
    QKV,
    NormHeads("attention.q_norm", "q"),
    NormHeads("attention.k_norm", "k"),
    Attend(),
    Multiply((("attention.wo", "added"),), "attended"),
)


def sharing(steps: Iterable[LayerStep], present: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """The matrices of a layer by the activations that they multiply, in the order in which these are computed.

    Args:
        steps: of the layer.
        present: names of the layer's tensors.
    """
    for step in steps:
        if isinstance(step, Multiply):
            yield from _there([name for name, _ in step.outputs], present)
        elif isinstance(step, FeedForward):
            yield from _there([f"{step.at}.{GATE}", f"{step.at}.{UP}"], present)
            yield from _there([f"{step.at}.{DOWN}"], present)
        elif isinstance(step, MixExperts):
            for group in step.inputs:
                yield from _there(group, present)


def _there(names: Iterable[str], present: frozenset[str]) -> Iterator[tuple[str, ...]]:
    some = tuple(name for name in names if name in present)
    if some:
        yield some
