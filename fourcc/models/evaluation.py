"""Measures models on a text, for `fourcc eval` and `fourcc.evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from fourcc.errors import InputError, UsageError
from fourcc.execution import Execution
from fourcc.models.architecture import Architecture
from fourcc.models.model import ActivationMode, Model
from fourcc.models.opening import open_to_run
from fourcc.models.same_tokens import check_same_tokens
from fourcc.models.scored_models import EvaluatedModel, scored_elsewhere, scored_here
from fourcc.models.scoring import Scores
from fourcc.models.text_files import read_text
from fourcc.models.tokenizers import in_use
from fourcc.models.windows import Cut, Protocol, cut
from fourcc.progress import counter
from fourcc.records import Records

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from fourcc.models.intervals import Interval
    from fourcc.models.transformer import RangeUse

WORDS = {  # for people
    "loss": "loss, nats a token",
    "perplexity": "perplexity",
    "divergence": "KL divergence from the reference, nats a token",
    "agreement": "top-1 agreement",
    "ratio": "perplexity by the reference's",
}
_NAME = 255  # characters of a file's name


@attrs.frozen(repr=False)
class Evaluation(Records):
    """The measures of a model on a text.

    Attributes:
        text: the text as it was cut for the model.
        scores: the model's scores, token by token.
        vocabulary: number of tokens that have a probability.
        padding: rows of the model's vocabulary that are no tokens, and are left out.
        exact: whether every product took activations as floats.
        range_use: how many matrices used static ranges; None where none was to.
        reference: scores of the reference; None where there is none.
        noise_floor: a smaller KL divergence means nothing; None without a reference.
    """

    text: Cut
    scores: Scores
    vocabulary: int
    padding: int
    exact: bool
    range_use: RangeUse | None = None
    reference: Scores | None = None
    noise_floor: float | None = None

    @property
    def protocol(self) -> Protocol:
        """The protocol by which the text was cut."""
        return self.text.protocol

    @property
    def tokens(self) -> int:
        """Number of scored tokens."""
        return self.scores.tokens

    @property
    def loss(self) -> Interval:
        """Mean negative log likelihood, in nats a token."""
        return self.scores.loss

    @property
    def perplexity(self) -> Interval:
        """The exponential of the loss."""
        return self.scores.perplexity

    @property
    def divergence(self) -> Interval | None:
        """Mean KL divergence from the reference, in nats; None where there is none."""
        return None if self.reference is None else self.scores.divergence

    @property
    def agreement(self) -> Interval | None:
        """Share of tokens whose likeliest token is the reference's; None where there is none."""
        return None if self.reference is None else self.scores.agreement

    @property
    def ratio(self) -> Interval | None:
        """Perplexity divided by the reference's; None where there is none."""
        return None if self.reference is None else self.scores.ratio(self.reference)

    def records(self) -> list[dict[str, Any]]:
        """The measures, as one record, so that the records of several evaluations are one table.

        Returns:
            A single dict: ``tokens``, ``context``, ``exact``; and ``loss``, ``perplexity``, ``divergence`` (KL
            divergence from the reference in nats a token), ``agreement`` (top-1, 0 to 1), ``ratio`` (of perplexities),
            each with ``_low`` and ``_high``, the ends of its 95 % interval; ``noise_floor``. None where there is no
            reference, or too little text for an interval.
        """
        record: dict[str, Any] = {"tokens": self.tokens, "context": self.protocol.context, "exact": self.exact}
        for name, interval in self.measures.items():
            for end, attribute in (("", "mean"), ("_low", "low"), ("_high", "high")):
                record[name + end] = None if interval is None else getattr(interval, attribute)
        return [{**record, "noise_floor": self.noise_floor}]

    @property
    def measures(self) -> dict[str, Interval | None]:
        """All measures by their names; None: there is no reference."""
        return {name: getattr(self, name) for name in ("loss", "perplexity", "divergence", "agreement", "ratio")}

    def _repr_html_(self) -> str:
        """HTML for notebooks: a row for each measure."""
        from fourcc.drawing import notebook

        rows = [
            {"measure": WORDS[name], "mean": interval.mean, "low": interval.low, "high": interval.high}
            for name, interval in self.measures.items()
            if interval is not None
        ]
        caption = f"Evaluation on {self.tokens} tokens, with 95 % intervals"
        return notebook.output(notebook.short_table(rows, caption=caption))

    def __repr__(self) -> str:
        text = f"<Evaluation of {self.tokens} tokens: perplexity {self.perplexity}"
        if self.reference is not None:
            text += f", ratio {self.ratio}, KL divergence {self.divergence}, top-1 agreement {self.agreement}"
        return f"{text}>"


