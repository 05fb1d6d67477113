"""The forecast lane: compares forecasts of conversions and runs with what they then take.

    python tests/lanes/forecasts.py --dir FOLDER [--quick] [--write]

Models of random weights are converted, and what they become is run, in processes of their own, on an otherwise idle
machine. Each conversion is forecast twice: before this machine remembers any rate, and after it was done once; it is
measured twice, of which the faster counts.
`--write` puts the tables into specs/forecast.md.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fourcc.bench.machine import machine, versions
from fourcc.bench.models.making import write_model
from fourcc.bench.models.shapes import SHAPES
from fourcc.compute import cache_folder, target_name

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "specs/forecast.md"
MARKS = "<!-- forecasts: begin -->", "<!-- forecasts: end -->"
COMMAND = """
import sys
from fourcc.resident import peak_resident_bytes
from fourcc.cli.app import main
code = main(sys.argv[1:])
print(peak_resident_bytes(), file=sys.stderr)
sys.exit(code)
"""
CONVERSIONS = [  # shape, format of the source, rules, threads
    ("110M", "F32", "--format Q8_0", 2),
    ("110M", "F16", "--format Q4_K", 1),
    ("110M", "F16", "--format Q4_K", 2),
    ("110M", "BF16", "--format IQ4N", 2),
    ("110M", "Q8_0", "--format Q5_K", 2),
    ("110M", "F16", "--format NVF4", 2),
    ("1.1B", "F16", "--recipe Q4_K_M", 2),
    ("1.1B", "F16", "--format Q8_0", 2),
    ("moe", "BF16", "--recipe Q6_K", 2),
]
RUNS = [("110M", "Q8_0", 1), ("110M", "Q8_0", 2), ("110M", "Q4_K", 2), ("1.1B", "Q4_K", 2), ("1.1B", "Q8_0", 2)]
RUNS += [("1.1B", "F16", 2), ("moe", "Q6_K", 2)]
CONTEXT = 512
CACHES = tempfile.TemporaryDirectory()
TOKENS = 120


@dataclass(frozen=True)
class Compared:
    """A forecast beside what was measured: seconds or tokens a second, and peak bytes."""

    what: str
    tabled: float
    remembered: float
    measured: float
    peak: float
    measured_peak: float


def called(command: Sequence[str], folder: Path) -> tuple[str, float, int]:
    """Runs a command: its stdout, its seconds, and its peak of resident memory."""
    env = {**os.environ, "FOURCC_CACHE": str(folder)}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *command], capture_output=True, text=True, check=False, env=env
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr}")
    return done.stdout, seconds, int(done.stderr.split()[-1])


def figures(command: Sequence[str], cache: Path) -> dict[str, float]:
    """The middle figures of a dry run."""
    told = json.loads(called([*command, "--dry-run", "--json"], cache)[0])["forecast"]["figures"]
    return {f"{each['figure']} {each['positions'] or ''}".strip(): each["middle"] for each in told}


def fresh_cache() -> Path:
    """A cache with this machine's compiled kernels, and no rates; removed at the end."""
    made = Path(tempfile.mkdtemp(dir=CACHES.name))
    for path in cache_folder().glob("*.o"):
        os.link(path, made / path.name) if made.stat().st_dev == path.stat().st_dev else shutil.copy(path, made)
    return made


def model(folder: Path, shape: str, tag: str) -> Path:
    """A model.bin of random weights, made once."""
    path = folder / f"{shape}-{tag}.bin"
    return path if path.exists() else write_model(path, SHAPES[shape], tag, CONTEXT)


def conversions(folder: Path, cases: Sequence[tuple[str, str, str, int]]) -> Iterator[Compared]:
    """Each conversion, forecast and measured."""
    for shape, tag, rules, threads in cases:
        cache, output = fresh_cache(), folder / "out.bin"
        command = ["convert", str(model(folder, shape, tag)), "-o", str(output), *rules.split()]
        command += ["--threads", str(threads), "--force"]
        called([*command, "-q"], fresh_cache())  # fills the system's cache
        before = figures(command, fresh_cache())
        _, *first = called([*command, "-q"], cache)
        after = figures(command, cache)
        _, *second = called([*command, "-q"], cache)
        seconds, peak = min(first[0], second[0]), max(first[1], second[1])
        what = f"{shape}, {tag}: `{rules}`, {threads} thread{'s' * (threads > 1)}"
        yield Compared(what, before["time"], after["time"], seconds, after["peak memory"], peak)


