"""Hyper-parameters that no honest model has, each put through `run`, `eval` and every `export`, in one process.

A small honest model is written as a model.bin, as GGUF and as a folder of Hugging Face's; one key, or two, is given a
value of the wrong kind or beyond all bounds. Each command must answer or refuse: quickly, in little memory, without a
warning. The whole sweep: ``python -m tests.fuzz.hyper``.
"""

import contextlib
import io
import random
import re
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import attrs
import msgpack
import numpy as np

import fourcc
from fourcc.cli.app import main
from fourcc.exporters import KINDS as EXPORTERS
from tests.container.forge import seal
from tests.sources import writers as w

SECONDS, MEMORY = 1.0, 256 << 20  # beyond the honest model
ANSWERED = (0, 1, 2, 3)  # exit codes; 4 would be no memory, 70 a bug
SEQ = 16
ABSENT = object()
NO_NUMBER = re.compile(r"(?<![\w/])-?nan(?!\w)")  # as a word: names of scratch folders may hold the letters

Changes = dict[str, object]

H, TENSORS = w.llama(dim=16, hidden=24, layers=2, heads=4, kv_heads=2, vocab=260, seq=SEQ)


@attrs.frozen
class Mutation:
    """One model.

    Attributes:
        kind: how it is written: a key of `KINDS`.
        changes: key -> value, or `ABSENT`.
    """

    kind: str
    changes: Changes

    def __str__(self) -> str:
        said = ", ".join(
            f"{key}={'absent' if value is ABSENT else repr(value)[:60]}" for key, value in self.changes.items()
        )
        return f"{self.kind}: {said}"


def tokenizer() -> bytes:
    """llama2.c's, with a token for every byte."""
    texts = ["<unk>", "\n<s>\n", "\n</s>\n", *(f"<0x{byte:02X}>" for byte in range(256)), "a"]
    entries = b"".join(w.struct.pack("<fI", 0.0, len(text)) + text.encode() for text in texts)
    return w.struct.pack("<I", max(map(len, texts))) + entries


@cache
def exploded() -> tuple[dict[str, object], bytes]:
    """The index and the payload of the honest model.bin."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, words = folder / "m", folder / "t"
        source.write_bytes(w.llama2c_v0(H, TENSORS))
        words.write_bytes(tokenizer())
        fourcc.convert(source, folder / "m.bin", tokenizer=words)
        with fourcc.open(folder / "m.bin") as model:
            offset, length = model.members[0].tail.index_offset, model.members[0].tail.index_bytes
        data = (folder / "m.bin").read_bytes()
    return msgpack.unpackb(data[offset : offset + length]), data[64:offset]


def changed(tree: Changes, changes: Changes) -> Changes:
    """The tree with the changes made."""
    return {key: value for key, value in {**tree, **changes}.items() if value is not ABSENT}


def honest_model(path: Path, changes: Changes) -> Path:
    """A model.bin with changed hyper-parameters, everything else as it should be."""
    index, payload = exploded()
    hyper = changed(index["hyper"], changes)  # type: ignore[arg-type]
    path.write_bytes(seal(msgpack.packb({**index, "hyper": hyper}), payload))
    return path


def hf_folder(path: Path, changes: Changes) -> Path:
    """A folder of Hugging Face's with a changed config."""
    path.mkdir(exist_ok=True)
    w.written(path, "model.safetensors", w.safetensors(w.to_hf(H, TENSORS)))
    honest = w.config(H, rope_theta=10000.0, rms_norm_eps=1e-5)  # which every kind of file can say
    return w.written(path, "config.json", changed(honest, changes)).parent


GGUF_KEYS: dict[str, tuple[int, object]] = {
    "general.architecture": (8, "llama"),
    "llama.context_length": (4, SEQ),
    "llama.embedding_length": (4, 16),
    "llama.feed_forward_length": (4, 24),
    "llama.block_count": (4, 2),
    "llama.attention.head_count": (4, 4),
    "llama.attention.head_count_kv": (4, 2),
    "llama.attention.layer_norm_rms_epsilon": (6, 1e-5),
    "llama.rope.freq_base": (6, 10000.0),
}


def gguf_file(path: Path, changes: Changes) -> Path:
    """A GGUF file with changed keys, each of the widest type that holds its value."""
    values = changed({key: value for key, (_, value) in GGUF_KEYS.items()}, changes)
    keys = [_gguf_key(key, value, GGUF_KEYS.get(key, (None,))[0]) for key, value in values.items()]
    tensors = [(w.gguf_name(name), array.shape, 0, array.tobytes()) for name, array in TENSORS.items()]
    path.write_bytes(w.gguf([key for key in keys if key], tensors))
    return path


