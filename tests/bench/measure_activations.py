"""Measures the three ways to take activations: distance from the reference, and speed, in a table.

    python -m tests.bench.measure_activations MODEL --calibration FILE --text FILE [-z TOKENIZER] [--tokens N]

A row is one format and one way: `exact`, `dynamic`, `static`, and `static, all`, where matrices with uneven activations
have ranges, too. All ways of a format read the text in lock step; for the speed they take turns in one run, and
the median of their rates is shown, with that of the ratios to `dynamic` in the same turn.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import attrs

import fourcc
from fourcc.arrays import Floats
from fourcc.calibration.calibration import Calibration
from fourcc.calibration.ranges import ranges_of
from fourcc.execution import Execution
from fourcc.models.evaluation import Evaluation, common_context, measure
from fourcc.models.model import ActivationMode, Model
from fourcc.models.opening import open_to_run
from fourcc.models.scored_models import EvaluatedModel
from fourcc.models.text_files import read_text
from fourcc.models.transformer import Transformer
from fourcc.models.windows import Protocol
from fourcc.policy import Policy

FORMATS = ("Q4_0", "Q8_0", "Q4_K")
CONTEXT = 512
PROMPT, GENERATED = 128, 48  # tokens of a turn
HEAD = ("format", "activations", "matrices with ranges", "KLD", "top-1", "prompt tok/s", "tok/s", "by dynamic")
Ranges = Mapping[str, Floats]


@attrs.frozen
class Way:
    """A way to take activations.

    Attributes:
        name: in the table.
        mode: as `Model.network` takes it.
        ranges: in place of those that the model has; None: these.
    """

    name: str
    mode: ActivationMode
    ranges: Ranges | None = None


def every_range(calibration: Calibration) -> Ranges:
    """Ranges of all matrices, however uneven their activations."""
    known = {name: ranges_of(each, most_lost=1) for name, each in calibration.statistics.items()}
    return {name: ranges for name, ranges in known.items() if ranges is not None}


def opened(path: Path, way: Way, tokenizer: Path | None, stack: ExitStack) -> Model:
    """The model, with other ranges where the way brings some."""
    model = open_to_run(path, stack, tokenizer=tokenizer)[0]
    if way.ranges is not None:
        vars(model)["ranges"] = way.ranges
    return model


def turns(networks: Mapping[str, Transformer], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Rates of reading a prompt and of generating, in tokens a second, of each network by turns."""
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in networks}
    for number in range(rounds + 1):
        for name, network in networks.items():
            network.reset()
            tokens = [1 + each % (network.architecture.vocab_size - 1) for each in range(PROMPT)]
            begin = time.perf_counter()
            network.forward(tokens)
            middle = time.perf_counter()
            for token in tokens[:GENERATED]:
                network.forward([token])
            if number:  # the first round compiles kernels
                rates[name].append((PROMPT / (middle - begin), GENERATED / (time.perf_counter() - middle)))
    return rates


def rows(
    tag: str, evaluations: Mapping[str, Evaluation], rates: Mapping[str, list[tuple[float, float]]]
) -> list[list[str]]:
    """The rows of a format."""
    lines = []
    for name, each in evaluations.items():
        assert each.divergence is not None
        assert each.agreement is not None
        use = "" if each.range_use is None else f"{each.range_use.used} of {each.range_use.matrices}"
        prompt, token = (median(column) for column in zip(*rates[name], strict=True))
        ratio = median(one[1] / other[1] for one, other in zip(rates[name], rates["dynamic"], strict=True))
        quality = [f"{each.divergence.mean:.3g}", f"{100 * each.agreement.mean:.2f} %"]
        lines.append([tag, name, use, *quality, f"{prompt:.0f}", f"{token:.0f}", f"{ratio:.2f}"])
    return lines


def measured(options: argparse.Namespace, tag: str, path: Path, ways: list[Way]) -> list[list[str]]:
    """The rows of a converted model."""
    with ExitStack() as stack:
        models = [opened(path, way, options.tokenizer, stack) for way in ways]
        against = open_to_run(options.model, stack, tokenizer=options.tokenizer)[0]
        context = min(CONTEXT, common_context([against]))
        subjects = [EvaluatedModel(model, way.mode) for model, way in zip(models, ways, strict=True)]
        protocol = Protocol(context, 0, documents=True, limit=options.tokens)
        scores = measure(subjects, read_text(options.text), protocol, against, Execution(threads=options.threads))
        networks = {
            way.name: model.network(context, options.threads, way.mode) for model, way in zip(models, ways, strict=True)
        }
        rates = turns(networks, options.rounds)
        return rows(tag, {way.name: each for way, each in zip(ways, scores, strict=True)}, rates)


def parsed() -> argparse.Namespace:
    """The arguments of the command."""
    parser = argparse.ArgumentParser(description="Measures the three ways to take activations.")
    parser.add_argument("model", type=Path, help="the original: what is converted, and the reference")
    parser.add_argument("--calibration", type=Path, required=True, help="of that model")
    parser.add_argument("--text", type=Path, required=True, help="to measure on; empty lines part documents")
    parser.add_argument("-z", "--tokenizer", type=Path)
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


def main() -> None:
    """Prints the table, a format after the other."""
    options = parsed()
    calibration = fourcc.open_calibration(options.calibration)
    ways = [Way("exact", "exact"), Way("dynamic", "dynamic"), Way("static", "static")]
    ways.append(Way("static, all", "static", every_range(calibration)))
    sys.stdout.write(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}\n")
    with tempfile.TemporaryDirectory() as folder:
        for tag in options.formats.split(","):
            path = Path(folder) / f"{tag}.bin"
            rules = Policy.shorthand(",".join(dict.fromkeys([tag, "Q8_0", "F16"])))
            fourcc.convert(
                options.model,
                path,
                policy=rules,
                tokenizer=options.tokenizer,
                calibration=calibration,
                activations="static",
            )
            for row in measured(options, tag, path, ways):
                sys.stdout.write(f"| {' | '.join(row)} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