def evaluate(  # noqa: PLR0913 - keyword-only, one an option of the command
    model: Model | str | Path,
    text: str | Path,
    *,
    reference: Model | str | Path | None = None,
    context: int = 0,
    stride: int = 0,
    documents: bool = False,
    tokens: int = 0,
    activations: ActivationMode = "dynamic",
    tokenizer: str | Path | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Evaluation:
    """Perplexity of a model on a text, and its distance from a reference, which runs in lock step.

    The reference keeps its activations as floats, so that its kernels' rounding is not counted against the model.

    Args:
        model: an opened model, or a file: a model.bin, or a checkpoint.
        text: the text, or as a `Path` the file that holds it, UTF-8.
        reference: the model to compare with, opened or a file.
        context: tokens of a window; 0: as many as the models can read.
        stride: new tokens of each window after the first; 0: windows do not overlap.
        documents: whether empty lines separate documents, each of which is read by itself.
        tokens: tokens to score at most; 0: all.
        activations: how the model's products take activations, see `Model.network`; ``exact`` measures the cost of
            the weights alone.
        tokenizer: the tokenizer for files, in place of their own; an opened model keeps its own.
        threads: number of threads.
        executor: scores windows, such as a `concurrent.futures.ProcessPoolExecutor`, or that of a dask client
            (``Client.get_executor(pure=False)``), `threads` on each, by default one; it opens the models again by their
            paths. None: threads of this process. The numbers do not depend on it.

    Raises:
        UsageError: a model cannot be run, it and the reference have different tokens, or no token can be scored.
        InputError: a file is damaged, changed before the end, or gives numbers that are not finite.
    """
    with ExitStack() as stack:
        opened = [
            each if isinstance(each, Model) else open_to_run(each, stack, tokenizer=tokenizer)[0]
            for each in ([model] if reference is None else [model, reference])
        ]
        for each in opened:
            stack.enter_context(each.unchanged())
        protocol = Protocol(common_context(opened, context), stride, documents, tokens)
        _refuse_name(text)
        told = read_text(text) if isinstance(text, Path) else text
        how = Execution(threads=threads, executor=executor)
        against = opened[1] if opened[1:] else None
        return measure([EvaluatedModel(opened[0], activations)], told, protocol, against, how)[0]


def _refuse_name(text: str | Path) -> None:
    """Raises UsageError where a text is the name of a file: its few letters would be measured instead."""
    if isinstance(text, str) and len(text) <= _NAME and "\n" not in text and "\0" not in text and Path(text).is_file():
        raise UsageError("the text is the name of a file", found=repr(text), hint="Give the file as a pathlib.Path.")


def common_context(models: Sequence[Model], wanted: int = 0) -> int:
    """The longest context that all models have room for, or the wanted one.

    Raises:
        UsageError: a model cannot be run, or has no room for so many tokens.
    """
    limits = [architecture_of(model).seq_len for model in models]
    for model, limit in zip(models, limits, strict=True):
        if wanted > limit:
            expected = f"at most {limit}, the model's context"
            raise UsageError("a window cannot be so long", file=model.path, found=wanted, expected=expected)
    return wanted or min(limits)


def architecture_of(model: Model) -> Architecture:
    """The sizes of a model. Raises UsageError where it cannot be run."""
    return Architecture.of(model.index.architecture, model.index.hyper, model.path)


def measure(
    evaluated: Sequence[EvaluatedModel],
    text: str,
    protocol: Protocol,
    reference: Model | None = None,
    how: Execution | None = None,
) -> list[Evaluation]:
    """The evaluation of each model, in order.

    Args:
        evaluated: the models; with a reference, all have its tokens.
        text: the text, which is cut for each model by its own tokenizer.
        protocol: how it is cut.
        reference: the model to compare with; None: there is none.
        how: on how many threads, or whose executor, which opens the models again by their paths; whose progress is
            told after each window.

    Raises:
        UsageError: as `evaluate`.
        InputError: as `evaluate`.
    """
    how = how or Execution()
    models = list({id(each.model): each.model for each in evaluated}.values())
    texts = {id(model): _cut(model, text, protocol) for model in [*models, *([] if reference is None else [reference])]}
    if reference is not None:
        for model in models:
            check_same_tokens((model, texts[id(model)]), (reference, texts[id(reference)]))
    groups = [[model] for model in models] if reference is None else [models]
    report = partial(counter(sum(texts[id(group[0])].scored for group in groups), how.progress), "")
    evaluations: dict[tuple[int, ActivationMode], Evaluation] = {}
    for group in groups:
        chosen = [each for each in evaluated if any(each.model is model for model in group)]
        evaluations |= _measured(chosen, texts[id(group[0])], reference, how, report)
    return [evaluations[id(each.model), each.activations] for each in evaluated]


def _cut(model: Model, text: str, protocol: Protocol) -> Cut:
    """The text as it is cut for a model. Raises InputError where its tokenizer gives a token that the model lacks."""
    windows, rows = cut(text, model.tokenizer, protocol), architecture_of(model).vocab_size
    highest = max(max(window.tokens) for window in windows.windows)
    if highest >= rows:
        what = "the tokenizer has a token that the model lacks"
        raise InputError(what, file=model.path, found=highest, expected=f"0 to {rows - 1}")
    return windows


def _measured(
    evaluated: Sequence[EvaluatedModel],
    text: Cut,
    reference: Model | None,
    how: Execution,
    report: Callable[[int], None],
) -> dict[tuple[int, ActivationMode], Evaluation]:
    """Evaluations of models that read the same tokens, in lock step."""
    rows = [architecture_of(each.model).vocab_size for each in evaluated]
    words = in_use(evaluated[0].model.tokenizer, min(rows))
    scored = scored_here if how.executor is None else scored_elsewhere
    (scores, theirs), facts = scored(evaluated, text, reference, words, how, report)
    return {
        (id(each.model), each.activations): Evaluation(
            text, mine, words, size - words, facts.exact[number], facts.range_use[number], theirs, facts.floor
        )
        for number, (each, mine, size) in enumerate(zip(evaluated, scores, rows, strict=True))
    }
