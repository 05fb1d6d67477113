"""The rows of SmolLM2-135M-Instruct, from its GGUF in Q4_1, decoded: a model that others trained, with rows of 576."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

import fourcc
from fourcc.sources import open_source
from fourcc.tiles import decoded_rows
from tests.lanes.calibration import common, texts
from tests.lanes.calibration.rows import Finding, Row
from tests.lanes.calibration.subject import Counts, Subject, uniform
from tests.lanes.calibration.turned import turned_rows

COUNTS = Counts(6_000, 400, 1_500)
OPTIONS = ("Q4_0", "IQ4N", "NF4", "Q4_Z", "Q5_0", "Q4_A:method=kmeans", "Q8_0")
TRIED = (*OPTIONS, "Q4_1", "Q5_1")
GROUP = "q+k+v,gate+up"
BUDGETS = (80_000_000, 92_000_000)  # bytes: 4.7 and 5.4 bits a weight
EXACT = 1e-6  # relative RMSE of a format whose grid has the original's weights on it
PROMPT = "The most important thing about cooking pasta is"
ANSWER = 80  # tokens


def subject(gguf: Path, data: Path, folder: Path) -> Subject:
    """The model, its texts and its options."""
    read = texts.prose(data, folder)
    return Subject("smollm2", gguf, None, read, COUNTS, folder, ",".join(OPTIONS), GROUP, decoded=True)


def rows(smollm: Subject) -> Iterator[Row]:
    """All rows, in the order of the tables."""
    yield from (_exact_row(smollm, option) for option in TRIED)
    yield from common.importance_rows(smollm, dict.fromkeys(("Q4_0", "IQ4N", "Q4_Z", "Q4_A:method=kmeans"), 1.0))
    yield from common.feedback_rows(smollm, {"Q4_0": 0.55, "IQ4N": 1.0}, by_plain=frozenset({"Q4_0"}))
    for budget in BUDGETS:
        yield common.prediction_row(smollm, budget, 0.1, own_text=True)
    yield common.prediction_row(smollm, BUDGETS[0], feedback="gptq", own_text=True)
    yield from (common.against_uniform(smollm, each) for each in ("Q4_0", "IQ4N", "Q5_0"))
    yield from (common.against_recipe(smollm, each, 1.0) for each in ("IQ4_XS", "Q4_K_M"))
    yield from (common.against_random(smollm, BUDGETS[1], seed) for seed in common.SEEDS)
    yield _codebooks_row(smollm)
    yield from turned_rows(smollm)


def _exact_row(smollm: Subject, option: str) -> Row:
    """Share of the matrices that a format gives back exactly, since its grid has the original's on it."""

    def find() -> Finding:
        tag = option.partition(":")[0]
        errors = dict(_errors(smollm.original, tag))
        exact = [name for name, error in errors.items() if error < EXACT]
        return Finding(len(exact) / len(errors), {"matrices": len(errors), "exact": len(exact)})

    table = f"{smollm.name}: formats whose grid has the original's weights on it are no options"
    return Row(f"{smollm.name}-exact-{common.named(option)}", table, f"{option}: share of exact matrices", None, find)


def _errors(path: Path, tag: str) -> Iterator[tuple[str, float]]:
    """The relative RMSE of the first 64 rows of each matrix that the format fits."""
    fmt = fourcc.registry[tag]
    with open_source(path) as source:
        for tensor in source.tensors:
            if len(tensor.shape) == 2 and fmt.misfit(tensor.shape) is None:
                w = decoded_rows(tensor, tensor.format, 0, 0, min(64, tensor.shape[0]))
                e = (fourcc.encode(w, tag).decode() - w).astype(np.float64)
                yield tensor.name, float(np.sqrt(np.square(e).sum() / np.square(w.astype(np.float64)).sum()))


def _codebooks_row(smollm: Subject) -> Row:
    """KL divergence of Q4_A with k-means by that with equal counts, and what each says."""

    def find() -> Finding:
        files: Mapping[str, Path] = {
            method: smollm.converted(f"plain-Q4_A-{method}", policy=uniform(f"Q4_A:method={method}"), importance=False)
            for method in ("kmeans", "equal-count")
        }
        finding = common.compared(smollm, files, by="equal-count")
        said = {f"{name} says": _answer(path) for name, path in {"original": smollm.original, **files}.items()}
        return Finding(finding.value, {**finding.figures, **said})

    what = f"k-means, KLD by equal counts; after {PROMPT!r}"
    return Row(f"{smollm.name}-codebooks", f"{smollm.name}: Q4_A", what, 1.0, find)


def _answer(path: Path) -> str:
    with fourcc.open(path) as model:
        assert isinstance(model, fourcc.Model)
        said = model.generate(PROMPT, steps=ANSWER)
    return repr(" ".join(said.split()).replace("|", "/"))
