"""Consumed or refused: a fact that a model states and a file cannot is refused by name, never left out in silence.

No list says what a file can state: the reader of that kind of file reads the keys back, and every hyper-parameter of
the model must come back as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fourcc.conversion.pipeline import Step
from fourcc.errors import UsageError, listed
from fourcc.networks import NETWORKS
from fourcc.sources.foreign_weights import KEY
from fourcc.sources.source import Hyper, Source

_SHOWN = 4  # names in a message
_LENGTH = 60  # characters of a value in a message
# Values that a reader assumes where the file says nothing, so it need not state them.
_NEUTRAL: Mapping[str, object] = {"hidden_act": "silu", "rope_scaling.type": "default"}
BY_FACTORS = ("llama3", "factors", "longrope")  # scalings that a GGUF file states by a tensor
EMBEDDING, HEAD, TIED = "tok_embeddings", "output", "tied_embeddings"


def refuse_scheme(source: Source, kind: str) -> None:
    """Refuses weights that another tool quantized in a scheme that fourcc does not read."""
    if KEY in source.hyper:
        raise _refusal(source, kind, f"{KEY} = {source.hyper[KEY]}, a scheme that is not read here")


def refuse_impossible(source: Source) -> None:
    """Refuses impossible hyper-parameters, and those that the tensors contradict, before a file's size follows."""
    if source.architecture not in NETWORKS or KEY in source.hyper:
        return
    shapes = {tensor.name: tensor.shape for tensor in source.tensors}
    for refusal in NETWORKS[source.architecture].impossible(source.hyper, shapes):
        raise refusal.error(source.path, "exported")


def refuse_heads(source: Source, steps: tuple[Step, ...], kind: str) -> None:
    """Refuses a model whose output matrix contradicts its hyper-parameters: a file tells by having one or not."""
    names = {step.source.name for step in steps}
    tied = source.hyper.get(TIED)
    if tied is False and HEAD not in names and EMBEDDING in names:
        raise _refusal(source, kind, f"{TIED} is false, and there is no tensor {HEAD!r}")
    if tied is True and HEAD in names:
        raise _refusal(source, kind, f"{TIED} is true, and there is a tensor {HEAD!r} beside the embedding")


def unsaid(hyper: Hyper, read: Mapping[str, object], *, elsewhere: Iterable[str] = ()) -> list[str]:
    """Names of hyper-parameters that a file's reader would not find, or would find though the model has none.

    The output matrix is left to `refuse_heads`.

    Args:
        hyper: the model's hyper-parameters.
        read: the hyper-parameters that the reader makes of the file's keys.
        elsewhere: hyper-parameters that the file states in another way.
    """
    factors = hyper.get("rope_scaling.type") in BY_FACTORS  # they state the whole scaling
    passed = {TIED, *elsewhere, *(name for name in (*hyper, *read) if factors and name.startswith("rope_scaling."))}
    names = [name for name in dict.fromkeys((*hyper, *read)) if name not in passed]
    return [name for name in names if not same_value(*(each.get(name, _NEUTRAL.get(name)) for each in (hyper, read)))]


def refuse_unsaid(source: Source, read: Mapping[str, object], kind: str, *, elsewhere: Iterable[str] = ()) -> None:
    """Raises UsageError, which names the hyper-parameters that the file would not state, where `unsaid` finds any."""
    names = unsaid(source.hyper, read, elsewhere=elsewhere)
    if names:
        said = listed((f"{name} = {source.hyper.get(name, 'nothing')!s:.{_LENGTH}}" for name in names), _SHOWN)
        raise _refusal(source, kind, said)


def same_value(value: object, read: object) -> bool:
    """Whether two values mean the same: numbers, one of them no integer, but for float32's rounding."""
    if isinstance(value, (list, tuple)) and isinstance(read, (list, tuple)):
        return len(value) == len(read) and all(map(same_value, value, read))
    numbers = [each for each in (value, read) if isinstance(each, (int, float)) and not isinstance(each, bool)]
    if len(numbers) == 2 and any(isinstance(each, float) for each in numbers):
        return abs(numbers[0] - numbers[1]) <= 1e-7 * abs(numbers[0])  # GGUF stores float32
    return type(value) is type(read) and value == read


def _refusal(source: Source, kind: str, what: str) -> UsageError:
    return UsageError(f"a file of kind {kind} cannot say what this model asks for: {what}", file=source.path)
