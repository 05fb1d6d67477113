"""One file put to every reader that would meet it: an answer, or an error of ours that can be printed.

Whatever else comes out is a finding. What opens is decoded to its end, kept by a conversion, and compared with what the
conversion wrote: a reader that accepts a file has to mean one thing by it.
"""

import contextlib
import tempfile
import traceback
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import numpy as np

import fourcc
from fourcc.errors import FourccError
from fourcc.models.tokenizers import open_tokenizer
from fourcc.plugins.registry import registry
from fourcc.policy import Policy, TensorInfo, explicit
from fourcc.sources import open_source
from tests.sources.writers import decoded

LONGEST_MESSAGE = 100_000  # characters: of a policy with many problems
TEXT = "a b\n\u00e9 <s> 1"
Refusal = FourccError | OSError


def attempted(path: Path) -> Refusal | None:
    """The error that a checkpoint is refused with, or None where it is read to its end."""
    with refusals() as seen, open_source(path) as source:
        arrays = decoded(source)
        if not source.unreadable:
            _kept(path, arrays)
    return seen.error


def _kept(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Converts a file that could be read; the copy holds the same numbers, and no damage."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.bin"
        fourcc.convert(path, out)
        assert fourcc.verify(out) == ()
        with fourcc.open(out) as model:
            for name, array in arrays.items():
                again = model[name].decode()
                assert again.shape == array.shape
                assert again.tobytes() == array.tobytes()


def attempted_tokenizer(blob: str, data: bytes) -> Refusal | None:
    """The error that a tokenizer is refused with, or None where it takes a text apart and puts it together."""
    with refusals() as seen:
        tokenizer = open_tokenizer({blob: data}, "m")
        for name in ("<s>", "<|im_end|>"):
            tokenizer.special(name)
        with contextlib.suppress(FourccError):
            tokenizer.encode("a\udcff")  # as an argument of the command line that is no UTF-8 comes
        tokens = tokenizer.encode(TEXT)
        assert all(0 <= token < tokenizer.vocab_size for token in tokens)
        tokenizer.text(tokens)
        for token in range(min(tokenizer.vocab_size, 300)):
            tokenizer.text([token])
    return seen.error


def attempted_policy(text: str) -> Refusal | None:
    """The error that a policy is refused with; one that decides says the same where it is written out."""
    with refusals() as seen:
        policy = Policy.parse(text, "p.toml")
        assert Policy.parse(policy.text).rules == policy.rules
        decisions = policy.resolve(MODEL)
        again = explicit(decisions).resolve(MODEL)
        assert [(d.tag, d.params, d.options, d.keep) for d in again] == [
            (d.tag, d.params, d.options, d.keep) for d in decisions
        ]
    return seen.error


def _tensor(name: str, shape: tuple[int, ...], role: str, layer: int | None) -> TensorInfo:
    return TensorInfo(name, shape, (role,), layer, registry["F32"].tag)


MODEL = [
    _tensor("tok_embeddings", (64, 32), "embedding", None),
    *(_tensor(f"layers.{i}.attention.wq", (32, 32), "attention.q", i) for i in range(4)),
    *(_tensor(f"layers.{i}.ffn_norm", (32,), "norm", i) for i in range(4)),
    _tensor("norm", (32,), "norm", None),
]


@attrs.define
class Seen:
    """The outcome of the block."""

    error: Refusal | None = None


@contextlib.contextmanager
def refusals() -> Iterator[Seen]:
    """Lets through whatever may not come; a refusal has to be one that can be printed, and warnings are errors."""
    seen = Seen()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            yield seen
        except (FourccError, OSError) as error:
            seen.error = error
    if seen.error is not None:
        text = str(seen.error)
        assert 0 < len(text) < LONGEST_MESSAGE
        assert text.replace("\n", "").isprintable() or isinstance(seen.error, OSError)


def place(error: BaseException) -> str:
    """The type of what may not come, and the innermost line of ours that it came from: findings alike have it alike."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/fourcc/" in frame.filename]
    frames = frames or list(traceback.extract_tb(error.__traceback__))
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name}" if frames else "nowhere"
    return f"{type(error).__name__} at {where}"
