"""Kinds of scaling of a rotation, and the hyper-parameters that each of them uses.

A rotation turns pair i of a head by theta^(-2 i / n) from one position to the next. Models that were trained on longer
texts than at first scale these turns; `fourcc.models.rotation` has the formulas.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log, sqrt

import attrs

from fourcc.networks.hyper import Hyper, Key, flag, number, numbers, text
from fourcc.networks.network import Refusal, wrong

SCALING = "rope_scaling."
ORIGINAL = "original_max_position_embeddings"
_LEAST = 1e-9  # from here on the turns of 2^31 positions are finite in float32


@attrs.frozen
class Scaling:
    """A kind of scaling.

    Attributes:
        needed: words of the hyper-parameters that it cannot do without.
        optional: of those that it may have.
    """

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """All that it heeds."""
        return (*self.needed, *self.optional)


_YARN = ("attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate")
SCALINGS: dict[str, Scaling] = {
    "default": Scaling(),
    "linear": Scaling(("factor",)),
    "dynamic": Scaling(("factor",)),
    "llama3": Scaling(("factor", "low_freq_factor", "high_freq_factor", ORIGINAL)),
    "yarn": Scaling(("factor", ORIGINAL), _YARN),
    "longrope": Scaling(("short_factor", "long_factor", ORIGINAL), ("factor", "attention_factor")),
    "factors": Scaling(("factors",)),
}
SCALING_KEYS: dict[str, Key] = {
    f"{SCALING}type": text(*SCALINGS),
    **{f"{SCALING}{word}": number(_LEAST) for word in ("factor", "low_freq_factor", "high_freq_factor")},
    f"{SCALING}{ORIGINAL}": number(1),
    **{f"{SCALING}{word}": number(_LEAST) for word in ("attention_factor", "beta_fast", "beta_slow")},
    **{f"{SCALING}{word}": number(0) for word in ("mscale", "mscale_all_dim")},
    f"{SCALING}truncate": flag(),
    **{f"{SCALING}{word}": numbers(_LEAST) for word in ("factors", "short_factor", "long_factor")},
}
_LISTS = ("factors", "short_factor", "long_factor")


def scaling_of(hyper: Hyper) -> dict[str, object]:
    """The scaling's hyper-parameters by their words; empty: the rotation is not scaled."""
    return {name.removeprefix(SCALING): value for name, value in hyper.items() if name.startswith(SCALING)}


def refused_scaling(hyper: Hyper, turned: int) -> Iterator[Refusal]:
    """Refusals of a scaling: words that it lacks or does not heed, and impossible values.

    Args:
        hyper: all hyper-parameters, each valid by itself.
        turned: columns of a head that turn.
    """
    said = scaling_of(hyper)
    kind = said.get("type", None if said else "default")
    if kind not in SCALINGS:  # an unknown type is refused by its own key
        if kind is None:
            yield Refusal(f"its hyper-parameter {SCALING}type is missing", expected=", ".join(SCALINGS))
        return
    lacking = [word for word in SCALINGS[str(kind)].needed if word not in said]
    for word in lacking:
        yield Refusal(f"its hyper-parameter {SCALING}{word} is missing", expected=f"it, for rope scaling {kind!r}")
    if not lacking:
        yield from _impossible(str(kind), said, turned)


def _impossible(kind: str, said: dict[str, object], turned: int) -> Iterator[Refusal]:
    """Refusals of a known kind's values that contradict each other, and of words that it does not heed."""
    for word in [word for word in _LISTS if word in SCALINGS[kind].words and word in said]:
        listed = said[word]
        assert isinstance(listed, (list, tuple))
        if len(listed) != turned // 2:
            yield wrong(f"{SCALING}{word}", f"{len(listed)} factors", f"{turned // 2}, one a pair")
    low, high = (said.get(f"{end}_freq_factor") for end in ("low", "high"))
    if kind == "llama3" and not float(str(low)) < float(str(high)):
        yield wrong(f"{SCALING}high_freq_factor", high, f"more than low_freq_factor {low}")
    strange = [word for word in said if word != "type" and word not in SCALINGS[kind].words]
    for word in strange:
        yield Refusal(f"its hyper-parameter {SCALING}{word}", expected=f"none, for rope scaling {kind!r}", unknown=True)


def magnitude(factor: float, scale: float = 1.0) -> float:
    """YaRN's factor of rotated queries and keys, for a context that is stretched by a factor."""
    return 1.0 if factor <= 1 else 0.1 * scale * log(factor) + 1


def usual_magnitude(kind: str, factor: float, original: float) -> float:
    """The factor of rotated queries and keys in a kind of scaling, where nothing states it.

    Args:
        kind: of the scaling.
        factor: by which it stretches the context.
        original: the context of the first training.
    """
    if factor <= 1 or kind not in ("yarn", "longrope"):
        return 1.0
    return magnitude(factor) if kind == "yarn" else sqrt(1 + log(factor) / log(original))