def runs(folder: Path, cases: Sequence[tuple[str, str, int]]) -> Iterator[Compared]:
    """Each run, forecast and measured."""
    for shape, tag, threads in cases:
        cache = fresh_cache()
        file = str(model(folder, shape, tag))
        planned = ["convert", file, "--threads", str(threads)]
        run = [*RUN, file, str(threads)]
        called_run(run, fresh_cache())  # fills the system's cache
        before = figures(planned, fresh_cache())
        first = called_run(run, cache)
        after = figures(planned, cache)
        rate, peak = max(first, called_run(run, cache))
        what = f"{shape}, `{tag}`, {threads} thread{'s' * (threads > 1)}"
        memory = after[f"memory of run {CONTEXT}"]
        yield Compared(what, before["speed"], after["speed"], rate, memory, peak)


RUN = [
    "-c",
    """
import sys
from fourcc.forecasting.remembered_runs import remember_run
from fourcc.models.generate import Speed, tokens_after
from fourcc.models.model import Model
from fourcc.models.sampling import Sampler
from fourcc.resident import peak_resident_bytes
with Model(sys.argv[1]) as model:
    network = model.network(512, int(sys.argv[2]))
    speed = Speed()
    for _ in tokens_after(network, [1], Sampler(network.architecture.vocab_size, 0.0, 0.9, 1), 120, frozenset(), speed):
        pass
    remember_run(model, speed, int(sys.argv[2]))
print(speed.rate, peak_resident_bytes())
""",
]


def called_run(command: Sequence[str], cache: Path) -> tuple[float, int]:
    """Tokens a second and peak memory of a run."""
    env = {**os.environ, "FOURCC_CACHE": str(cache)}
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True, env=env)
    rate, peak = done.stdout.split()
    return float(rate), int(peak)


def table(title: str, unit: str, rows: Sequence[Compared]) -> str:
    """A table of forecasts beside what was measured."""
    figures = f"by the table, {unit} | remembered, {unit} | measured, {unit} | ratios"
    head = f"| {title} | {figures} | memory, MB | measured, MB |"
    lines = [head, "|---|--:|--:|--:|--:|--:|--:|"]
    for each in rows:
        ratios = f"{each.tabled / each.measured:.2f}, {each.remembered / each.measured:.2f}"
        numbers = f"{each.tabled:.3g} | {each.remembered:.3g} | {each.measured:.3g} | {ratios}"
        lines.append(f"| {each.what} | {numbers} | {each.peak / 1e6:.0f} | {each.measured_peak / 1e6:.0f} |")
    return "\n".join(lines)


def heading(found: Mapping[str, str]) -> str:
    """The command, the machine and the versions."""
    here = machine()
    told = ", ".join(f"{name} {number}" for name, number in found.items())
    day, cores = time.strftime("%Y-%m-%d"), f"{here.usable} of {here.cores} cores"
    where = f"{here.cpu}, {cores},\n{target_name()} kernels, {here.system}; {told}."
    return f"`python tests/lanes/forecasts.py`, {day}: {where}"


def main() -> int:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, help="where there is room for 6 GB")
    parser.add_argument("--quick", action="store_true", help="the small models only")
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    args = parser.parse_args()
    small = {"110M"} if args.quick else set(SHAPES)
    with tempfile.TemporaryDirectory(dir=args.dir) as name:
        converted = table(
            "conversion", "s", list(conversions(Path(name), [each for each in CONVERSIONS if each[0] in small]))
        )
        print(converted)
        ran = table("run", "tokens/s", list(runs(Path(name), [each for each in RUNS if each[0] in small])))
        print(ran)
    if args.write:
        begin, end = MARKS
        page = PAGE.read_text(encoding="utf-8")
        text = "\n\n".join([heading(versions()), converted, ran])
        PAGE.write_text(f"{page.split(begin)[0]}{begin}\n{text}\n{end}{page.split(end)[1]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