def _gguf_key(key: str, value: object, kind: int | None) -> bytes:
    """The key in its own type where that holds the value; else in one that does; nothing where none does."""
    if isinstance(value, list):
        items = {type(item) for item in value}
        code = {int: 11, float: 12, str: 8, bool: 7}.get(items.pop() if len(items) == 1 else int, 11)
        return w.gguf_key(key, 9, value, code) if all(isinstance(item, (int, float, str)) for item in value) else b""
    codes = {bool: (7,), int: (4, 10, 11), float: (6, 12), str: (8,)}.get(type(value), ())
    for code in (kind, *codes) if kind in codes else codes:
        with contextlib.suppress(w.struct.error, OverflowError):
            return w.gguf_key(key, code, value)
    return b""


KINDS: dict[str, Callable[[Path, Changes], Path]] = {
    "model.bin": honest_model,
    "Hugging Face": hf_folder,
    "GGUF": gguf_file,
}

SIZES = ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "head_dim", "vocab_size", "seq_len")
SCALING = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings", "factors")
KEYS = {
    "model.bin": (
        *(*SIZES, "norm_eps", "rope_theta", "rope_dim", "rope_pairing", "hidden_act", "tied_embeddings"),
        *("bos_token_id", "eos_token_id", "sliding_window", "sliding_window_layers", "partial_rotary_factor"),
        *(f"rope_scaling.{name}" for name in ("type", *SCALING, "beta_fast")),
    ),
    "Hugging Face": (
        *(*w.config(H), "head_dim", "rope_scaling", "rope_parameters", "hidden_act", "sliding_window"),
        *("bos_token_id", "eos_token_id", "attention_bias", "partial_rotary_factor", "quantization_config"),
    ),
    "GGUF": (
        *(*GGUF_KEYS, "llama.vocab_size", "llama.attention.key_length", "llama.attention.value_length"),
        *("llama.rope.dimension_count", "llama.rope.scaling.type", "llama.rope.scaling.factor"),
        *("llama.attention.sliding_window", "llama.expert_count", "general.alignment"),
    ),
}
VALUES: tuple[object, ...] = (
    ABSENT,
    *(0, 1, 2, 3, 5, 7, 15, 17, 255, 2**16, 2**22, 2**31 - 1, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, -1, -(2**63)),
    *(0.0, -0.0, 4.0, 0.5, 5e-324, 1e-38, 1e38, 1e308, -1e308, 16.5),
    *(True, False, "", "16", "nan", "llama3", "linear", "x" * 300, "a\x1b[2Jb"),
    *([], [16], [16, 16], [0], [1, 0], ["a", "b"], [1e38] * 2, [True, False], [2**62] * 3),
)
SPECIAL: dict[str, tuple[object, ...]] = {  # what JSON alone can say
    "Hugging Face": (
        None,
        {},
        {"type": "linear"},
        {"rope_type": "llama3", "factor": 0},
        10**30,
        float("nan"),
        float("inf"),
    ),
}
WRITE = {"model.bin": lambda value: not isinstance(value, int) or abs(value) < 2**64}


def mutations(pairs: int = 300, seed: int = 1) -> Iterator[Mutation]:
    """Every key with every value; then pairs of keys, drawn."""
    rng = random.Random(seed)
    for kind, keys in KEYS.items():
        values = (*VALUES, *SPECIAL.get(kind, ()))
        for key in keys:
            yield from (Mutation(kind, {key: value}) for value in values)
        for _ in range(pairs):
            yield Mutation(kind, {key: rng.choice(values) for key in rng.sample(keys, 2)})


def logits_of(path: Path) -> np.ndarray:
    """Logits after three tokens."""
    with fourcc.open(path) as model:
        return model.network(8, 1).forward([1, 4, 9]).copy()


