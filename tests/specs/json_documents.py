"""Runs every command with ``--json`` on small models, in all its variants, and gives the documents that came."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from fourcc.cli.app import main
from fourcc.container.resharding import split

# {d}: a folder; {z}: the tokenizer; {mix}: to a budget. A number before a command is the exit code that it ends with.
COMMANDS = """
example {d}/e
inspect {d}/e/model.bin
inspect {d}/e/tiny.bin
inspect {d}/e/model.bin --tensor layers.0.attention.wq
inspect {d}/e/tiny.bin --tensor layers.0.attention.wq
inspect {d}/e/model.bin --tensor norm
verify {d}/e/model.bin
1 verify {d}/broken.bin
convert {d}/e/tiny.bin -o {d}/f16.bin --format F16 {z}
convert {d}/e/tiny.bin --policy {d}/e/mixed.toml --dry-run
convert {d}/e/tiny.bin --format Q4_0 --dry-run --include *wq
convert {d}/e/tiny.bin -o {d}/cut.bin --format F16 --shard-size 200kB {z}
inspect {d}/cut.index.json
join {d}/cut.index.json -o {d}/joined.bin
split {d}/f16.bin -o {d}/shards --shard-size 200kB
1 verify {d}/lone.index.json
diff {d}/f16.bin {d}/f16.bin
1 diff {d}/f16.bin {d}/e/model.bin
1 diff {d}/e/model.bin {d}/e/tiny.bin
export {d}/e/tiny.bin -o {d}/x.gguf --format F32
export {d}/e/model.bin -o {d}/x.safetensors --format F16
formats
formats Q4_0
formats Q4_A
formats Q4_Z
formats Q4_0 --page
formats --files
formats --broken
policy check {d}/e/mixed.toml {d}/e/tiny.bin
1 policy check {d}/unmet.toml {d}/e/tiny.bin
2 policy check {d}/wrong.toml {d}/e/tiny.bin
policy recipes
policy show {d}/e/model.bin
policy show {d}/e/model.bin --resolved
policy show --recipe Q4_K_M
cache
cache build --format Q8_0 --threads 1
run {d}/e/model.bin -i One -n 8 -t 0
run {d}/e/tiny.bin {z} -i One -n 8
calibrate {d}/f16.bin --text {d}/short.txt -o {d}/x.calib --hessian
calibrate {d}/f16.bin --text {d}/short.txt -o {d}/y.calib --hessian --merge {d}/x.calib
inspect {d}/x.calib
convert {d}/f16.bin -o {d}/fed.bin --format Q8_0,F16 --calibration {d}/x.calib --feedback gptq
convert {d}/f16.bin -o {d}/static.bin --format Q8_0,F16 --calibration {d}/x.calib --activations static
inspect {d}/fed.bin
inspect {d}/fed.bin --tensor layers.0.attention.wq
inspect {d}/static.bin --tensor layers.0.attention.wq
export {d}/fed.bin -o {d}/folder/
eval {d}/fed.bin --reference {d}/f16.bin --text {d}/short.txt --exact
1 eval {d}/fed.bin --reference {d}/f16.bin --text {d}/short.txt --max-kld 0 --tokens 256
eval {d}/f16.bin --text {d}/e/heldout.txt --documents --tokens 600
measure {d}/f16.bin --text {d}/short.txt -o {d}/x.costs --options Q8_0,Q8_B,F16 --tokens 200 --seconds
inspect {d}/x.costs
allocate {d}/f16.bin --costs {d}/x.costs --budget 14bpw --frontier {d}/f.svg
allocate {d}/f16.bin --costs {d}/x.costs --budget 14bpw -o {d}/mix.toml --min-toks 1 --pin tok_embeddings:F16
extract {d}/e/model.bin norm -o {d}/norm.npy
extract {d}/e/model.bin --blob policy.toml -o {d}/p.toml
report {d}/e/model.bin -o {d}/r.html --quick
stats {d}/e/tiny.bin --layers 0
stats {d}/e/tiny.bin --format Q4_0 --include layers.0.attention.w?
stats {d}/e/model.bin --against {d}/e/tiny.bin --layers 0
stats {d}/e/tiny.bin --suggest --layers 0
stats {d}/e/tiny.bin --min-sqnr 40 --layers 0
shootout {d}/e/tiny.bin --options Q8_0,Q4_A,F16 --layers 0
shootout {d}/f16.bin --options Q8_0,F16 --layers 0 --calibration {d}/x.calib --no-speed
quantize {d}/e/tiny.bin -o {d}/q.gguf --format Q8_0,F16
quantize {d}/e/tiny.bin -o {d}/q.bin --format Q8_0,F16 --dry-run
quantize {d}/e/tiny.bin {z} -o {d}/q2.bin {mix}
convert {d}/e/tiny.bin {z} -o {d}/b.bin {mix}
plugin new fourcc-tern --tag Tern -o {d}/tern
plugin pin Q8_0 -o {d}/pinned.json
plugin test Q8_0 --quick --check codes --check threads
plugin test --list
bench --quick --format Q8_0 --shape 64x64 --threads 1 --n 1
bench-models --model tiny --threads 1 --prompt 4 --generate 4 --rounds 1
3 inspect {d}/short.txt
2 convert {d}/e/tiny.bin
2 inspect {d}/e/model.bin --tensor layers.0.attention.wx
4 inspect {d}/none.bin
"""
TOKENIZER = "-z {d}/e/tiny_tokenizer.bin"
MIX = "--budget 14bpw --options Q8_0,Q8_B,F16 --calibration-text {d}/e/training.txt --documents"
FILES = {
    "unmet.toml": 'version = 1\n[expect]\nbits = "< 1"\n[[rule]]\nmatch = "*"\ntag = "Q8_B"\nfallback = ["F32"]\n',
    "wrong.toml": 'version = 1\n[[rule]]\nmatch = "*"\ntag = "Q8_B"\ncolour = "red"\n',
}


def made(folder: Path) -> None:
    """Files that no command makes."""
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")


def documents(folder: Path, commands: str = COMMANDS) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every command, and each document that it wrote to stdout."""
    made(folder)
    for line in commands.strip().splitlines():
        words = line.format(d=folder, z=TOKENIZER.format(d=folder), mix=MIX.format(d=folder)).split()
        expected = int(words.pop(0)) if words[0].isdigit() else 0
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main([*words, "--json"])
        text = out.getvalue() or err.getvalue()
        if code != expected:
            raise AssertionError(f"{line}: exit code {code}\n{text}")
        yield from ((line, each) for each in parsed(text))
        if words[0] == "example":
            prepare(folder)


def prepare(folder: Path) -> None:
    """Makes the files that the commands want beside the example."""
    data = bytearray((folder / "e" / "model.bin").read_bytes())
    data[4096] ^= 1
    (folder / "broken.bin").write_bytes(data)
    split(folder / "e" / "model.bin", folder / "lone", shard_size="100kB").files[0].unlink()
    text = (folder / "e" / "training.txt").read_text(encoding="utf-8")
    (folder / "short.txt").write_text(text[:1500], encoding="utf-8")


def parsed(text: str) -> Iterator[dict[str, Any]]:
    """The objects of an output: one, or one a line."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text.rstrip()):
        value, at = decoder.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
        yield value
