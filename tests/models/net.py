"""The Llama-architecture network in PyTorch, as plain functions on a dictionary of weights, and its training."""

import math
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

Weights = dict[str, Tensor]
Rope = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Shape:
    """The sizes of the network, in the order of the checkpoint's header."""

    dim: int = 96
    hidden_dim: int = 176
    n_layers: int = 4
    n_heads: int = 6
    n_kv_heads: int = 3
    vocab_size: int = 384
    seq_len: int = 256

    @property
    def head_size(self) -> int:
        """How many numbers one attention head has."""
        return self.dim // self.n_heads


def new_weights(shape: Shape) -> Weights:
    """Random weights; the keys stand in the order of the checkpoint, layers stacked in front."""
    layers, dim, hidden, kv_dim = shape.n_layers, shape.dim, shape.hidden_dim, shape.n_kv_heads * shape.head_size
    depth = 1 / math.sqrt(2 * layers)  # keeps the sum of all layers' outputs small at the start
    weights = {
        "tok_emb": 0.05 * torch.randn(shape.vocab_size, dim),  # (vocab, dim)
        "rms_att": torch.ones(layers, dim),  # (layers, dim)
        "wq": torch.randn(layers, dim, dim) / math.sqrt(dim),  # (layers, dim, dim)
        "wk": torch.randn(layers, kv_dim, dim) / math.sqrt(dim),  # (layers, kv_dim, dim)
        "wv": torch.randn(layers, kv_dim, dim) / math.sqrt(dim),  # (layers, kv_dim, dim)
        "wo": depth * torch.randn(layers, dim, dim) / math.sqrt(dim),  # (layers, dim, dim)
        "rms_ffn": torch.ones(layers, dim),  # (layers, dim)
        "w1": torch.randn(layers, hidden, dim) / math.sqrt(dim),  # (layers, hidden, dim)
        "w2": depth * torch.randn(layers, dim, hidden) / math.sqrt(hidden),  # (layers, dim, hidden)
        "w3": torch.randn(layers, hidden, dim) / math.sqrt(dim),  # (layers, hidden, dim)
        "rms_final": torch.ones(dim),  # (dim,)
    }
    return {name: weight.requires_grad_() for name, weight in weights.items()}


def rope_tables(shape: Shape) -> Rope:
    """Cosine and sine of each position's angle for each pair of a head, both (seq_len, head_size / 2)."""
    pair = torch.arange(0, shape.head_size, 2, dtype=torch.float64)  # (head_size / 2,)
    angle = torch.outer(torch.arange(shape.seq_len, dtype=torch.float64), 10000.0 ** (-pair / shape.head_size))
    return angle.cos().float(), angle.sin().float()  # (seq_len, head_size / 2) each


def forward(weights: Weights, shape: Shape, rope: Rope, tokens: Tensor) -> Tensor:
    """Logits (batch, time, vocab) of the token that follows each of the tokens (batch, time)."""
    x = weights["tok_emb"][tokens]  # (batch, time, dim)
    for layer in range(shape.n_layers):
        w = {name: weight[layer] for name, weight in weights.items() if name not in ("tok_emb", "rms_final")}
        x = x + _attention(w, shape, rope, _norm(x, w["rms_att"]))  # (batch, time, dim)
        h = _norm(x, w["rms_ffn"])  # (batch, time, dim)
        x = x + (functional.silu(h @ w["w1"].T) * (h @ w["w3"].T)) @ w["w2"].T  # (batch, time, dim)
    return _norm(x, weights["rms_final"]) @ weights["tok_emb"].T  # (batch, time, vocab)


def _norm(x: Tensor, gain: Tensor) -> Tensor:
    """RMSNorm over the last axis of x (batch, time, dim), same shape."""
    return functional.rms_norm(x, (x.shape[-1],), gain, eps=1e-5)


