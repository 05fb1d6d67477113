"""Measuring models on a text: what `fourcc eval` and `fourcc.evaluate` do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import InputError, UsageError
from fourcc.models import scoring
from fourcc.models.architecture import Architecture
from fourcc.models.model import Model
from fourcc.models.opening import open_to_run
from fourcc.models.same_tokens import check_same_tokens
from fourcc.models.scoring import Runner, Scores
from fourcc.models.tokenizers import in_use
from fourcc.models.windows import Cut, Protocol, cut

if TYPE_CHECKING:
    from fourcc.models.intervals import Interval
    from fourcc.models.llama import Llama

Progress = Callable[[str, int, int], None]  # ("", tokens done, all tokens)


@attrs.frozen
class Subject:
    """What is measured.

    Attributes:
        model: opened.
        exact: whether its products keep activations as floats, whatever their kernels want.
    """

    model: Model
    exact: bool = False


@attrs.frozen(repr=False)
class Evaluation:
    """A model, measured on a text.

    Attributes:
        text: as it was cut for the model.
        scores: of the model, token by token.
        vocabulary: tokens that probabilities are of.
        padding: rows of the model's vocabulary that are no tokens, and are left out.
        exact: whether every product took activations as floats.
        reference: of what it was compared with; None where there is nothing.
        noise_floor: of the KL divergence, below which nothing is measured; None likewise.
    """

    text: Cut
    scores: Scores
    vocabulary: int
    padding: int
    exact: bool
    reference: Scores | None = None
    noise_floor: float | None = None

    @property
    def protocol(self) -> Protocol:
        """How the text was to be cut."""
        return self.text.protocol

    @property
    def tokens(self) -> int:
        """How many were scored."""
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
        """Share of tokens where the likeliest is the reference's; None where there is none."""
        return None if self.reference is None else self.scores.agreement

    @property
    def ratio(self) -> Interval | None:
        """Perplexity by the reference's; None where there is none."""
        return None if self.reference is None else self.scores.ratio(self.reference)

    def __repr__(self) -> str:
        found = f"<Evaluation of {self.tokens} tokens: perplexity {self.perplexity}"
        if self.reference is not None:
            found += f", ratio {self.ratio}, KL divergence {self.divergence}, top-1 agreement {self.agreement}"
        return f"{found}>"


