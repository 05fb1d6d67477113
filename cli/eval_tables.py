"""What `fourcc eval` shows: tables, the JSON object, and gates that do not hold."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.cli import documents, tables, terminal
from fourcc.cli.tables import Column

if TYPE_CHECKING:
    from fourcc.models.evaluate import Interval, Scores

LOSS = (
    Column("model"),
    Column("tokens", right=True),
    Column("nats/token", right=True),
    Column("perplexity", right=True),
)
AGAINST = (
    Column("ppl ratio", right=True),
    Column("KLD mean", right=True),
    Column("median", right=True),
    Column("99 %", right=True),
    Column("max", right=True),
    Column("top-1", right=True),
)


@attrs.frozen
class Measured:
    """The result of a run.

    Attributes:
        text: the text's file.
        protocol: how it was cut, in words.
        labels: of the models.
        scores: of each.
        own: those of the reference; None where there is none.
        floor: of the KL divergence, below which nothing is measured.
    """

    text: Path
    protocol: str
    labels: list[str]
    scores: list[Scores]
    own: Scores | None
    floor: float | None

    def failures(self, gates: dict[str, float | None]) -> list[str]:
        """What does not keep to a gate, in words."""
        if self.own is None:
            return []
        failed = []
        for label, each in zip(self.labels, self.scores, strict=True):
            found = {
                "max_kld": each.divergence.mean,
                "max_ppl_ratio": each.ratio(self.own).mean,
                "min_top1": each.agreement.mean,
            }
            for name, gate in gates.items():
                if gate is not None and (found[name] < gate if name.startswith("min") else found[name] > gate):
                    failed.append(f"{label}: --{name.replace('_', '-')}: found {found[name]:.6g}, expected {gate:g}")
        return failed

    def show(self) -> None:
        """Writes the tables to stdout."""
        rows = [self._row(label, each) for label, each in zip(self.labels, self.scores, strict=True)]
        if self.own is not None:
            rows.append(["reference", *_loss(self.own), *[""] * len(AGAINST)])
        tables.show(LOSS if self.own is None else (*LOSS, *AGAINST), rows)
        terminal.out("")
        terminal.out(f"{self.protocol}; text SHA-256 {self._digest()[:16]}")
        if self.floor is not None:
            terminal.out(f"noise floor of the KLD: {self.floor:.2g} nats")

    def _row(self, label: str, scores: Scores) -> list[str]:
        return [label, *_loss(scores), *([] if self.own is None else _against(scores, self.own))]

    def _digest(self) -> str:
        return hashlib.sha256(self.text.read_bytes()).hexdigest()

    def document(self) -> dict[str, object]:
        """The JSON object."""
        models = [
            {"model": label, **_measures(each, self.own)} for label, each in zip(self.labels, self.scores, strict=True)
        ]
        return {
            "text": {"file": str(self.text), "sha256": self._digest()},
            "protocol": self.protocol,
            "tokens": self.scores[0].tokens,
            "noise_floor": self.floor,
            "models": models,
            "reference": None if self.own is None else _measures(self.own, None),
        }


def _loss(scores: Scores) -> list[str]:
    loss = scores.loss
    half = (loss.high - loss.low) / 2
    return [str(scores.tokens), f"{loss.mean:.4f} ± {half:.4f}", f"{scores.perplexity.mean:.4f}"]


def _against(scores: Scores, own: Scores) -> list[str]:
    ratio, divergence = scores.ratio(own), scores.divergence
    spread = (divergence.high - divergence.low) / 2
    return [
        f"{ratio.mean:.5f}",
        f"{divergence.mean:.3g} ± {spread:.1g}",
        *(f"{scores.quantile(share):.3g}" for share in (0.5, 0.99, 1)),
        f"{100 * scores.agreement.mean:.2f} %",
    ]


def _measures(scores: Scores, own: Scores | None) -> dict[str, object]:
    found: dict[str, object] = {"loss": _interval(scores.loss), "perplexity": _interval(scores.perplexity)}
    if own is not None:
        shares = {"median": 0.5, "99": 0.99, "max": 1.0}
        found["perplexity_ratio"] = _interval(scores.ratio(own))
        found["kl_divergence"] = {
            **_interval(scores.divergence),
            **{name: documents.number(scores.quantile(share)) for name, share in shares.items()},
        }
        found["top1_agreement"] = _interval(scores.agreement)
    return found


def _interval(value: Interval) -> dict[str, float | None]:
    return {name: documents.number(getattr(value, name)) for name in ("mean", "low", "high")}
