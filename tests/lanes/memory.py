"""The memory lane: conversions in processes of their own, whose peak must not exceed what was predicted, nor the cap.

    python tests/lanes/memory.py                      # every format, into and out of; a few threads and shapes
    python tests/lanes/memory.py --format Q8_0,TC3    # only these

Prints a line for each conversion; exits with 1 where one took more than was predicted. A short form runs with the other
tests.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from fourcc.format import Aids
    from fourcc.sources.source import Source

ROOT = Path(__file__).resolve().parents[2]
PATTERN = 1 << 20  # random weights, repeated
MB = 10**6
SPARE = 8 * MB  # what finding the smallest cap itself takes
SHAPES = ((2048, 2048), (64, 32768), (32768, 64))
FED = (512, 1024)  # with error feedback, and of exports
THREADS = (1, 2, 8)
EXPORTS = {"awq": "Q4_Z", "gptq": "Q4_Z", "compressed-tensors": "Q4_Z", "gguf": "Q4_K"}


@attrs.frozen
class Case:
    """A conversion to measure.

    Attributes:
        source: the file.
        output: the file or folder.
        tag: the format of all tensors.
        threads: how many.
        kind: of the export; empty: a model.bin.
        cap: bytes of memory; None: no cap.
        hessians: whether there is error feedback, from a Hessian made up for each tensor.
        least: whether the cap is what was predicted for one tile at a time.
    """

    source: str
    output: str
    tag: str
    threads: int
    kind: str = ""
    cap: int | None = None
    hessians: bool = False
    least: bool = False


@attrs.frozen
class Outcome:
    """Bytes of resident memory: what was there before, what was predicted, the peak."""

    before: int
    predicted: int
    peak: int


def write_source(path: Path, shape: tuple[int, ...], count: int = 2, dtype: str = "F32") -> Path:
    """Writes a safetensors file of random weights, made of one pattern."""
    return _write(path, {f"layers.{k}.weight": shape for k in range(count)}, dtype)


def write_llama(folder: Path, dim: int) -> Path:
    """Writes a folder with a llama of one layer, whose matrices have `dim` rows or columns, or four times as many."""
    folder.mkdir(exist_ok=True)
    sizes = {"hidden_size": dim, "intermediate_size": 4 * dim, "vocab_size": dim, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 8, "num_key_value_heads": 8, "max_position_embeddings": 128}
    rest = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "rms_norm_eps": 1e-5, "rope_theta": 10000.0}
    config = {**sizes, **heads, **rest, "hidden_act": "silu", "tie_word_embeddings": False}
    (folder / "config.json").write_text(json.dumps(config))
    square, wide, tall, start = (dim, dim), (4 * dim, dim), (dim, 4 * dim), "model.layers.0"
    shapes: dict[str, tuple[int, ...]] = {f"{start}.self_attn.{name}_proj.weight": square for name in "qkvo"}
    shapes |= {f"{start}.mlp.{name}_proj.weight": wide for name in ("gate", "up")}
    shapes |= {f"{start}.{name}_layernorm.weight": (dim,) for name in ("input", "post_attention")}
    shapes |= {f"{start}.mlp.down_proj.weight": tall, "model.embed_tokens.weight": square, "lm_head.weight": square}
    _write(folder / "model.safetensors", {**shapes, "model.norm.weight": (dim,)}, "F32")
    return folder


def _write(path: Path, shapes: Mapping[str, tuple[int, ...]], dtype: str) -> Path:
    weights = np.random.default_rng(0).standard_normal(PATTERN, np.float32)
    pattern = weights if dtype == "F32" else (weights.view(np.uint32) >> 16).astype(np.uint16)
    header: dict[str, object] = {}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + prod(shape) * pattern.itemsize
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for at in range(0, end, pattern.nbytes):
            out.write(pattern.tobytes()[: end - at])
    return path


def measure(case: Case, env: dict[str, str] | None = None) -> Outcome:
    """One conversion in a process of its own."""
    command = [sys.executable, "-m", "tests.lanes.memory", "--one", json.dumps(attrs.asdict(case))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise RuntimeError(f"{case}: {done.stderr[-2000:]}")
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def carry_out(case: Case) -> Outcome:
    """The conversion, in this process."""
    from fourcc.conversion.carrying_out import execute
    from fourcc.conversion.memory_need import Room
    from fourcc.conversion.plan import plan
    from fourcc.execution import Execution
    from fourcc.exporters import kind_of
    from fourcc.exporters.export import check_targets, execute_export, plan_export
    from fourcc.policy import Policy
    from fourcc.resident import peak_resident_bytes, resident_bytes
    from fourcc.sources import open_source

    rules = Policy.chosen(format=case.tag, recipe=None, policy=None)
    with open_source(Path(case.source), None) as source:
        given = {"aids": _made_up(source), "feedback": "gptq"} if case.hessians else {}
        if case.kind:
            planned = plan_export(source, kind_of(Path(case.output), case.kind), rules)
        else:
            planned = plan(source, rules, **given)
        before, free = resident_bytes(), Room.of(planned, Execution(threads=case.threads))
        cap = free.least + SPARE if case.least else case.cap
        how = Execution(threads=case.threads, memory=cap, anew=True)
        predicted = Room.of(planned, how).peak
        if case.kind:
            execute_export(planned, check_targets(planned, Path(case.output), force=True), how)
        else:
            execute(planned, Path(case.output), how)
    return Outcome(before, predicted, peak_resident_bytes())


def _made_up(source: Source) -> dict[str, Aids]:
    """A Hessian for each matrix."""
    from fourcc.format import Aids

    found = {}
    for tensor in source.tensors:
        cols = tensor.shape[-1]
        x = np.random.default_rng(1).standard_normal((64, cols), np.float32)
        found[tensor.name] = Aids(np.ones(cols, np.float32), x.T @ x / 64 + np.eye(cols, dtype=np.float32))
    return found


def cases(folder: Path, tags: Iterable[str]) -> Iterator[Case]:
    """Every format, into and out of, by shapes and threads; exports; caps as low as can be."""
    from fourcc.plugins.registry import registry

    for rows, cols in SHAPES:
        source = write_source(folder / f"{rows}x{cols}.safetensors", (rows, cols))
        for tag in tags:
            if registry[tag].encode is None:
                continue
            made = str(folder / f"{tag}.bin")
            for threads in THREADS:
                yield Case(str(source), made, tag, threads)
            yield Case(str(source), made, tag, THREADS[-1], least=True)
            yield Case(made, str(folder / "out.bin"), "Q8_0", THREADS[-1])
    source = write_source(folder / "linear.safetensors", FED)
    for tag in (tag for tag in tags if registry[tag].encode is not None):
        for least in (False, True):
            yield Case(str(source), str(folder / "fed.bin"), tag, 2, hessians=True, least=least)
    llama = write_llama(folder / "llama", FED[1])
    for kind, tag in EXPORTS.items():
        for least in (False, True):
            if tag in tags:
                yield Case(str(llama), str(folder / kind), f"{tag},F32", 2, kind=kind, least=least)


def main() -> int:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", help="tags, with commas between")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--dir", type=Path, help="where there is room for sources and outputs")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(attrs.asdict(carry_out(Case(**json.loads(args.one))))))
        return 0
    from fourcc.plugins.registry import registry

    tags = args.format.split(",") if args.format else [each["tag"] for each in registry.records()]
    over = 0
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        for case in cases(Path(folder), tags):
            outcome = measure(case)
            over += outcome.peak > outcome.predicted
            print(_line(case, outcome), flush=True)
    print(f"{over} conversions took more than was predicted")
    return int(over > 0)


def _line(case: Case, outcome: Outcome) -> str:
    words = [Path(case.source).name, "->", case.tag, case.kind, f"{case.threads} threads"]
    words += ["feedback"] * case.hessians + ["least cap"] * case.least
    sizes = f"before {outcome.before // MB}, peak {outcome.peak // MB}, predicted {outcome.predicted // MB} MB"
    return f"{' '.join(filter(None, words)):60s} {sizes}{'  OVER' * (outcome.peak > outcome.predicted)}"


if __name__ == "__main__":
    sys.exit(main())
