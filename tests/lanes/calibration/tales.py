"""The rows of the model of five million weights."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path

from tests.lanes.calibration import common, texts
from tests.lanes.calibration.rows import Finding, Row
from tests.lanes.calibration.subject import Counts, Subject, uniform
from tests.lanes.calibration.turned import turned_rows

OPTIONS = "Q2_K,Q3_K,IQ4X,Q4_K,Q5_K,Q6_K,Q8_0"
IMPORTANCE = {
    "Q2_K": 0.82,
    "Q3_K": 0.91,
    "Q4_1": 0.78,
    "Q5_1": 0.80,
    **dict.fromkeys(("Q4_K", "Q5_K", "Q6_K", "IQ4X", "Q4_0", "Q4_A:method=kmeans"), 1.0),
}
FEEDBACK = {"Q2_K": 0.75, "Q3_K": 0.66, "Q4_K": 0.65, "IQ4X": 0.62, "Q4_0": 0.55}
BUDGETS = {1_846_000: (0.070, 0.049), 2_419_000: (0.0150, 0.0100), 2_921_000: (0.0053, 0.0033)}  # bytes: KLDs at most
SURE = 2_122_752  # bytes of 3.5 bits a weight: from there on predictions are surer
RECIPES = {"Q3_K_M": 0.68, "Q4_K_M": 0.62}
SECONDS = 60.0
TRELLISES = "TC2,TC3,TC4"
TRELLIS = {2.5: 0.075, 3.0: 0.037, 4.0: 0.0090}  # bits a weight: KLD at most


def subject(data: Path, folder: Path) -> Subject:
    """The model, its texts and its options."""
    return Subject(
        "tales5M",
        data / "tales5M.bin",
        data / "tok512.bin",
        texts.stories(data, folder),
        Counts(20_000, 2_980, 20_000),
        folder,
        OPTIONS,
    )


def rows(tales: Subject) -> Iterator[Row]:
    """All rows, in the order of the tables."""
    yield from common.importance_rows(tales, IMPORTANCE)
    yield from common.feedback_rows(tales, FEEDBACK, by_plain=frozenset({"Q4_0"}))
    for feedback in (None, "gptq"):
        table = f"tales5M: allocation with {'feedback' if feedback else 'importance'}"
        for budget, goals in BUDGETS.items():
            name = f"allocated{'-feedback' if feedback else ''}-{budget}"
            yield common.allocation_row(tales, table, name, budget, goals[feedback is not None], feedback)
    for budget in BUDGETS:
        yield common.prediction_row(tales, budget, 0.2 if budget < SURE else 0.1, own_text=True)
        yield common.prediction_row(tales, budget, feedback="gptq", own_text=True)
    yield from (common.against_recipe(tales, *each) for each in RECIPES.items())
    yield from (common.against_uniform(tales, each) for each in ("Q2_K", "Q3_K", "IQ4X", "Q4_K", "Q5_K"))
    yield from (common.against_random(tales, 2_419_000, seed) for seed in common.SEEDS)
    yield from trellis_rows(tales)
    yield from turned_rows(tales)
    yield time_row(tales)
    yield same_bytes_row(tales)


def trellis_rows(tales: Subject) -> Iterator[Row]:
    """Allocation with trellises among the options, with and without feedback."""
    options, table = f"{TRELLISES},{OPTIONS}", "tales5M: allocation with trellises among the options"

    def find(bits: float, feedback: str | None) -> Finding:
        costs = tales.costs(feedback=feedback, options=options, name="trellis")
        mix = common.allocated(tales, f"{bits}bpw", feedback=feedback, costs=costs)
        figures = {"bytes": mix.path.stat().st_size, "bits": mix.bits, "predicted": mix.predicted}
        return Finding(tales.divergence(mix.path), figures)

    for bits, goal in TRELLIS.items():
        yield Row(f"tales5M-trellis-{bits}", table, f"{bits} bits, KLD", goal, partial(find, bits, None))
    for bits in (*TRELLIS, 3.2):

        def by_plain(bits: float = bits) -> Finding:
            with_it, without = find(bits, "gptq"), find(bits, None)
            return Finding(with_it.value / without.value, {"feedback": with_it.value, "without": without.value})

        yield Row(
            f"tales5M-trellis-feedback-{bits}", table, f"{bits} bits, KLD with feedback by without", 1.0, by_plain
        )


def time_row(tales: Subject) -> Row:
    """Seconds from calibration to the converted file, by the commands, in processes of their own."""

    def find() -> Finding:
        folder = tales.folder / "timed"
        folder.mkdir(parents=True, exist_ok=True)
        model = str(tales.original)
        calib, costs, policy, out = (str(folder / name) for name in ("m.calib", "m.costs", "m.toml", "m.bin"))
        read = ("--documents", "--force", "-q")
        steps = {
            "calibrate": ("--text", str(tales.texts.calibrating), "--hessian", *read, "-o", calib),
            "measure": (
                *("--calibration", calib, "--text", str(tales.texts.measuring), "--options", OPTIONS),
                *("--feedback", "gptq", *read, "-o", costs),
            ),
            "allocate": ("--costs", costs, "--budget", "2419000", "--force", "-q", "-o", policy),
            "convert": ("--policy", policy, "--calibration", calib, "--feedback", "gptq", "--force", "-q", "-o", out),
        }
        seconds = {name: _seconds(name, model, *arguments) for name, arguments in steps.items()}
        return Finding(sum(seconds.values()), {f"{name} s": round(each, 1) for name, each in seconds.items()})

    what = f"seconds of calibrate, measure, allocate and convert with feedback, options {OPTIONS}"
    return Row("tales5M-time", "tales5M: time and bytes", what, SECONDS, find)


def _seconds(*command: str) -> float:
    start = time.monotonic()
    subprocess.run([sys.executable, "-m", "fourcc", *command], check=True)
    return time.monotonic() - start


def same_bytes_row(tales: Subject) -> Row:
    """Number of different files that one thread, two threads and portable kernels make of the same inputs."""

    def find() -> Finding:
        policy = tales.folder / "same.toml"
        policy.write_text(uniform("Q3_K"), encoding="utf-8")
        digests = {}
        for name, wanted in {
            "1 thread": {"FOURCC_THREADS": "1"},
            "2 threads": {"FOURCC_THREADS": "2"},
            "portable": {"FOURCC_SIMD": "portable"},
        }.items():
            out = tales.folder / "same.bin"
            command = ["convert", str(tales.original), "-o", str(out), "--policy", str(policy), "--force", "-q"]
            command += ["--calibration", str(tales.calibration), "--feedback", "gptq"]
            subprocess.run([sys.executable, "-m", "fourcc", *command], check=True, env={**os.environ, **wanted})
            digests[name] = sha256(out.read_bytes()).hexdigest()[:16]
        return Finding(len(set(digests.values())), digests)

    what = "different files of Q3_K with feedback, by threads and kernels"
    return Row("tales5M-same-bytes", "tales5M: time and bytes", what, 1, find)
