"""The numbers that a network is run by, read from hyper-parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import UsageError
from fourcc.models.rotation import RotaryTurns
from fourcc.networks import check, network_of
from fourcc.networks.network import Network
from fourcc.networks.scaling import scaling_of
from fourcc.networks.steps import LayerStep

if TYPE_CHECKING:
    from fourcc.container.index import Index

# Field -> hyper-parameter of another name.
_OTHERS = {"tied": "tied_embeddings", "window": "sliding_window", "window_layers": "sliding_window_layers"}


@attrs.frozen
class Architecture:
    """A network, and the numbers that it is run by.

    Attributes:
        network: its declaration.
        dim: width of the residual stream.
        hidden_dim: width inside the feed-forward network; 0: no layer has one without experts.
        n_layers, n_heads, n_kv_heads, head_dim, vocab_size: as their names say.
        seq_len: longest context, in positions.
        norm_eps: added to the mean square in a norm.
        norm_offset: added to the weights of norms.
        hidden_act: of the feed-forward network.
        rope_theta: base of the rotary frequencies; None: nothing is rotated.
        rope_local_theta: base in layers that have the window, where it differs; they are not scaled.
        rope_dim: columns of a head that are rotated; None: all.
        rope_layers: for each layer 1 if it rotates, else 0; None: all do.
        rope_scaling: hyper-parameters that scale the frequencies, by word; empty: they are not scaled.
        tied: whether the output matrix is the embedding; None: it is if the model has no output matrix.
        window: positions that an activation sees, its own the last of them; None: all.
        window_layers: for each layer 1 if it has the window, else 0; None: all have it.
        attention_scale: what scores are multiplied by; None: 1 / sqrt(head_dim).
        attention_softcap: c of c tanh(score / c); None: scores are not capped.
        output_softcap: likewise of logits.
        embedding_scale, residual_scale, output_scale: what embeddings, what is added to the residual stream, and logits
            are multiplied by.
        parallel_residual: whether attention and the feed-forward network take the same input.
        n_experts, n_experts_used: of each layer that has some, and how many an activation goes through.
        expert_hidden_dim, shared_hidden_dim: widths inside an expert, and inside the expert that all go through.
        expert_layers: for each layer 1 if it has experts, else 0; None: all have some.
        expert_scores, expert_weights_normalized: how experts are weighted.
        gate_limit, gate_alpha: of a clamped gate.
    """

    network: Network
    dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    vocab_size: int
    seq_len: int
    norm_eps: float
    hidden_dim: int = 0
    norm_offset: float = 0.0
    hidden_act: str = "silu"
    rope_theta: float | None = None
    rope_local_theta: float | None = None
    rope_dim: int | None = None
    rope_layers: Sequence[int] | None = None
    rope_scaling: Mapping[str, object] = attrs.field(factory=dict)
    tied: bool | None = None
    window: int | None = None
    window_layers: Sequence[int] | None = None
    attention_scale: float | None = None
    attention_softcap: float | None = None
    output_softcap: float | None = None
    embedding_scale: float = 1.0
    residual_scale: float = 1.0
    output_scale: float = 1.0
    parallel_residual: bool = False
    n_experts: int | None = None
    n_experts_used: int | None = None
    expert_hidden_dim: int | None = None
    shared_hidden_dim: int | None = None
    expert_layers: Sequence[int] | None = None
    expert_scores: str = "softmax"
    expert_weights_normalized: bool = False
    gate_limit: float | None = None
    gate_alpha: float | None = None

    @classmethod
    def of(cls, family: str | None, hyper: Mapping[str, object], file: object = None) -> Architecture:
        """The numbers that hyper-parameters state; `fourcc.networks.check` compares them with the tensors.

        Raises:
            UsageError: the family, or a hyper-parameter that the message names, cannot be run.
            InputError: a hyper-parameter is missing or impossible.
        """
        check(family, hyper, file=file)
        numbers = {field.name: hyper[field.name] for field in attrs.fields(cls) if field.name in hyper}
        more = {ours: hyper.get(theirs) for ours, theirs in _OTHERS.items()}
        return cls(network_of(family), **numbers, rope_scaling=scaling_of(hyper), **more)  # type: ignore[arg-type]  # checked

    @property
    def steps(self) -> tuple[LayerStep, ...]:
        """The steps of a layer."""
        return self.network.parallel if self.parallel_residual else self.network.steps

    @property
    def score_scale(self) -> float:
        """The factor of attention's scores."""
        return self.head_dim**-0.5 if self.attention_scale is None else self.attention_scale

    @property
    def longest(self) -> int:
        """Positions that a network may have room for: more than `seq_len` where a rotation grows with them."""
        if self.rope_scaling.get("type") != "dynamic":
            return self.seq_len
        return max(self.seq_len, int(self.seq_len * float(str(self.rope_scaling["factor"]))))

    def check_tokens(self, tokens: Sequence[int]) -> None:
        """Raises UsageError where a number is no token."""
        if tokens and not 0 <= min(tokens) <= max(tokens) < self.vocab_size:
            wrong = next(token for token in tokens if not 0 <= token < self.vocab_size)
            raise UsageError("no such token", found=wrong, expected=f"0 to {self.vocab_size - 1}")

    def window_of(self, layer: int) -> int | None:
        """Positions that an activation sees in a layer; None: all up to the first."""
        return self.window if self.window_layers is None or self.window_layers[layer] else None

    @property
    def turns(self) -> RotaryTurns:
        """The rotation of a network whose layers all rotate alike, as those of the Llama family do."""
        turns = self.turns_of(0)
        assert turns is not None
        return turns

    def turns_of(self, layer: int, context: int | None = None) -> RotaryTurns | None:
        """The rotation in a layer; None: there is none.

        Args:
            layer: its number.
            context: positions that the network has room for; None: as many as the model was made for.
        """
        if self.rope_theta is None or not (self.rope_layers is None or self.rope_layers[layer]):
            return None
        sizes = (self.rope_dim or self.head_dim, context or self.seq_len, self.seq_len)
        if self.rope_local_theta is not None and self.window_of(layer) is not None:
            return RotaryTurns(self.rope_local_theta, *sizes)
        return RotaryTurns(self.rope_theta, *sizes, self.rope_scaling)


def check_known(index: Index, path: Path) -> None:
    """Raises as `fourcc.networks.check` does for a model.bin whose model is not known here; no weight is read."""
    check(index.architecture, index.hyper, {record.name: record.shape for record in index.tensors}, path)


def known_sizes(index: Index, path: Path) -> Architecture:
    """The sizes of a network that can be run here. Raises as `check_known` and `Architecture.of`."""
    check_known(index, path)
    return Architecture.of(index.architecture, index.hyper, path)
