"""The keys ``general.*`` of a GGUF file for a model that did not come from one, from the facts that its files state.

The label of the size is the number of weights as the ``gguf`` package writes it: two digits at least, and K, M, B, T.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

from fourcc.conversion.pipeline import Step
from fourcc.exporters.gguf_head import GGUFKey
from fourcc.sources.about import HUB, PREFIX, ModelFacts

_SIZES = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K"))


def about_keys(about: ModelFacts, steps: Iterable[Step]) -> Iterator[GGUFKey]:
    """The keys.

    Args:
        about: what is known of the model.
        steps: its tensors, whose weights are counted where the name does not tell the size.
    """
    texts = {"size_label": size_label(sum(prod(step.source.shape) for step in steps)), **about.texts}
    yield from (GGUFKey.of(PREFIX + name, value) for name, value in texts.items() if value)
    yield from _origins("base_model", about.base_models)
    yield from _origins("dataset", about.datasets)
    tags = dict.fromkeys([*about.tags, *([about.pipeline_tag] if about.pipeline_tag else [])])
    for name, values in (("tags", list(tags)), ("languages", list(about.languages))):
        if values:
            yield GGUFKey.of(PREFIX + name, values)


def size_label(weights: int) -> str:
    """A number of weights as people call a model's size; empty for none.

    >>> size_label(134_515_008), size_label(7_241_732_096), size_label(351_072)
    ('135M', '7.2B', '351K')
    """
    if not weights:
        return ""
    unit, letter = next((size for size in _SIZES if weights > size[0]), _SIZES[-1])
    digits = max(2 - len(str(round(weights / unit)).lstrip("0")), 0)
    return f"{weights / unit:.{digits}f}{letter}"


def _origins(word: str, origins: tuple[str, ...]) -> Iterator[GGUFKey]:
    """The keys for the models, or the sets of data, that a model was made of."""
    if origins:
        yield GGUFKey.of(f"{PREFIX}{word}.count", len(origins))
    for number, origin in enumerate(origins):
        on_hub = origin.removeprefix(HUB)
        organization, _, name = on_hub.rpartition("/") if "://" not in on_hub else ("", "", "")
        address = f"{HUB}{on_hub}" if organization else origin if "://" in origin else ""
        said = {"name": name.replace("-", " "), "organization": organization, "repo_url": address}
        yield from (GGUFKey.of(f"{PREFIX}{word}.{number}.{part}", text) for part, text in said.items() if text)
