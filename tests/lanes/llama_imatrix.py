"""Importance matrices of the shipped model by llama.cpp's own tools, and models that these quantize with ours.

``FOURCC_LLAMA_CPP`` names the folder with ``llama-imatrix`` and ``llama-quantize``. Run as a script, it renews the
vectors: `python -m tests.lanes.llama_imatrix tests/vectors/imatrix.json`.
"""

import base64
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import fourcc
from fourcc.calibration.calibration import Calibration, CalibrationText
from fourcc.calibration.collecting import collect
from fourcc.calibration.collecting_plan import Work
from fourcc.calibration.layout import About
from fourcc.calibration.model_digest import model_digest
from fourcc.calibration.reading import open_calibration
from fourcc.models.opening import open_to_run
from fourcc.models.windows import Window
from fourcc.sources import open_source

MODELS = Path(__file__).parents[2] / "fourcc" / "example"
TEXT = "heldout.txt"
CHUNKS, CHUNK = 3, 64
KINDS = ("gguf", "dat")


def tool(name: str) -> Path:
    """A tool of llama.cpp. Raises KeyError where no folder is named."""
    return Path(os.environ["FOURCC_LLAMA_CPP"]) / name


def run(name: str, *arguments: object, folder: Path) -> str:
    """All that a tool says, which must end well."""
    libraries = {**os.environ, "LD_LIBRARY_PATH": str(tool(""))}
    command = [str(tool(name)), *map(str, arguments)]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=libraries)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout + ended.stderr


def exported(folder: Path) -> tuple[Path, Path]:
    """The shipped model as a model.bin and as GGUF, in float32."""
    model, gguf = folder / "model.bin", folder / "model.gguf"
    fourcc.convert(MODELS / "tiny.bin", model, tokenizer=MODELS / "tiny_tokenizer.bin")
    fourcc.export(model, gguf)
    return model, gguf


def imatrix(gguf: Path, kind: str, folder: Path) -> Path:
    """The importance matrix that llama.cpp makes of the model."""
    shutil.copy(MODELS / TEXT, folder)
    out = folder / f"imatrix.{kind}"
    sizes = ("-c", CHUNK, "--chunks", CHUNKS, "-t", 1, "--no-ppl", "--process-output")
    exact = ("-ctk", "f32", "-ctv", "f32", "-fa", "off")  # its caches would hold 16 bits
    run("llama-imatrix", "-m", gguf, "-f", TEXT, "-o", out.name, "--output-format", kind, *sizes, *exact, folder=folder)
    return out


def ours(model: Path, folder: Path) -> Calibration:
    """Our calibration on the same tokens: a chunk begins with BOS in place of the token that it cuts there."""
    with ExitStack() as stack:
        opened, _ = open_to_run(model, stack)
        tokens = opened.tokenizer.encode((MODELS / TEXT).read_text(), bos=True)
        chunks = [tokens[first : first + CHUNK] for first in range(0, CHUNKS * CHUNK, CHUNK)]
        windows = tuple(Window((tokens[0], *chunk[1:])) for chunk in chunks)
        with open_source(model) as source:
            about = About(model_digest(source), (CalibrationText(TEXT, "0" * 64),), CHUNKS * CHUNK, CHUNK)
        out = folder / "ours.calib"
        collect(opened.network(CHUNK, 1), Work(about, windows), out)
    return open_calibration(out)


def main() -> None:
    """Renews the vectors."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _, gguf = exported(folder)
        files = {kind: base64.b64encode(imatrix(gguf, kind, folder).read_bytes()).decode() for kind in KINDS}
        version = run("llama-imatrix", "--version", folder=folder).splitlines()[0]
    provenance = {
        "by": "tests/lanes/llama_imatrix.py",
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "llama-imatrix": version,
        "model": "fourcc/example/tiny.bin, exported as GGUF",
        "text": f"the first {CHUNKS} chunks of {CHUNK} tokens of fourcc/example/{TEXT}",
        "holds": "the files, base64",
    }
    Path(sys.argv[1]).write_text(json.dumps({"provenance": provenance, "files": files}, indent=1) + "\n")


if __name__ == "__main__":
    main()
