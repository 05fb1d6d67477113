"""What a model of the Llama family is: its sizes, read from hyper-parameters, and the table of its rotation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.format import Floats

FAMILY = "llama"
SCALING = "rope_scaling."
ORIGINAL = "original_max_position_embeddings"


@attrs.frozen
class Architecture:
    """Sizes of a model of the Llama family.

    Attributes:
        dim: width of the residual stream.
        hidden_dim: width inside the feed-forward network.
        n_layers, n_heads, n_kv_heads, head_dim, vocab_size: as their names say.
        seq_len: longest context.
        norm_eps: added to the mean square in RMSNorm.
        rope_theta: base of the rotary frequencies.
        rope_scaling: what changes them, by name; empty: nothing.
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

    @classmethod
    def of(cls, family: str | None, hyper: Mapping[str, object], file: object = None) -> Architecture:
        """The sizes that hyper-parameters tell.

        Raises:
            UsageError: the family, or something that the hyper-parameters ask for, cannot be run; the message names it.
        """
        if "quantization" in hyper:  # set by `fourcc.sources.foreign_weights`
            what = "its weights are quantized by another tool, in a scheme that is not read here"
            raise UsageError(f"this model cannot be run: {what}: {hyper['quantization']}", file=file)
        if family != FAMILY:
            raise UsageError("this model cannot be run", file=file, found=f"architecture {family}", expected=FAMILY)
        _refuse_unknown(hyper, file)
        names = [field.name for field in attrs.fields(cls) if field.name != "rope_scaling"]
        for name in names:
            value = hyper.get(name)
            if not isinstance(value, (int, float)) or value <= 0:
                raise UsageError(
                    f"this model cannot be run: its hyper-parameter {name} is missing",
                    file=file,
                    found=value,
                    expected="a positive number",
                )
        scaling = {name.removeprefix(SCALING): value for name, value in hyper.items() if name.startswith(SCALING)}
        made = cls(**{name: hyper[name] for name in names}, rope_scaling=scaling)  # type: ignore[arg-type]
        made.frequencies()
        return made

    def frequencies(self) -> Floats:
        """Turn of each pair from one position to the next, float32 (head_dim / 2,).

        Pair i turns by theta^(-2 i / head_dim). Scaling: `linear` divides all by a factor, `factors` each by its own;
        `llama3` those of wave lengths above original / low_freq_factor, and those between that and
        original / high_freq_factor by a part of it.

        Raises:
            UsageError: another kind of scaling.
        """
        import numpy as np

        exponents = np.arange(0, self.head_dim, 2, dtype=np.float32) / np.float32(self.head_dim)
        plain: Floats = (np.float32(1) / np.power(np.float32(self.rope_theta), exponents)).astype(np.float32)
        kind = self.rope_scaling.get("type")
        if not self.rope_scaling or kind == "default":
            return plain
        if kind == "factors":
            return self._divided(plain)
        factor = self._number("factor")
        if kind == "linear":
            plain /= np.float32(factor)
            return plain
        if kind != "llama3":
            raise UsageError(f"this model cannot be run: rope scaling {kind!r}", expected="linear, llama3 or factors")
        low, high = self._number("low_freq_factor"), self._number("high_freq_factor")
        turns = self._number(ORIGINAL) * plain.astype(np.float64) / (2 * np.pi)  # over the original context
        kept = np.clip((turns - low) / (high - low), 0, 1)
        plain *= (kept + (1 - kept) / factor).astype(np.float32)
        return plain

    def _divided(self, plain: Floats) -> Floats:
        import numpy as np

        factors = self.rope_scaling.get("factors")
        if not isinstance(factors, (list, tuple)) or len(factors) != len(plain):
            found = len(factors) if isinstance(factors, (list, tuple)) else factors
            raise UsageError("rope scaling has not a factor for each pair", found=found, expected=len(plain))
        plain /= np.array(factors, np.float32)
        return plain

    def _number(self, name: str) -> float:
        value = self.rope_scaling.get(name)
        if not isinstance(value, (int, float)) or value <= 0:
            raise UsageError(f"rope scaling lacks {name}", found=value, expected="a positive number")
        return float(value)

    def rotation(self, positions: int) -> Floats:
        """Cosines, then sines, of each position's turns: float32 (positions, head_dim)."""
        import numpy as np

        turns = np.arange(positions, dtype=np.float32)[:, None] * self.frequencies()  # (positions, head_dim / 2)
        wide = turns.astype(np.float64)
        both: Floats = np.concatenate([np.cos(wide), np.sin(wide)], axis=1).astype(np.float32)
        return both


def _refuse_unknown(hyper: Mapping[str, object], file: object) -> None:
    """Raises UsageError for what would be computed wrong."""
    whole = ("rope_dim", hyper.get("head_dim"))  # of a head, all is rotated
    for name, fine in (("hidden_act", "silu"), ("rope_pairing", "adjacent"), whole):
        if hyper.get(name, fine) != fine:
            raise UsageError(f"this model cannot be run: {name}", file=file, found=hyper[name], expected=fine)
