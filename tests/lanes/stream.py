"""A lane beside the tests: a checkpoint larger than the disk may hold is converted from a hub, file after file.

The hub is a server of this machine that stores nothing: each byte of the checkpoint is computed from its place. What is
watched: the room that downloaded files take (one of them, and headers), the memory of the conversion, and that what is
made is what a conversion of the same files gives, which are written out for that in the short form alone.

Run: python -m tests.lanes.stream --gib 6
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from functools import cached_property
from pathlib import Path

import attrs
import numpy as np

from tests.hub.server import Contents, LocalHub, Repo, Stored

NAME = "org/large"
COLS = 4096
CHUNK = 1 << 22
WATCHED_SECONDS = 0.02


@attrs.frozen(slots=False)
class Made:
    """A safetensors file of bfloat16 weights between -2 and 2, whose bytes are computed when they are asked for.

    Attributes:
        number: of the file, from which its weights come.
        tensors: name -> rows.
    """

    number: int
    tensors: dict[str, int]

    @cached_property
    def head(self) -> bytes:
        """Length of the header, and the header."""
        entries, at = {}, 0
        for name, rows in self.tensors.items():
            end = at + 2 * rows * COLS
            entries[name] = {"dtype": "BF16", "shape": [rows, COLS], "data_offsets": [at, end]}
            at = end
        text = json.dumps(entries).encode()
        return len(text).to_bytes(8, "little") + text

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.head) + sum(2 * rows * COLS for rows in self.tensors.values())

    def read(self, begin: int, end: int) -> bytes:
        """The bytes begin..end."""
        head = self.head[begin:end]
        first, last = max(0, begin - len(self.head)), max(0, end - len(self.head))
        words = np.arange(first // 2, -(-last // 2), dtype=np.uint64)
        words = (words + np.uint64(self.number << 40)) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(40)
        # sign and mantissa of any value, exponents of 2^-6 to 1
        numbers = (words & np.uint64(0x807F)) | (
            np.uint64(121) + ((words >> np.uint64(8)) & np.uint64(7)) % 7 << np.uint64(7)
        )
        return head + numbers.astype("<u2").tobytes()[first % 2 : first % 2 + last - first]

    @cached_property
    def _sha256(self) -> str:
        digest = hashlib.sha256()
        for start in range(0, self.size, CHUNK):
            digest.update(self.read(start, min(start + CHUNK, self.size)))
        return digest.hexdigest()

    def sha256(self) -> str:
        """SHA-256 of the file."""
        return self._sha256


def checkpoint(nbytes: int, count: int) -> dict[str, Contents]:
    """The files of a checkpoint of so many bytes in so many files, with an index."""
    rows = max(8, nbytes // count // 4 // (2 * COLS))
    names = [f"model-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)]
    made = {
        name: Made(number, {f"layers.{4 * number + each}.weight": rows for each in range(4)})
        for number, name in enumerate(names)
    }
    weight_map = {tensor: name for name, file in made.items() for tensor in file.tensors}
    index = Stored(json.dumps({"weight_map": weight_map}).encode())
    return {"model.safetensors.index.json": index, **made}


@attrs.define
class Watch:
    """The most room that downloaded files took.

    Attributes:
        folder: that the output is in.
        most: bytes.
    """

    folder: Path
    most: int = 0
    over: threading.Event = attrs.field(factory=threading.Event)

    def run(self) -> None:
        """Looks again and again."""
        while not self.over.wait(WATCHED_SECONDS):
            self.most = max(self.most, sum(map(room, self.folder.glob(".fourcc-hub-*/org/large/*"))))


def room(path: Path) -> int:
    """Bytes that a file takes on the disk."""
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0


@attrs.frozen
class Streamed:
    """A conversion that has ended.

    Attributes:
        seconds: it took.
        disk: bytes that downloaded files took at most.
        memory: bytes that the process took at most.
        output: what was made.
    """

    seconds: float
    disk: int
    memory: int
    output: Path


def streamed(hub: LocalHub, folder: Path, tag: str, threads: int) -> Streamed:
    """Converts the checkpoint in a process of its own. Raises CalledProcessError where that fails."""
    watch = Watch(folder)
    looking = threading.Thread(target=watch.run)
    looking.start()
    began = time.monotonic()
    command = [sys.executable, "-m", "fourcc", "convert", NAME, "-o", str(folder / "model.bin"), "--stream", "--force"]
    command += ["--format", tag, "--threads", str(threads), "-q"]
    home = {"HF_ENDPOINT": hub.address, "HF_HOME": str(folder / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    try:
        subprocess.run(command, check=True, env={**os.environ, **home}, cwd=folder)
    finally:
        watch.over.set()
        looking.join()
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return Streamed(time.monotonic() - began, watch.most, memory, folder / "model.bin")


def written_out(files: dict[str, Contents], folder: Path) -> Path:
    """The files as a folder."""
    folder.mkdir()
    for name, contents in files.items():
        (folder / name).write_bytes(contents.read(0, contents.size))
    return folder


def main(arguments: list[str] | None = None) -> None:
    """Runs the lane, and prints what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=6.0)
    parser.add_argument("--files", type=int, default=12)
    parser.add_argument("--format", default="Q8_0,F16")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args(arguments)
    files, hub = checkpoint(int(asked.gib * (1 << 30)), asked.files), LocalHub()
    with tempfile.TemporaryDirectory() as folder:
        hub.repos[NAME] = Repo(files)
        began = time.monotonic()
        longest = max(contents.size for contents in files.values())
        total = sum(contents.size for contents in files.values())
        for contents in files.values():
            contents.sha256()
        print(f"{total} bytes in {asked.files} files; their digests took {time.monotonic() - began:.0f} s", flush=True)
        made = streamed(hub, Path(folder), asked.format, asked.threads)
        hub.close()
        print(
            f"{made.seconds:.0f} s, {total / made.seconds / 1e6:.0f} MB/s of source; {made.output.stat().st_size} bytes"
        )
        print(f"downloaded files took at most {made.disk} bytes, the longest file has {longest}")
        print(f"memory at most {made.memory} bytes")
        assert made.disk < longest + (asked.files << 19), "more than one file was on the disk"


if __name__ == "__main__":
    main()
