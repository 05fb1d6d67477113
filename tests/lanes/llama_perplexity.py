"""The KL divergence of an exported mix by llama.cpp's own tool, beside ours.

``FOURCC_LLAMA_CPP`` names the folder with ``llama-perplexity``. The tool cuts a text into windows and scores the second
half of each; ours is asked for windows that move by half their length, so both score tokens that have at least half a
window before them, but not the same ones. Activations are rounded by each side's kernels.
"""

import re
from pathlib import Path

import attrs

import fourcc
from fourcc.calibration.measure import measure
from tests.lanes.llama_imatrix import run

CONTEXT = 256
LINE = re.compile(r"^ *\d+ +[\d.]+ ± +[\d.]+ +-?[\d.]+ ± +[\d.]+ +(-?[\d.]+) ± ", re.MULTILINE)  # the third is the KLD


@attrs.frozen
class Divergences:
    """KL divergences of one mix, in nats a token, by both, and the tags of its matrices."""

    ours: float
    theirs: float
    tags: frozenset[str]


@attrs.frozen
class Texts:
    """Files: for calibration, for costs, and to judge by."""

    calibrating: Path
    measuring: Path
    judging: Path


def compare(folder: Path, model: Path, texts: Texts, options: str, budget: str) -> Divergences:
    """Allocates a mix of ggml's types with error feedback, exports it, and measures both files.

    Args:
        folder: for all files.
        model: a model.bin with its tokenizer.
        texts: what is read.
        options: formats to choose from.
        budget: as `fourcc allocate` takes it.
    """
    calibration, costs, mixed = folder / "m.calib", folder / "m.costs", folder / "mixed.bin"
    known = fourcc.calibrate(model, texts.calibrating, calibration, hessian=True, documents=True)
    measure(model, texts.measuring, costs, calibration=calibration, options=options, feedback="gptq", documents=True)
    policy = fourcc.allocate(model, costs, budget=budget).policy
    fourcc.convert(model, mixed, policy=policy, calibration=known, feedback="gptq")
    for name, path in (("plain", model), ("mixed", mixed)):
        fourcc.export(path, folder / f"{name}.gguf")
    with fourcc.open(mixed) as opened:
        tags = frozenset(str(opened[name].tag) for name in opened if len(opened[name].shape) > 1)
    return Divergences(ours(model, mixed, texts.judging), theirs(folder, texts.judging), tags)


def ours(model: Path, mixed: Path, text: Path) -> float:
    """Our KL divergence of a mix from the model."""
    found = fourcc.evaluate(mixed, text, reference=model, context=CONTEXT, stride=CONTEXT // 2).divergence
    assert found is not None
    return found.mean


def theirs(folder: Path, text: Path) -> float:
    """KL divergence as llama.cpp measures it, of ``mixed.gguf`` from ``plain.gguf``."""
    shared = ("-f", text, "-c", CONTEXT, "-t", 1, "--kl-divergence-base", folder / "base.kld")
    run("llama-perplexity", "-m", folder / "plain.gguf", *shared, folder=folder)
    said = run("llama-perplexity", "-m", folder / "mixed.gguf", *shared, "--kl-divergence", folder=folder)
    return float(LINE.findall(said)[-1])