@attrs.define
class Sweep:
    """Puts models through the commands, and collects what may not come.

    Attributes:
        folder: for their files.
        seconds: processor time that the honest model takes, the longest of the commands.
        findings: what was wrong, with the mutation.
        codes: (command, exit code) -> how many.
    """

    folder: Path
    seconds: float = 0.0
    findings: list[str] = attrs.field(factory=list)
    codes: dict[tuple[str, int], int] = attrs.field(factory=dict)

    def prepare(self) -> None:
        """Runs the honest models: their kernels are compiled, and everything is imported."""
        (self.folder / "t").write_bytes(tokenizer())
        (self.folder / "text").write_text("ab cd\nef " * 2)
        for _ in range(2):
            for kind in KINDS:
                for command, code, _, seconds in self._commands(Mutation(kind, {})):
                    assert code == 0, (kind, command)
                    self.seconds = seconds if _ else max(self.seconds, seconds)

    def put(self, mutation: Mutation) -> None:
        """One model through every command."""
        before = _memory("VmRSS")
        _forget_peak()
        with _limited(MEMORY):
            for command, code, text, seconds in self._commands(mutation):
                self.codes[command, code] = self.codes.get((command, code), 0) + 1
                for wrong in self._wrong(command, code, text, seconds):
                    self.findings.append(f"{mutation}: {command}: {wrong}")
        if (grown := _memory("VmHWM") - before) > MEMORY:
            self.findings.append(f"{mutation}: {grown >> 20} MiB")

    def _wrong(self, command: str, code: int, text: str, seconds: float) -> Iterator[str]:
        if code not in ANSWERED:
            yield f"exit code {code}: {text.strip().splitlines()[-1][:300]}"
        if "Warning" in text:
            yield f"a warning: {text.strip()[:300]}"
        if command == "eval" and code == 0 and NO_NUMBER.search(text):
            yield f"no number: {text.strip()[:200]}"
        if seconds > self.seconds + SECONDS:
            yield f"{seconds:.1f} s of the processor"

    def _commands(self, mutation: Mutation) -> Iterator[tuple[str, int, str, float]]:
        """Name, exit code, what was printed, and processor time of each command."""
        try:
            path = KINDS[mutation.kind](self.folder / f"m{list(KINDS).index(mutation.kind)}", mutation.changes)
        except (OverflowError, ValueError):  # no such file can be: msgpack has 64 bits
            return
        words = [] if mutation.kind == "model.bin" else ["-z", str(self.folder / "t")]
        (self.folder / "out").mkdir(exist_ok=True)
        exports = (
            ["export", str(path), "-o", str(self.folder / "out" / f"model{kind.suffix}"), "--to", name, "--force", "-q"]
            for name, kind in EXPORTERS.items()
        )
        for command in (
            ["run", str(path), "-i", "a", "-t", "0", "-n", "4", "--threads", "1", *words],
            ["eval", str(path), "--text", str(self.folder / "text"), "--tokens", "8", "--context", "8", "-q", *words],
            *exports,
        ):
            if command[0] == "eval":
                command += ["--threads", "1"]
            code, text, seconds = _timed(command)
            yield f"export --to {command[5]}" if command[0] == "export" else command[0], code, text, seconds


def _timed(arguments: list[str]) -> tuple[int, str, float]:
    """Exit code, output and processor time of a command in this process."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    start = time.process_time()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), warnings.catch_warnings():
        warnings.simplefilter("always")
        code = main(arguments)
    seconds = time.process_time() - start
    return code, out.buffer.getvalue().decode("utf-8", "replace"), seconds  # type: ignore[attr-defined]


def _memory(what: str) -> int:
    """VmRSS: memory that the process has; VmHWM: the most that it had since it was told to forget. In bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) << 10


def _forget_peak() -> None:
    with contextlib.suppress(OSError):  # where it is not allowed, the peak is that of the whole sweep
        Path("/proc/self/clear_refs").write_text("5")


@contextlib.contextmanager
def _limited(more: int) -> Iterator[None]:
    """So much more address space than now; a request for more fails instead of being granted and not used."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 2 * more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def swept(chosen: Iterable[Mutation]) -> Sweep:
    """A sweep over these mutations."""
    with tempfile.TemporaryDirectory() as folder:
        sweep = Sweep(Path(folder))
        sweep.prepare()
        for mutation in chosen:
            sweep.put(mutation)
    return sweep


if __name__ == "__main__":
    step = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    begun, everything = time.process_time(), list(mutations())[::step]
    done = swept(everything)
    sys.stdout.write("\n".join([*done.findings, ""]))
    sys.stdout.write(f"{len(everything)} models, {len(done.findings)} findings, {done.codes}, ")
    sys.stdout.write(f"{time.process_time() - begun:.0f} s, honest {done.seconds:.2f} s\n")
