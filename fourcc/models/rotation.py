"""The rotation of queries and keys: how far each pair of a head's columns turns from one position to the next.

Pair i of n columns turns by theta^(-2 i / n); kinds of scaling change these turns, and some scale the rotated vectors.
The formulas are those of transformers' ``modeling_rope_utils``, computed in float32 as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor, log, pi, sqrt
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.networks.scaling import ORIGINAL

if TYPE_CHECKING:
    from fourcc.arrays import Floats

_BETA_FAST, _BETA_SLOW = 32.0, 1.0  # YaRN's turns over the original context, where a model states none


@attrs.frozen
class RotaryTurns:
    """The turns of a rotation.

    Attributes:
        theta: base of the frequencies.
        columns: of a head that turn, an even number.
        context: positions that the network has room for: longrope has other factors for long ones.
        seq_len: longest context of the model.
        scaling: hyper-parameters of the scaling by their words; empty: none.
    """

    theta: float
    columns: int
    context: int
    seq_len: int
    scaling: Mapping[str, object] = attrs.field(factory=dict, eq=str)

    @property
    def kind(self) -> str:
        """The kind of scaling."""
        return str(self.scaling.get("type", "default"))

    def frequencies(self) -> Floats:
        """Turn of each pair from one position to the next, float32 (columns / 2,).

        ``linear`` divides all turns by a factor, ``factors`` each by its own, ``longrope`` by those of one of two
        lists.
        ``llama3`` and ``yarn`` divide slow turns by a factor, fast ones not at all, and blend in between. ``dynamic``
        raises the base where the network has room for more positions than the model was made for.
        """
        exponents = np.arange(0, self.columns, 2, dtype=np.float32) / np.float32(self.columns)
        plain: Floats = (np.float32(1) / np.power(np.float32(self._base()), exponents)).astype(np.float32)
        scaled = {
            "linear": self._linear,
            "factors": self._factors,
            "longrope": self._longrope,
            "llama3": self._llama3,
            "yarn": self._yarn,
        }.get(self.kind)
        return plain if scaled is None else scaled(plain)

    def magnitude(self) -> float:
        """The factor of rotated queries and keys; without scaling 1."""
        if "attention_factor" in self.scaling:
            return self._number("attention_factor")
        if self.kind == "yarn":
            factor, scale = self._number("factor"), self._number("mscale", 0.0)
            whole = self._number("mscale_all_dim", 0.0)
            return _mscale(factor, scale) / _mscale(factor, whole) if scale and whole else _mscale(factor, 1.0)
        if self.kind == "longrope":
            original = self._number(ORIGINAL)
            factor = self._number("factor", self.seq_len / original)
            return 1.0 if factor <= 1 else sqrt(1 + log(factor) / log(original))
        return 1.0

    def table(self, end: int, start: int = 0) -> Floats:
        """Cosines, then sines, of the turns of positions start .. end: float32 (end - start, columns)."""
        turns = np.arange(start, end, dtype=np.float32)[:, None] * self.frequencies()  # (positions, columns / 2)
        wide = turns.astype(np.float64)
        both = np.concatenate([np.cos(wide), np.sin(wide)], axis=1)
        table: Floats = (self.magnitude() * both).astype(np.float32)
        return table

    def _base(self) -> float:
        """The base, which ``dynamic`` raises with the room beyond the model's longest context."""
        if self.kind != "dynamic" or self.context <= self.seq_len or self.columns == 2:  # one pair turns by any base
            return self.theta
        factor = self._number("factor")
        grown = factor * self.context / self.seq_len - (factor - 1)
        return self.theta * float(grown ** (self.columns / (self.columns - 2)))

    def _linear(self, plain: Floats) -> Floats:
        return plain / np.float32(self._number("factor"))

    def _factors(self, plain: Floats, word: str = "factors") -> Floats:
        factors: Floats = np.array(self.scaling[word], np.float32)
        return plain / factors

    def _longrope(self, plain: Floats) -> Floats:
        return self._factors(plain, "long_factor" if self.context > self._number(ORIGINAL) else "short_factor")

    def _llama3(self, plain: Floats) -> Floats:
        low, high = self._number("low_freq_factor"), self._number("high_freq_factor")
        turns = self._number(ORIGINAL) * plain.astype(np.float64) / (2 * np.pi)  # over the original context
        kept = np.clip((turns - low) / (high - low), 0, 1)
        return plain * (kept + (1 - kept) / self._number("factor")).astype(np.float32)

    def _yarn(self, plain: Floats) -> Floats:
        """Divides pairs with fewer than beta_slow turns over the original context, and keeps those beyond beta_fast."""
        fast, slow = self._pair("beta_fast", _BETA_FAST), self._pair("beta_slow", _BETA_SLOW)
        if self.scaling.get("truncate", True):
            fast, slow = floor(fast), ceil(slow)
        first, last = max(fast, 0), min(slow, self.columns - 1)
        last += 0.001 if first == last else 0
        divided = np.clip((np.arange(self.columns // 2, dtype=np.float32) - first) / (last - first), 0, 1)
        divided = divided.astype(np.float32)
        blended: Floats = plain / np.float32(self._number("factor")) * divided + plain * (1 - divided)
        return blended

    def _pair(self, word: str, default: float) -> float:
        """The number of the pair that makes as many turns over the original context as a word says."""
        turns = self._number(word, default)
        return self.columns * log(self._number(ORIGINAL) / (turns * 2 * pi)) / (2 * log(self.theta))

    def _number(self, word: str, default: float | None = None) -> float:
        return float(str(self.scaling[word] if default is None else self.scaling.get(word, default)))


def _mscale(factor: float, scale: float) -> float:
    return 1.0 if factor <= 1 else 0.1 * scale * log(factor) + 1
