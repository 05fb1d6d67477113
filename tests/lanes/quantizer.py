"""Quantizes a random Llama of 1.1 billion weights to Q4_K_M with fourcc and with llama.cpp, and compares the two.

    python -m tests.lanes.quantizer WORK [--rounds N] [--write]

WORK is a folder with room for 4 GB. Wants llama-cpp-python, which holds llama.cpp's own quantizer, and the package
gguf, which writes the F16 file. Both run as whole processes, in turns, with as many threads as there are cores; the
file that is read is in the system's cache. Prints seconds (medians), the most memory of each process, and how many
tensors have the same bytes. `--write` puts this into `specs/performance.md`. Let nothing else run.
"""

import argparse
import datetime as dt
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from gguf import GGUFReader, GGUFWriter

from fourcc.bench.machine import machine, versions
from tests.markdown import filled

PAGE = Path(__file__).resolve().parents[2] / "specs" / "performance.md"
COMMAND = "python -m tests.lanes.quantizer WORK"
RECIPE, FTYPE = "Q4_K_M", 15  # LLAMA_FTYPE_MOSTLY_Q4_K_M
DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, WORDS = 2048, 5632, 22, 32, 4, 32_000
KV = DIM // HEADS * KV_HEADS
QUANTIZE = """
import ctypes, os, sys
import llama_cpp

params = llama_cpp.llama_model_quantize_default_params()
params.nthread, params.ftype = len(os.sched_getaffinity(0)), {ftype}
sys.exit(llama_cpp.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), ctypes.byref(params)))
"""


class Cost(NamedTuple):
    """The cost of a process.

    Attributes:
        seconds: from its start to its end.
        peak: bytes of memory that it held at most (resident set).
    """

    seconds: float
    peak: int


def tensors() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of the model's tensors."""
    yield "token_embd.weight", (WORDS, DIM)
    shapes = {
        "attn_norm": (DIM,),
        "attn_q": (DIM, DIM),
        "attn_k": (KV, DIM),
        "attn_v": (KV, DIM),
        "attn_output": (DIM, DIM),
        "ffn_norm": (DIM,),
        "ffn_gate": (HIDDEN, DIM),
        "ffn_up": (HIDDEN, DIM),
        "ffn_down": (DIM, HIDDEN),
    }
    for layer in range(LAYERS):
        yield from ((f"blk.{layer}.{name}.weight", shape) for name, shape in shapes.items())
    yield "output_norm.weight", (DIM,)
    yield "output.weight", (WORDS, DIM)


def make(path: Path) -> None:
    """Writes the model: normal weights, matrices in F16, norms in F32."""
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(2048)
    writer.add_embedding_length(DIM)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(DIM // HEADS)
    writer.add_vocab_size(WORDS)
    writer.add_file_type(1)
    kinds = {name: np.dtype(np.float16 if len(shape) == 2 else np.float32) for name, shape in tensors()}
    for name, shape in tensors():
        size = int(np.prod(shape)) * kinds[name].itemsize
        writer.add_tensor_info(name, shape, kinds[name], size)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    draws = np.random.default_rng(1)
    for name, shape in tensors():
        writer.write_tensor_data((draws.standard_normal(shape, np.float32) / DIM**0.5).astype(kinds[name]))
    writer.close()


def cost(command: list[str], log: Path) -> Cost:
    """Runs a command to its end. Raises RuntimeError where it fails."""
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[:4]}: exit code {process.returncode}\n{log.read_text(errors='replace')[-2000:]}")
    return Cost(seconds, usage.ru_maxrss * 1024)


def same_tensors(first: Path, second: Path) -> tuple[int, int]:
    """How many tensors have the same type, shape and bytes in both files, and how many there are in either."""
    one, other = ({each.name: each for each in GGUFReader(path).tensors} for path in (first, second))
    names = one.keys() | other.keys()
    equal = [
        name
        for name in one.keys() & other.keys()
        if one[name].tensor_type == other[name].tensor_type
        and list(one[name].shape) == list(other[name].shape)
        and np.array_equal(one[name].data, other[name].data)
    ]
    return len(equal), len(names)


def compared(work: Path, rounds: int) -> str:
    """All of it, as Markdown."""
    source, ours, theirs, log = (work / name for name in ("f16.gguf", "fourcc.gguf", "llama.gguf", "log"))
    if not source.exists():
        make(source)
    fourcc = [sys.executable, "-m", "fourcc", "quantize", str(source), "-o", str(ours), "--recipe", RECIPE, "--force"]
    llama = [sys.executable, "-c", QUANTIZE.format(ftype=FTYPE), str(source), str(theirs)]
    costs: dict[str, list[Cost]] = {"fourcc": [], "llama.cpp": []}
    cost(fourcc, log)  # kernels are compiled and the file is read once
    for _ in range(rounds):
        costs["fourcc"].append(cost(fourcc, log))
        costs["llama.cpp"].append(cost(llama, log))
    return text(costs, same_tensors(ours, theirs), source.stat().st_size)


def text(costs: dict[str, list[Cost]], same: tuple[int, int], nbytes: int) -> str:
    """The figures, with date, machine, versions and command."""
    here, known = machine(), ", ".join(f"{name} {number}" for name, number in versions(NAMED).items())
    weights = sum(int(np.prod(shape)) for _, shape in tensors())
    rounds, today = len(next(iter(costs.values()))), dt.datetime.now(dt.UTC).date()
    return "\n".join(
        [
            f"`{COMMAND}`, {today}: a Llama of {weights / 1e9:.2f} billion random weights,",
            f"{nbytes / 1e9:.2f} GB of GGUF in F16 to {RECIPE}.",
            f"Whole processes in turns, {here.usable} threads, medians of {rounds} rounds.",
            f"{here.cpu}, {here.usable} of {here.cores} cores, {here.system}; {known}.",
            "",
            "| quantizer | seconds | peak memory, MB |",
            "|---|--:|--:|",
            *(row(name, found) for name, found in costs.items()),
            "",
            f"Tensors with the same type and the same bytes in both files: {same[0]} of {same[1]}.",
        ]
    )


def row(name: str, found: list[Cost]) -> str:
    """A row of the table."""
    seconds, peak = statistics.median(each.seconds for each in found), max(each.peak for each in found)
    return f"| {name} | {seconds:.1f} | {peak / 1e6:.0f} |"


NAMED = ("fourcc", "numpy", "numba", "llama-cpp-python")


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder for the files")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each")
    parser.add_argument("--write", action="store_true", help="write the figures into specs/performance.md")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    found = compared(asked.work, asked.rounds)
    print(found)
    if asked.write:
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), "quantizer", found), encoding="utf-8")


if __name__ == "__main__":
    main()