def evaluate(  # noqa: PLR0913 - keyword-only, one an option of the command
    model: Model | str | Path,
    text: str | Path,
    *,
    reference: Model | str | Path | None = None,
    context: int = 0,
    stride: int = 0,
    documents: bool = False,
    tokens: int = 0,
    exact: bool = False,
    tokenizer: str | Path | None = None,
    threads: int | None = None,
) -> Evaluation:
    """Perplexity of a model on a text, and how far it is from a reference, which runs in lock step.

    The reference keeps its activations as floats, so that its kernels' rounding is not counted against the model.

    Args:
        model: opened, or a file: a model.bin, or a checkpoint.
        text: itself, or as a `Path` the file that holds it, UTF-8.
        reference: what the model is compared with, likewise.
        context: tokens of a window; 0: as many as the models can read.
        stride: new tokens of each window after the first; 0: windows do not overlap.
        documents: whether empty lines part documents, each of which is read by itself.
        tokens: to score at most; 0: all.
        exact: keep the model's activations as floats, too, where its kernels would round them: what the weights alone
            cost.
        tokenizer: to be used in place of what files bring; what is open already keeps its own.
        threads: how many.

    Raises:
        UsageError: a model cannot be run, it and the reference have other tokens, or the text has no token to score.
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
        told = read_text(text) if isinstance(text, Path) else text
        return measure([Subject(opened[0], exact)], told, protocol, opened[1] if opened[1:] else None, threads)[0]


def common_context(models: Sequence[Model], wanted: int = 0) -> int:
    """The longest context that all models have room for, or the one that is wanted.

    Raises:
        UsageError: a model cannot be run, or has no room for so many tokens.
    """
    limits = [_architecture(model).seq_len for model in models]
    for model, limit in zip(models, limits, strict=True):
        if wanted > limit:
            expected = f"at most {limit}, the model's context"
            raise UsageError("windows of so many tokens", file=model.path, found=wanted, expected=expected)
    return wanted or min(limits)


def _architecture(model: Model) -> Architecture:
    return Architecture.of(model.index.architecture, model.index.hyper, model.path)


def read_text(path: Path) -> str:
    """The text in a file. Raises UsageError where it is not UTF-8, OSError where it cannot be read."""
    return as_text(path.read_bytes(), path)


def as_text(data: bytes, path: Path) -> str:
    """The text in the bytes of a file; each kind of line end becomes a line feed. Raises UsageError: not UTF-8."""
    try:
        return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        found = f"byte 0x{data[error.start]:02x}"
        raise UsageError("the text is not UTF-8", file=path, offset=error.start, found=found) from error


def measure(
    subjects: Sequence[Subject],
    text: str,
    protocol: Protocol,
    reference: Model | None = None,
    threads: int | None = None,
    progress: Progress = lambda *_: None,
) -> list[Evaluation]:
    """What was measured of each subject.

    Args:
        subjects: which; with a reference, all have its tokens.
        text: what they are measured on, cut for each model by its own tokenizer.
        protocol: how it is cut.
        reference: what they are compared with; None: nothing.
        threads: how many.
        progress: called after each window.

    Raises:
        UsageError: as `evaluate`.
        InputError: likewise.
    """
    models = list({id(each.model): each.model for each in subjects}.values())
    everyone = [*models, *([] if reference is None else [reference])]
    texts = {id(model): _cut(model, text, protocol) for model in everyone}
    if reference is not None:
        for model in models:
            check_same_tokens((model, texts[id(model)]), (reference, texts[id(reference)]))
    groups = [[model] for model in models] if reference is None else [models]
    report = _counted(progress, sum(texts[id(group[0])].scored for group in groups))
    found: dict[tuple[int, bool], Evaluation] = {}
    for group in groups:
        chosen = [each for each in subjects if any(each.model is model for model in group)]
        found |= _measured(chosen, texts[id(group[0])], reference, threads, report)
    return [found[id(each.model), each.exact] for each in subjects]


def _cut(model: Model, text: str, protocol: Protocol) -> Cut:
    """The text for a model. Raises InputError where its tokenizer has tokens that it lacks."""
    found, rows = cut(text, model.tokenizer, protocol), _architecture(model).vocab_size
    highest = max(max(window.tokens) for window in found.windows)
    if highest >= rows:
        what = "the tokenizer has a token that the model has not"
        raise InputError(what, file=model.path, found=highest, expected=f"0 to {rows - 1}")
    return found


def _counted(progress: Progress, total: int) -> Callable[[int], None]:
    done = 0

    def report(tokens: int) -> None:
        nonlocal done
        done += tokens
        progress("", done, total)

    return report


def _measured(
    subjects: Sequence[Subject],
    text: Cut,
    reference: Model | None,
    threads: int | None,
    report: Callable[[int], None],
) -> dict[tuple[int, bool], Evaluation]:
    """Evaluations of subjects that read the same tokens, in lock step."""
    context = text.protocol.context
    own = None if reference is None else Runner(reference.network(context, threads).exactly(), str(reference.path))
    plain = {id(each.model): each.model.network(context, threads) for each in subjects}
    networks = [_exactly(plain[id(each.model)]) if each.exact else plain[id(each.model)] for each in subjects]
    runners = {id(net): Runner(net, str(each.model.path)) for net, each in zip(networks, subjects, strict=True)}
    words = in_use(subjects[0].model.tokenizer, min(net.architecture.vocab_size for net in networks))
    scores, theirs = scoring.evaluate(list(runners.values()), text, words, own, report)
    scored = dict(zip(runners, scores, strict=True))
    floor = None if own is None else scoring.noise_floor(own.network, text.windows[0], words)
    return {
        (id(each.model), each.exact): Evaluation(
            text, scored[id(net)], words, net.architecture.vocab_size - words, net.exact, theirs, floor
        )
        for each, net in zip(subjects, networks, strict=True)
    }


def _exactly(network: Llama) -> Llama:
    """A network that is exact as it is runs once, however it was asked for."""
    return network if network.exact else network.exactly()
