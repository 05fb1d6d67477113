"""Runs what we export with llama.cpp, and compares its logits with ours on the same blocks.

    python tests/lanes/llama_cpp.py MODEL --tokenizer TOKENIZER     needs the package llama-cpp-python

Each side quantizes activations in its own way, so logits cannot be equal. What rounding allows is measured: each side
also runs the decoded weights in float32, where nothing is rounded, and its own distance from that is its rounding. On
float32 weights the two sides must agree to `PLAIN`; on blocks they may differ by no more than the two roundings
together.
"""

import argparse
import tempfile
from pathlib import Path

import attrs
import numpy as np

import fourcc
from fourcc.exporters import KINDS
from fourcc.exporters.export import check_targets, execute_export, plan_export
from fourcc.plugins.registry import registry
from fourcc.policy import Policy
from fourcc.tags import as_tag

PLAIN = 1e-4  # root mean square of logits, whose spread is about 4: float32 sums in another order give 3e-6
TEXT = "Once upon a time there was a little girl. She liked to play in the park with her dog. One day the dog ran away"
TYPES = ("Q4_0", "Q8_0", "Q4_1", "F16", "F32")


@attrs.frozen
class Comparison:
    """Root mean squares over all logits of a text.

    Attributes:
        spread: of the logits themselves, about their mean.
        plain: ours and theirs, on decoded weights.
        mixed: ours and theirs, on blocks.
        our_rounding: ours on blocks and on decoded weights.
        their_rounding: theirs likewise.
        same_first: share of positions at which both find the same token likeliest, on blocks.
        tags: formats of the model's matrices.
    """

    spread: float
    plain: float
    mixed: float
    our_rounding: float
    their_rounding: float
    same_first: float
    tags: tuple[str, ...]

    @property
    def allowed(self) -> float:
        """The values that `mixed` may have."""
        return self.our_rounding + self.their_rounding + PLAIN


def policy() -> Policy:
    """The matrices of each layer in turn in every type that can be encoded; rows that do not divide in F16."""
    able = [tag for tag in TYPES if registry[as_tag(tag)].encode is not None]
    kinds = ("attention.wq", "attention.wk", "attention.wv", "attention.wo", "w1", "w2", "w3", "tok_embeddings")
    rules = ['[[rule]]\ndims = "<2"\ntag = "F32"\n']
    for number, kind in enumerate(kinds):
        tag = able[number % len(able)]
        fallback = "" if tag in ("F16", "F32") else 'fallback = ["F16"]\n'
        rules.append(f'[[rule]]\nmatch = "*{kind}"\ntag = "{tag}"\n{fallback}')
    return Policy.parse("version = 1\n" + "".join(rules) + '[[rule]]\nmatch = "*"\ntag = "F16"\noptional = true\n')


def export(model: Path, target: Path, rules: Policy | None = None) -> None:
    """Exports to GGUF."""
    with fourcc.open(model) as source:
        planned = plan_export(source, KINDS["gguf"], rules)
        execute_export(planned, check_targets(planned, target, force=True))


def ours(model: Path, tokens: list[int]) -> np.ndarray:  # type: ignore[type-arg]
    """Our logits after each token."""
    with fourcc.open(model) as opened:
        return opened.network().forward(tokens, every=True).astype(np.float64)


def theirs(model: Path, tokens: list[int]) -> np.ndarray:  # type: ignore[type-arg]
    """Logits of llama.cpp, whose key-value cache is float32, too."""
    from llama_cpp import Llama

    network = Llama(str(model), n_ctx=256, logits_all=True, verbose=False, type_k=0, type_v=0, n_threads=1)
    network.eval(tokens)
    return np.array(network.scores[: len(tokens)], np.float64)


def rms(a: np.ndarray, b: np.ndarray | float = 0.0) -> float:  # type: ignore[type-arg]
    """Root mean square of a difference."""
    return float(np.sqrt(np.mean((a - b) ** 2)))


def compare(folder: Path, source: Path, tokenizer: Path | None) -> Comparison:
    """Converts, exports, runs and compares."""
    mixed, plain = folder / "mixed.bin", folder / "plain.bin"
    fourcc.convert(source, mixed, policy=policy(), tokenizer=tokenizer)
    fourcc.convert(mixed, plain, policy=Policy.shorthand("F32"))
    export(mixed, folder / "mixed.gguf")
    export(plain, folder / "plain.gguf")
    with fourcc.open(mixed) as model:
        tokens = model.tokenizer.encode(TEXT)
        tags = tuple(sorted({str(model[name].tag) for name in model if len(model[name].shape) > 1}))
    our_mixed, our_plain = ours(mixed, tokens), ours(plain, tokens)
    their_mixed, their_plain = (theirs(folder / f"{name}.gguf", tokens) for name in ("mixed", "plain"))
    return Comparison(
        spread=float(our_plain.std()),
        plain=rms(our_plain, their_plain),
        mixed=rms(our_mixed, their_mixed),
        our_rounding=rms(our_mixed, our_plain),
        their_rounding=rms(their_mixed, their_plain),
        same_first=float(np.mean(our_mixed.argmax(1) == their_mixed.argmax(1))),
        tags=tags,
    )


def main() -> None:
    """Compares, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--tokenizer", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = compare(Path(folder), arguments.model, arguments.tokenizer)
    for name, value in attrs.asdict(found).items():
        print(f"{name:15} {value if isinstance(value, tuple) else format(value, '.6f')}")
    print(f"{'allowed':15} {found.allowed:.6f}")


if __name__ == "__main__":
    main()
