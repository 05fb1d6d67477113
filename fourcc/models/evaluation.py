"""Measuring models on a text: what `fourcc eval` and `fourcc.evaluate` do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import UsageError
from fourcc.models.evaluate import Interval, Scores, noise_floor
from fourcc.models.evaluate import evaluate as score
from fourcc.models.model import Model
from fourcc.models.opening import open_any
from fourcc.models.windows import Protocol, windows

if TYPE_CHECKING:
    from fourcc.models.llama import Llama

Progress = Callable[[str, int, int], None]  # ("", tokens done, all tokens)


@attrs.frozen(repr=False)
class Evaluation:
    """A model, measured on a text.

    Attributes:
        protocol: how the text was cut.
        scores: of the model, token by token.
        reference: of what it was compared with; None where there is nothing.
        noise_floor: of the KL divergence, below which nothing is measured; None likewise.
    """

    protocol: Protocol
    scores: Scores
    reference: Scores | None = None
    noise_floor: float | None = None

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
    tokenizer: str | Path | None = None,
    threads: int | None = None,
) -> Evaluation:
    """Perplexity of a model on a text, and how far it is from a reference, which runs in lock step.

    Args:
        model: opened, or a file: a model.bin, or a checkpoint.
        text: itself, or as a `Path` the file that holds it, UTF-8.
        reference: what the model is compared with, likewise.
        context: tokens of a window; 0: as many as the models can read.
        stride: new tokens of each window after the first; 0: windows do not overlap.
        documents: whether empty lines part documents, each of which is read by itself.
        tokens: to score at most, in whole windows; 0: all.
        tokenizer: to be used in place of what files bring; what is open already keeps its own.
        threads: how many.

    Raises:
        UsageError: a model cannot be run, or the text has no token to score.
        InputError: a file is damaged, or changed before the end.
    """
    with ExitStack() as stack:
        opened = [
            each if isinstance(each, Model) else open_any(each, stack, tokenizer=tokenizer)[0]
            for each in ([model] if reference is None else [model, reference])
        ]
        for each in opened:
            stack.enter_context(each.unchanged())
        longest = context or common_context(opened)
        protocol = Protocol(longest, stride, documents, tokens)
        told = read_text(text) if isinstance(text, Path) else text
        (scores,), own, floor = measure(opened[:1], told, protocol, opened[1] if opened[1:] else None, threads)
    return Evaluation(protocol, scores, own, floor)


def common_context(models: Sequence[Model]) -> int:
    """The longest context that all models have room for."""
    return min(int(str(model.index.hyper.get("seq_len", 0))) for model in models)


def read_text(path: Path) -> str:
    """The text in a file. Raises UsageError where it is not UTF-8, OSError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{error.object[error.start]:02x}"
        raise UsageError("the text is not UTF-8", file=path, offset=error.start, found=found) from error


def measure(
    models: Sequence[Model],
    text: str,
    protocol: Protocol,
    reference: Model | None = None,
    threads: int | None = None,
    progress: Progress = lambda *_: None,
) -> tuple[list[Scores], Scores | None, float | None]:
    """Scores of models, of their reference, and the noise floor of the KL divergence.

    Args:
        models: opened.
        text: what they are measured on.
        protocol: how it is cut; by the reference's tokenizer, or else by that of the first model.
        reference: what they are compared with; None: nothing.
        threads: how many.
        progress: called after each window.
    """
    cut = list(windows(text, (reference or models[0]).tokenizer, protocol))
    networks = [model.network(protocol.context, threads) for model in models]
    network: Llama | None = None if reference is None else reference.network(protocol.context, threads)
    total, done = sum(window.scored for window in cut), 0

    def report(tokens: int) -> None:
        nonlocal done
        done += tokens
        progress("", done, total)

    scores, own = score(networks, cut, network, report)
    return scores, own, None if network is None else noise_floor(network, cut[0])
