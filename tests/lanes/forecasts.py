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
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fourcc.bench.machine import machine, versions
from fourcc.bench.models.making import write_model
from fourcc.bench.models.shapes import SHAPES
from fourcc.compute import cache_folder, target_name
from fourcc.forecasting.known_rates import MEASURED

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "specs/forecast.md"
MARKS = "<!-- forecasts: begin -->", "<!-- forecasts: end -->"
FOURCC = """
import sys
from fourcc.resident import peak_resident_bytes
from fourcc.cli.app import main
code = main(sys.argv[1:])
if "--dry-run" not in sys.argv:
    print(peak_resident_bytes())
sys.exit(code)
"""
RUN = """
import sys, time
from fourcc.forecasting.remembered_runs import remember_run
from fourcc.models.generate import Speed, tokens_after
from fourcc.models.model import Model
from fourcc.models.sampling import Sampler
from fourcc.resident import peak_resident_bytes
with Model(sys.argv[1]) as model:
    network, speed, threads = model.network(512, int(sys.argv[2])), Speed(), int(sys.argv[2])
    sampler = Sampler(network.architecture.vocab_size, 0.0, 0.9, 1)
    began = time.process_time()
    for _ in tokens_after(network, [1], sampler, 120, frozenset(), speed):
        pass
    busy = (time.process_time() - began) / threads
    remember_run(model, speed, threads)
print(speed.rate, speed.tokens / busy, peak_resident_bytes())
"""
CONVERSIONS = [  # shape, format of the source, rules, threads
    ("110M", "F32", "--format Q8_0", 1),
    ("110M", "F16", "--format Q4_K", 1),
    ("110M", "F16", "--format Q4_K", 2),
    ("110M", "BF16", "--format IQ4N", 2),
    ("110M", "Q8_0", "--format Q5_K", 1),
    ("110M", "F16", "--format NVF4", 2),
    ("1.1B", "F16", "--recipe Q4_K_M", 1),
    ("1.1B", "F16", "--recipe Q4_K_M", 2),
    ("moe", "BF16", "--recipe Q6_K", 2),
]
RUNS = [  # shape, format, threads
    ("110M", "Q8_0", 1),
    ("110M", "Q8_0", 2),
    ("110M", "Q4_K", 1),
    ("1.1B", "Q4_K", 1),
    ("1.1B", "Q4_K", 2),
    ("1.1B", "F16", 1),
    ("moe", "Q6_K", 2),
]
CONTEXT = 512
CACHES = tempfile.TemporaryDirectory()


@dataclass(frozen=True)
class Compared:
    """A forecast beside what was measured: seconds, or tokens a second, and peak bytes.

    `busy` is the same by processor time alone, shared by the threads, which other programs change little.
    """

    what: str
    tabled: float
    remembered: float
    measured: float
    busy: float
    peak: float
    measured_peak: float


def called(command: Sequence[str], cache: Path) -> tuple[str, float, float]:
    """Runs a Python command: its stdout, its seconds, and its processor seconds."""
    env = {**os.environ, "FOURCC_CACHE": str(cache)}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, env=env)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr}")
    return done.stdout, seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def figures(command: Sequence[str], cache: Path) -> dict[str, float]:
    """The middle figures of a dry run."""
    told = json.loads(called(["-c", FOURCC, *command, "--dry-run", "--json"], cache)[0])["forecast"]["figures"]
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
        asked = ["convert", str(model(folder, shape, tag)), "-o", str(output), *rules.split()]
        asked += ["--threads", str(threads), "--force"]
        work = ["-c", FOURCC, *asked]
        called(work, fresh_cache())  # fills the system's cache
        before = figures(asked, fresh_cache())
        first = called(work, cache)
        after = figures(asked, cache)
        second = called(work, cache)
        seconds, busy = min(first[1], second[1]), min(first[2], second[2]) / threads
        peak = max(float(first[0].split()[-1]), float(second[0].split()[-1]))
        what = f"{shape}, {tag}: `{rules}`, {threads} thread{'s' * (threads > 1)}"
        yield Compared(what, before["time"], after["time"], seconds, busy, after["peak memory"], peak)


def runs(folder: Path, cases: Sequence[tuple[str, str, int]]) -> Iterator[Compared]:
    """Each run, forecast and measured."""
    for shape, tag, threads in cases:
        cache, file = fresh_cache(), str(model(folder, shape, tag))
        planned, run = ["convert", file, "--threads", str(threads)], ["-c", RUN, file, str(threads)]
        called(run, fresh_cache())  # fills the system's cache
        before = figures(planned, fresh_cache())
        for _ in range(MEASURED):  # then the rate at which memory is read is known, and a run can be remembered
            figures(planned, cache)
        first = [float(each) for each in called(run, cache)[0].split()]
        after = figures(planned, cache)
        rate, busy, peak = max(first, [float(each) for each in called(run, cache)[0].split()])
        what = f"{shape}, `{tag}`, {threads} thread{'s' * (threads > 1)}"
        yield Compared(what, before["speed"], after["speed"], rate, busy, after[f"memory of run {CONTEXT}"], peak)


def table(title: str, unit: str, rows: Iterable[Compared]) -> str:
    """A table of forecasts beside what was measured; each row is also printed as soon as it is there."""
    told = "by the table | remembered | measured | by processor time | table / processor | remembered / measured"
    lines = [f"| {title} | {told} | memory, MB | measured, MB |", "|---|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for each in rows:
        numbers = (each.tabled, each.remembered, each.measured, each.busy)
        shown = " | ".join(f"{number:.3g} {unit}" for number in numbers)
        ratios = f"{each.tabled / each.busy:.2f} | {each.remembered / each.measured:.2f}"
        lines.append(f"| {each.what} | {shown} | {ratios} | {each.peak / 1e6:.0f} | {each.measured_peak / 1e6:.0f} |")
        print(lines[-1], flush=True)
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
            "conversion", "s", conversions(Path(name), [each for each in CONVERSIONS if each[0] in small])
        )
        ran = table("run", "/s", runs(Path(name), [each for each in RUNS if each[0] in small]))
    if args.write:
        begin, end = MARKS
        page = PAGE.read_text(encoding="utf-8")
        text = "\n\n".join([heading(versions()), converted, ran])
        PAGE.write_text(f"{page.split(begin)[0]}{begin}\n{text}\n{end}{page.split(end)[1]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
