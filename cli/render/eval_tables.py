"""The output of `fourcc eval`: tables, the JSON object, and the gates that do not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.cli.render import json_documents, tables, terminal
from fourcc.cli.render.tables import Column

if TYPE_CHECKING:
    from fourcc.models.evaluation import Evaluation
    from fourcc.models.intervals import Interval
    from fourcc.models.scoring import Scores

LOSS = (
    Column("model"),
    Column("tokens", right=True),
    Column("nats/token", right=True),
    Column("perplexity", right=True),
)
WITH_REFERENCE = (
    *LOSS,
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
        digest: SHA-256 of the text that was read, in hexadecimal digits.
        labels: the models' names in the tables.
        evaluations: of the models, as they run.
        exact: of the models, with activations that nothing rounds; None where that was not asked for.
    """

    text: Path
    digest: str
    labels: list[str]
    evaluations: list[Evaluation]
    exact: list[Evaluation] | None = None

    @property
    def own(self) -> Scores | None:
        """The reference's own measures; None without a reference."""
        return self.evaluations[0].reference

    def failures(self, gates: dict[str, float | None]) -> list[str]:
        """Every gate that does not hold, in words. A gate is compared with the mean of the model as it runs."""
        failed = []
        for label, each in zip(self.labels, self.evaluations, strict=True):
            held = {"max_kld": each.divergence, "max_ppl_ratio": each.ratio, "min_top1": each.agreement}
            for name, gate in gates.items():
                value = held[name]
                if gate is None or value is None:
                    continue
                if value.mean < gate if name.startswith("min") else value.mean > gate:
                    failed.append(f"{label}: --{name.replace('_', '-')}: found {value.mean:.6g}, expected {gate:g}")
        return failed

    def show(self) -> None:
        """Writes the tables to stdout."""
        rows = [_row(label, each) for label, each in self._labelled()]
        if self.own is not None:
            rows.append(["reference", *_loss(self.own), *[""] * (len(WITH_REFERENCE) - len(LOSS))])
        tables.show(LOSS if self.own is None else WITH_REFERENCE, rows)
        terminal.out("")
        for line in self._notes():
            tables.paragraph(line)

    def _labelled(self) -> Iterator[tuple[str, Evaluation]]:
        """The rows of the table. A model whose activations are never rounded has one row, any other may have two."""
        for number, (label, each) in enumerate(zip(self.labels, self.evaluations, strict=True)):
            yield label, each
            if self.exact is not None and not each.exact:
                yield f"{label}, exact", self.exact[number]

    def _notes(self) -> Iterator[str]:
        """The protocol, each line once, for all models or for the models that it applies to."""
        yield f"text SHA-256 {self.digest[:16]}"
        yield from self._said(lambda each: str(each.text))
        yield from self._said(lambda each: str(each.scores.blocks))
        yield from self._said(_padding)
        yield from self._said(lambda each: "" if each.range_use is None else str(each.range_use))
        if self.own is None and len({each.text.windows for each in self.evaluations}) > 1:
            yield "the models have different tokens: nats/token and perplexity are not of the same things"
        if self.exact is not None:
            yield from self._said(_rounding)
        floor = self.evaluations[0].noise_floor
        if floor is not None:
            yield f"reference with activations as floats; noise floor of the KLD: {floor:.2g} nats"

    def _said(self, of: Callable[[Evaluation], str]) -> Iterator[str]:
        lines = [of(each) for each in self.evaluations]
        for line in dict.fromkeys(filter(None, lines)):
            which = [label for label, each in zip(self.labels, lines, strict=True) if each == line]
            yield line if len(which) == len(lines) else f"{', '.join(which)}: {line}"

    def document(self) -> dict[str, object]:
        """The JSON object."""
        models = []
        for number, (label, each) in enumerate(zip(self.labels, self.evaluations, strict=True)):
            exact = None if self.exact is None else _measures(self.exact[number].scores, self.own)
            models.append({"model": label, **_how(each), **_measures(each.scores, self.own), "exact": exact})
        return {
            "text": {"file": str(self.text), "sha256": self.digest},
            "noise_floor": self.evaluations[0].noise_floor,
            "models": models,
            "reference": None if self.own is None else _measures(self.own, None),
        }


def _padding(evaluation: Evaluation) -> str:
    if evaluation.padding == 1:
        return "1 row of the vocabulary that is no token is left out"
    return f"{evaluation.padding} rows of the vocabulary that are no tokens are left out" if evaluation.padding else ""


def _rounding(evaluation: Evaluation) -> str:
    return "rounds no activations: exact as it runs" if evaluation.exact else "'exact' is with activations as floats"


def _row(label: str, evaluation: Evaluation) -> list[str]:
    against = [] if evaluation.reference is None else _against(evaluation.scores, evaluation.reference)
    return [label, *_loss(evaluation.scores), *against]


def _loss(scores: Scores) -> list[str]:
    loss = scores.loss
    return [str(scores.tokens), f"{loss.mean:.4f} ± {_half(loss, '.4f')}", f"{scores.perplexity.mean:.4f}"]


def _half(value: Interval, digits: str) -> str:
    return "-" if value.half is None else format(value.half, digits)


def _against(scores: Scores, own: Scores) -> list[str]:
    ratio, divergence = scores.ratio(own), scores.divergence
    return [
        f"{ratio.mean:.5f}",
        f"{divergence.mean:.3g} ± {_half(divergence, '.1g')}",
        *(f"{scores.quantile(share):.3g}" for share in (0.5, 0.99, 1)),
        f"{100 * scores.agreement.mean:.2f} %",
    ]


def _how(evaluation: Evaluation) -> dict[str, object]:
    """The protocol as JSON values."""
    protocol, blocks = evaluation.text.protocol, evaluation.scores.blocks
    kind = "documents" if protocol.documents else "overlapping" if protocol.stride else "disjoint"
    return {
        "tokens": evaluation.tokens,
        "protocol": {
            "text": str(evaluation.text),
            "windows": kind,
            "count": len(evaluation.text.windows),
            "context": protocol.context,
            "stride": protocol.stride,
            "bos": evaluation.text.bos is not None,
            "text_tokens": evaluation.text.tokens,
        },
        "intervals": {
            "text": str(blocks),
            "blocks": len(blocks.starts),
            "shortest": blocks.shortest,
            "enough": blocks.enough,
        },
        "vocabulary": evaluation.vocabulary,
        "padding": evaluation.padding,
        "exact_as_run": evaluation.exact,
        "matrices_with_ranges": None if evaluation.range_use is None else evaluation.range_use.used,
    }


def _measures(scores: Scores, own: Scores | None) -> dict[str, object]:
    document: dict[str, object] = {"loss": _interval(scores.loss), "perplexity": _interval(scores.perplexity)}
    if own is not None:
        shares = {"median": 0.5, "99": 0.99, "max": 1.0}
        document["perplexity_ratio"] = _interval(scores.ratio(own))
        document["kl_divergence"] = {
            **_interval(scores.divergence),
            **{name: json_documents.number(scores.quantile(share)) for name, share in shares.items()},
        }
        document["top1_agreement"] = _interval(scores.agreement)
    return document


def _interval(value: Interval) -> dict[str, float | None]:
    bounds = {name: getattr(value, name) for name in ("mean", "low", "high")}
    return {name: None if bound is None else json_documents.number(bound) for name, bound in bounds.items()}