def _attention(w: Weights, shape: Shape, rope: Rope, x: Tensor) -> Tensor:
    """Causal grouped-query attention on x (batch, time, dim), same shape."""
    batch, time, _ = x.shape
    group = shape.n_heads // shape.n_kv_heads
    q, k, v = ((x @ w[name].T).view(batch, time, -1, shape.head_size).transpose(1, 2) for name in ("wq", "wk", "wv"))
    k = _rotate(k, rope).repeat_interleave(group, dim=1)  # (batch, heads, time, head_size)
    v = v.repeat_interleave(group, dim=1)  # (batch, heads, time, head_size)
    out = functional.scaled_dot_product_attention(_rotate(q, rope), k, v, is_causal=True)  # as q
    return out.transpose(1, 2).reshape(batch, time, shape.dim) @ w["wo"].T  # (batch, time, dim)


def _rotate(x: Tensor, rope: Rope) -> Tensor:
    """Turn each adjacent pair of x (batch, heads, time, head_size) by its position's angle, same shape."""
    cos, sin = (table[: x.shape[2]] for table in rope)  # (time, head_size / 2) each
    even, odd = x[..., 0::2], x[..., 1::2]  # (batch, heads, time, head_size / 2) each
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)  # as x


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train."""

    steps: int
    seed: int
    batch: int = 16
    peak_rate: float = 4e-3
    warmup: int = 100


def train(shape: Shape, plan: Plan, stream: list[int], starts: list[int]) -> Weights:
    """Train on rows of the token stream; each row begins where a story starts."""
    torch.manual_seed(plan.seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    weights, rope = new_weights(shape), rope_tables(shape)
    optimizer = _optimizer(weights)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, plan))
    for step, rows in zip(range(plan.steps), _batches(shape, plan, stream, starts), strict=False):
        logits = forward(weights, shape, rope, rows[:, :-1])  # (batch, seq_len, vocab)
        loss = functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimizer.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}/{plan.steps}: training loss {loss.item():.4f} nats/token", file=sys.stderr)
    return {name: weight.detach() for name, weight in weights.items()}


def _optimizer(weights: Weights) -> torch.optim.Optimizer:
    """AdamW; the norms' gains do not decay."""
    gains = [weight for name, weight in weights.items() if name.startswith("rms")]
    matrices = [weight for name, weight in weights.items() if not name.startswith("rms")]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": gains, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.98))


def _rate(step: int, plan: Plan) -> float:
    """The learning rate: a linear rise, then half a cosine down to zero."""
    if step < plan.warmup:
        return plan.peak_rate * (step + 1) / plan.warmup
    return plan.peak_rate * 0.5 * (1 + math.cos(math.pi * (step - plan.warmup) / (plan.steps - plan.warmup)))


def _batches(shape: Shape, plan: Plan, stream: list[int], starts: list[int]) -> Iterator[Tensor]:
    """Endless batches (batch, seq_len + 1) that go through all rows in a new random order each time."""
    tokens, firsts = torch.tensor(stream), torch.tensor(starts)  # (stream,), (stories,)
    firsts = firsts[firsts + shape.seq_len < len(stream)]  # (rows,)
    offsets = torch.arange(shape.seq_len + 1)  # (seq_len + 1,)
    while True:
        order = firsts[torch.randperm(len(firsts))]  # (rows,)
        for at in range(0, len(order) - plan.batch + 1, plan.batch):
            yield tokens[order[at : at + plan.batch, None] + offsets]  # (batch, seq_len + 1)


def total_loss(weights: Weights, shape: Shape, tokens: list[int]) -> float:
    """The summed nats of all tokens after the first."""
    with torch.no_grad():
        row = torch.tensor([tokens])  # (1, time + 1)
        logits = forward(weights, shape, rope_tables(shape), row[:, :-1])  # (1, time, vocab)
        return float(functional.cross_entropy(logits[0], row[0, 1:], reduction="sum"))


def save(weights: Weights, shape: Shape, path: Path) -> None:
    """Write a llama2.c version 0 checkpoint: seven i32, then all weights and both rope tables as f32."""
    flat = torch.cat([array.flatten() for array in (*weights.values(), *rope_tables(shape))])  # (numbers,)
    path.write_bytes(struct.pack("<7i", *vars(shape).values()) + flat.numpy().astype("<f4").tobytes())
