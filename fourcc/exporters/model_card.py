"""The model card of a folder: ``README.md`` with front matter that the Hugging Face hub reads, and what was done.

Everything in it is derived from the tensors that are written, from errors that were measured while they were encoded,
and from the facts that came with the model (`fourcc.sources.about`). Nothing is claimed that nobody measured.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from math import prod

import attrs

from fourcc import __version__
from fourcc.container.index import ErrorRecord
from fourcc.conversion.pipeline import Step
from fourcc.exporters.layout import Errors
from fourcc.sources.about import ModelFacts

_PLAIN = re.compile(r"[A-Za-z][\w./-]*")  # texts that YAML takes as they are,
_MEANING = frozenset(
    {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
)  # but for those that mean something else


@attrs.frozen(eq=False)
class CardFacts:
    """The facts that a card tells beside the errors.

    Attributes:
        about: the model's own facts.
        steps: the tensors that are written.
        nbytes: step -> bytes of its tensors in the files.
        layout: the name of the layout that quantized matrices are in; None: all are plain numbers.
        policy: the text that gave the formats; empty: none did.
        measured: lines on the quality of the whole model, as it was measured.
        title: where the model has no name.
        load: lines of Python that load the model.
    """

    about: ModelFacts
    steps: tuple[Step, ...]
    nbytes: Mapping[str, int]
    layout: str | None
    policy: str
    measured: tuple[str, ...]
    title: str
    load: tuple[str, ...]


def model_card(facts: CardFacts, errors: Errors) -> bytes:
    """The card's bytes.

    Args:
        facts: what is known before anything is written.
        errors: of the tensors that were encoded, by name.
    """
    lines = [
        "---",
        *_front_matter(facts),
        "---",
        "",
        f"# {_title(facts)}",
        "",
        _summary(facts),
        "",
        *_table(facts, errors),
        "",
        *_quality(facts, errors),
        *_policy(facts),
        *_use(facts),
    ]
    return ("\n".join(lines).rstrip() + "\n").encode()


def _front_matter(facts: CardFacts) -> Iterator[str]:
    about = facts.about
    quantized = ["quantized", facts.layout] if facts.layout else []
    bases = [about.identity] if about.identity else about.base_models
    fields: dict[str, str | Sequence[str] | None] = {
        "license": about.license,
        "license_name": about.license_name,
        "license_link": about.license_link,
        "language": about.languages,
        "library_name": "transformers",
        "pipeline_tag": about.pipeline_tag,
        "base_model": bases,
        "base_model_relation": "quantized" if about.identity and quantized else None,
        "datasets": about.datasets,
        "tags": list(dict.fromkeys([*about.tags, *quantized, "fourcc"])),
    }
    for key, value in fields.items():
        if isinstance(value, str):
            yield f"{key}: {_yaml(value)}"
        elif value:
            yield from (f"{key}:", *(f"- {_yaml(item)}" for item in value))


def _yaml(text: str) -> str:
    """A text as a scalar of YAML: as it is where it cannot be taken for anything else."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _MEANING else json.dumps(text, ensure_ascii=False)


def _title(facts: CardFacts) -> str:
    about = facts.about
    name = about.identity.partition("/")[2] if about.identity else about.name or facts.title
    return " ".join(f"{name}, quantized".split()) if facts.layout else " ".join(name.split())


def _summary(facts: CardFacts) -> str:
    weights = sum(prod(step.source.shape) for step in facts.steps)
    bits = f"{8 * sum(facts.nbytes.values()) / max(1, weights):.4g} bits a weight"
    held = f" Quantized matrices are in the layout of {facts.layout}." if facts.layout else ""
    return f"{weights} weights, {bits}, written by fourcc {__version__}.{held}"


def _table(facts: CardFacts, errors: Errors) -> Iterator[str]:
    """A row for each format: its share of the weights, and the worst error of a tensor where errors are known."""
    yield "| format | tensors | weights | bits a weight | least SQNR (dB) | largest relative RMSE |"
    yield "|---|--:|--:|--:|--:|--:|"
    groups: dict[str, list[Step]] = {}
    for step in facts.steps:
        groups.setdefault(str(step.decision.tag), []).append(step)
    sizes = {tag: sum(facts.nbytes[step.source.name] for step in some) for tag, some in groups.items()}
    for tag in sorted(groups, key=lambda tag: -sizes[tag]):
        weights = sum(prod(step.source.shape) for step in groups[tag])
        known = [error for step in groups[tag] if (error := _error(step, errors)) is not None]
        bits = 8 * sizes[tag] / max(1, weights)
        yield f"| {tag} | {len(groups[tag])} | {weights} | {bits:.4g} | {' | '.join(_worst(known))} |"


def _error(step: Step, errors: Mapping[str, ErrorRecord]) -> ErrorRecord | None:
    """The error of a tensor: measured now, or when its model.bin was made."""
    record = step.source.record
    return errors.get(step.source.name) or (record.error if record is not None and step.decision.keep else None)


def _worst(errors: Sequence[ErrorRecord]) -> tuple[str, str]:
    levels = [error.sqnr_db for error in errors if error.sqnr_db is not None]
    shares = [error.relative_rmse for error in errors if error.relative_rmse is not None]
    return f"{min(levels):.1f}" if levels else "-", f"{max(shares):.3g}" if shares else "-"


def _quality(facts: CardFacts, errors: Errors) -> Iterator[str]:
    if any(_error(step, errors) is not None for step in facts.steps):
        yield "Errors are those of the weights, against the numbers that they were encoded from."
        yield ""
    if facts.measured:
        yield from ("## Measured", "", *facts.measured, "")


def _policy(facts: CardFacts) -> Iterator[str]:
    if facts.policy:
        yield from ("## Policy", "", "```toml", facts.policy.rstrip(), "```", "")


def _use(facts: CardFacts) -> Iterator[str]:
    """How to load it; the computing dtype decides whether scales are rounded."""
    yield from ("## Use", "", "```python", *facts.load, "```", "")
    if facts.layout:
        yield (
            "With `dtype=torch.float32` the weights are those of the files, exactly; in 16 bits a loader rounds scales "
            "and products to that type."
        )
