"""The table of ``specs/families.md``: each family read, run, written as GGUF and as a folder.

    python -m tests.lanes.families            prints the table
    python -m tests.lanes.families --write    and writes it into the page

Wants llama-cpp-python, and in FOURCC_TRANSFORMERS an interpreter with transformers and torch; a column is left as it
is in the page where its program is absent. The models are those of ``tests/running/family_cases.py``.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np

import fourcc
from fourcc.errors import FourccError
from fourcc.exporters import KINDS
from fourcc.exporters.export import check_targets, execute_export, plan_export
from fourcc.networks import CLASSES
from fourcc.policy import Policy
from fourcc.sources import open_source
from tests.running import family_oracle
from tests.running.family_cases import CASES, PLACES, TOKENS
from tests.sources.writers import safetensors, written

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "specs" / "families.md"
BEGIN, END = "<!-- families: begin -->", "<!-- families: end -->"
PLAIN = 2e-3  # of the logits' size: llama.cpp looks GELU up in a table of float16; without it 5e-6 is seen
SAME = 1e-9  # KL divergence
NOT_LOADED = {  # what its loader wants, by case
    "gemma, untied": "its gemma has no output matrix",
    "starcoder2, without biases": "its starcoder2 has biases",
    "cohere, norms": "its command-r has norms of q and k from 64 layers on",
    "qwen2_moe, some layers": "its qwen2moe has experts in all layers",
    "qwen3_moe, some layers": "its qwen3moe has experts in all layers",
}
HEAD = (
    "| `model_type` | architecture, in GGUF | runs: KL to transformers | HF folder out: KL | GGUF out, in llama.cpp |"
    " chat template |\n|---|---|--:|--:|---|---|"
)


@attrs.define
class Found:
    """The findings on a family, the worst of its cases.

    Attributes:
        network: that runs it.
        gguf: ``general.architecture``.
        run: KL divergence from transformers, of the worst place.
        folder: likewise of the exported folder, run by transformers; None: it was not asked.
        llama: the largest difference of llama.cpp's logits from ours, as a part of the largest logit, by case.
        refused: case -> why an export or llama.cpp refuses it.
        notes: notes of exports to GGUF, by case.
    """

    network: str = ""
    gguf: str = ""
    run: float = 0.0
    folder: float | None = None
    llama: dict[str, float] = attrs.field(factory=dict)
    refused: dict[str, str] = attrs.field(factory=dict)
    notes: dict[str, list[str]] = attrs.field(factory=dict)


def divergence(wanted: np.ndarray, found: np.ndarray) -> float:
    """The largest KL divergence of a row of logits from another."""
    p, q = (logs - np.log(np.exp(logs).sum(1, keepdims=True)) for logs in (wanted, found.astype(np.float64)))
    return float((np.exp(p) * (p - q)).sum(1).max())


def family(case: str) -> str:
    """The ``model_type`` of a case's language model."""
    return str(CASES[case].get("text_config", CASES[case])["model_type"])


def folder(at: Path, case: str) -> Path:
    """The case as a folder."""
    at.mkdir()
    written(at, "model.safetensors", safetensors(family_oracle.tensors(case)))
    written(at, "config.json", CASES[case])
    return at


def export(model: Path, target: Path, kind: str) -> tuple[str, ...]:
    """Exports, and gives the notes."""
    with open_source(model) as source:
        planned = plan_export(source, KINDS[kind])
        execute_export(planned, check_targets(planned, target, force=True))
    return planned.layout.notes


def ours(model: Path) -> np.ndarray:
    """Our logits behind each place."""
    with fourcc.open(model) as opened:
        logits: np.ndarray = opened.network(context=len(TOKENS), threads=1).forward(TOKENS, every=True)
        return logits[list(PLACES)].astype(np.float64)


def by_llama_cpp() -> Callable[[Path], np.ndarray] | None:
    """The function that asks llama.cpp for its logits; None where the package is absent."""
    try:
        from llama_cpp import Llama
    except ImportError:
        return None

    def ask(model: Path) -> np.ndarray:
        network = Llama(str(model), n_ctx=256, logits_all=True, verbose=False, type_k=0, type_v=0, n_threads=1)
        network.eval(TOKENS)
        return np.array(network.scores[: len(TOKENS)], np.float64)[list(PLACES)]

    return ask


