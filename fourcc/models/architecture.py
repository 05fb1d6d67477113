"""Sizes of a model of the Llama family, read from hyper-parameters, and the table of its rotation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.errors import UsageError
from fourcc.networks import check
from fourcc.networks.llama import ORIGINAL, SCALING

if TYPE_CHECKING:
    from fourcc.arrays import Floats

# Field -> hyper-parameter of another name.
_OTHERS = {"tied": "tied_embeddings", "window": "sliding_window", "window_layers": "sliding_window_layers"}


@attrs.frozen
class Architecture:
    """Sizes of a model of the Llama family.

    Attributes:
        dim: width of the residual stream.
        hidden_dim: width inside the feed-forward network.
        n_layers, n_heads, n_kv_heads, head_dim, vocab_size: as their names say.
        seq_len: longest context, in positions.
        norm_eps: added to the mean square in RMSNorm.
        rope_theta: base of the rotary frequencies.
        rope_scaling: hyper-parameters that scale the frequencies, by name; empty: they are not scaled.
        tied: whether the output matrix is the embedding; None: it is if the model has no output matrix.
        window: positions that an activation sees, its own the last of them; None: all.
        window_layers: for each layer 1 if it has the window, else 0; None: all have it.
    """

    dim: int
    hidden_dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    vocab_size: int
    seq_len: int
    norm_eps: float
    rope_theta: float
    rope_scaling: Mapping[str, object] = attrs.field(factory=dict)
    tied: bool | None = None
    window: int | None = None
    window_layers: Sequence[int] | None = None

    @classmethod
    def of(cls, family: str | None, hyper: Mapping[str, object], file: object = None) -> Architecture:
        """The sizes that hyper-parameters state; `fourcc.networks.check` compares them with the tensors.

        Raises:
            UsageError: the family, or a hyper-parameter that the message names, cannot be run.
            InputError: a hyper-parameter is missing or impossible.
        """
        check(family, hyper, file=file)
        sizes = {field.name: hyper[field.name] for field in attrs.fields(cls) if field.name in hyper}
        scaling = {name.removeprefix(SCALING): value for name, value in hyper.items() if name.startswith(SCALING)}
        more = {ours: hyper.get(theirs) for ours, theirs in _OTHERS.items()}
        return cls(**sizes, rope_scaling=scaling, **more)  # type: ignore[arg-type]  # checked

    def check_tokens(self, tokens: Sequence[int]) -> None:
        """Raises UsageError where a number is no token."""
        if tokens and not 0 <= min(tokens) <= max(tokens) < self.vocab_size:
            wrong = next(token for token in tokens if not 0 <= token < self.vocab_size)
            raise UsageError("no such token", found=wrong, expected=f"0 to {self.vocab_size - 1}")

    def window_of(self, layer: int) -> int | None:
        """Positions that an activation sees in a layer; None: all up to the first."""
        return self.window if self.window_layers is None or self.window_layers[layer] else None

    def frequencies(self) -> Floats:
        """Turn of each pair from one position to the next, float32 (head_dim / 2,).

        Pair i turns by theta^(-2 i / head_dim). Scaling `linear` divides all turns by a factor, `factors` each turn by
        its own factor. `llama3` divides turns of wave lengths above original / low_freq_factor by a factor, those below
        original / high_freq_factor not at all, and blends in between.
        """
        exponents = np.arange(0, self.head_dim, 2, dtype=np.float32) / np.float32(self.head_dim)
        plain: Floats = (np.float32(1) / np.power(np.float32(self.rope_theta), exponents)).astype(np.float32)
        kind = self.rope_scaling.get("type", "default")
        if kind == "factors":
            plain /= np.array(self.rope_scaling["factors"], np.float32)
        elif kind == "linear":
            plain /= np.float32(self._number("factor"))
        elif kind == "llama3":
            low, high = self._number("low_freq_factor"), self._number("high_freq_factor")
            turns = self._number(ORIGINAL) * plain.astype(np.float64) / (2 * np.pi)  # over the original context
            kept = np.clip((turns - low) / (high - low), 0, 1)
            plain *= (kept + (1 - kept) / self._number("factor")).astype(np.float32)
        return plain

    def _number(self, name: str) -> float:
        return float(str(self.rope_scaling[name]))

    def rotation(self, end: int, start: int = 0) -> Floats:
        """Cosines, then sines, of the turns of positions start .. end: float32 (end - start, head_dim)."""
        turns = np.arange(start, end, dtype=np.float32)[:, None] * self.frequencies()  # (positions, head_dim / 2)
        wide = turns.astype(np.float64)
        both: Floats = np.concatenate([np.cos(wide), np.sin(wide)], axis=1).astype(np.float32)
        return both