def by_transformers(folders: list[Path]) -> list[np.ndarray]:
    """The logits of transformers for folders; none where no interpreter with it is named."""
    interpreter = os.environ.get("FOURCC_TRANSFORMERS")
    if not interpreter or not folders:
        return []
    script = ROOT / "tests" / "lanes" / "family_logits.py"
    command = [interpreter, str(script), "--ask", *map(str, folders)]
    done = subprocess.run(command, cwd=folders[0], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found = [base64.b64decode(each) for each in json.loads(done.stdout.strip().splitlines()[-1])]
    return [np.frombuffer(data, "<f4").reshape(len(PLACES), -1).astype(np.float64) for data in found]


def examine(case: str, found: Found, ask: Callable[[Path], np.ndarray] | None, here: Path) -> Path | None:
    """Converts, runs and exports a case, and adds what was found; gives the exported folder."""
    here.mkdir()
    given, model = folder(here / "in", case), here / "model.bin"
    fourcc.convert(given, model, policy=Policy.shorthand("F32"))
    logits = ours(model)
    found.run = max(found.run, divergence(family_oracle.logits(case), logits))
    _gguf(case, found, model, here / "model.gguf", logits, ask)
    return _folder(case, found, model, here / "out")


def _folder(case: str, found: Found, model: Path, at: Path) -> Path | None:
    at.mkdir()
    try:
        export(model, at / "model.safetensors", "safetensors")
    except FourccError as error:
        found.refused[f"{case}, as a folder"] = str(error).partition(": ")[2]
        return None
    return at


def ask_transformers(families: dict[str, Found], folders: dict[str, Path]) -> None:
    """Has transformers run the exported folders."""
    for case, logits in zip(folders, by_transformers(list(folders.values())), strict=False):
        found = families[family(case)]
        found.folder = max(found.folder or 0.0, divergence(family_oracle.logits(case), logits))


def _gguf(
    case: str, found: Found, model: Path, target: Path, logits: np.ndarray, ask: Callable[[Path], np.ndarray] | None
) -> None:
    try:
        notes = export(model, target, "gguf")
    except FourccError as error:
        found.refused[f"{case}, as GGUF"] = str(error).partition(": ")[2]
        return
    found.notes[case] = [note for note in notes if "llama.cpp" in note]
    from fourcc.files.read import ReadFile
    from fourcc.sources.gguf_header import read_head

    head = ReadFile(target, FourccError)
    found.gguf = str(read_head(head).values["general.architecture"])
    head.close()
    if ask is None:
        return
    try:
        found.llama[case] = float(np.abs(ask(target) - logits).max() / np.abs(logits).max())
    except ValueError as error:
        found.refused[f"{case}, in llama.cpp"] = f"not loaded ({NOT_LOADED.get(case, error)})"


def table(families: dict[str, Found]) -> str:
    """The table, and a list of what differs."""
    lines = [HEAD]
    for name, found in families.items():
        agree = [case for case, off in found.llama.items() if off <= PLAIN]
        said = f"{len(agree)} of {len(found.llama)} cases alike" if found.llama else "not asked"
        folder = "-" if found.folder is None else f"{found.folder:.0e}"
        lines.append(f"| {name} | {found.network}, `{found.gguf}` | {found.run:.0e} | {folder} | {said} | its own |")
    lines.append("")
    for found in families.values():
        for case, off in found.llama.items():
            if off > PLAIN:
                why = "; ".join(found.notes[case]) or "llama.cpp computes otherwise"
                lines.append(f"* {case}: llama.cpp's logits differ by {off:.1%}: {why}")
        lines += [f"* {case}: {why}" for case, why in found.refused.items()]
    return "\n".join(lines)


def main() -> int:
    """Examines every case; prints or writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the table into the page")
    parser.add_argument("--only", default="", help="begin of the names of the cases")
    arguments = parser.parse_args()
    families: dict[str, Found] = {}
    ask = by_llama_cpp()
    with tempfile.TemporaryDirectory() as at:
        folders: dict[str, Path] = {}
        for case in [case for case in CASES if case.startswith(arguments.only) and family(case) in CLASSES]:
            found = families.setdefault(family(case), Found(CLASSES[family(case)][0].name))
            made = examine(case, found, ask, Path(at) / case)
            folders |= {} if made is None else {case: made}
            print(case, f"{found.run:.1e}", found.llama.get(case), flush=True)
        ask_transformers(families, folders)
    text = table(families)
    print(text)
    if arguments.write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")
    return int(any(found.run > SAME or (found.folder or 0) > SAME for found in families.values()))


if __name__ == "__main__":
    sys.exit(main())
