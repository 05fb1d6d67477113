"""The shipped model with another vocabulary: its tokens in another order, rows that are no tokens, a row too large."""

import struct
from pathlib import Path

import attrs
import numpy as np
import tokenizers
from numpy.typing import NDArray

import fourcc

HEADER = 28  # bytes: dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len
ORDER = np.arange(384)
ORDER[300:310] = ORDER[300:310][::-1]  # ten tokens in reverse


@attrs.frozen
class Checkpoint:
    """A llama2.c v0 checkpoint whose output matrix is its embedding, as it lies in the file."""

    sizes: tuple[int, ...]
    embedding: NDArray[np.float32]  # (vocab_size, dim)
    rest: bytes

    @classmethod
    def read(cls, path: Path) -> "Checkpoint":
        """The tokenizer of a file."""
        data = path.read_bytes()
        sizes = struct.unpack("<7i", data[:HEADER])
        end = HEADER + 4 * sizes[0] * sizes[5]
        return cls(sizes, np.frombuffer(data[HEADER:end], "<f4").reshape(sizes[5], sizes[0]), data[end:])

    def write(self, path: Path, embedding: NDArray[np.float32]) -> Path:
        """Writes the model with another number of rows of the embedding."""
        sizes = (*self.sizes[:5], len(embedding), self.sizes[6])
        path.write_bytes(struct.pack("<7i", *sizes) + embedding.astype("<f4").tobytes() + self.rest)
        return path


def reordered(tokenizer: Path, path: Path) -> Path:
    """A llama2.c tokenizer.bin with its tokens in `ORDER`."""
    data, entries, at = tokenizer.read_bytes(), [], 4
    while at < len(data):
        length = 8 + struct.unpack_from("<i", data, at + 4)[0]
        entries.append(data[at : at + length])
        at += length
    path.write_bytes(data[:4] + b"".join(entries[old] for old in ORDER))
    return path


def permuted(models: Path, folder: Path) -> Path:
    """A model.bin whose tokens 300 to 309 stand in reverse, in the embedding and in the tokenizer: it says the same."""
    plain = Checkpoint.read(models / "tiny.bin")
    source = plain.write(folder / "permuted_source.bin", plain.embedding[ORDER])
    tokenizer = reordered(models / "tiny_tokenizer.bin", folder / "permuted_tokenizer.bin")
    fourcc.convert(source, folder / "permuted.bin", tokenizer=tokenizer)
    return folder / "permuted.bin"


def padded(models: Path, folder: Path, rows: int = 64) -> Path:
    """A model.bin with rows of its embedding that no token has; they would win often."""
    plain = Checkpoint.read(models / "tiny.bin")
    more = np.random.default_rng(0).standard_normal((rows, plain.sizes[0]), np.float32)
    source = plain.write(folder / "padded_source.bin", np.concatenate([plain.embedding, more]))
    fourcc.convert(source, folder / "silent.bin")
    fourcc.convert(folder / "silent.bin", folder / "padded.bin", tokenizer=models / "tiny_tokenizer.bin")
    return folder / "padded.bin"


def with_json(models: Path, folder: Path, tokenizer: tokenizers.Tokenizer) -> Path:
    """A model.bin with a tokenizer.json, and as many rows as that has tokens; it says nothing sensible."""
    plain, rows = Checkpoint.read(models / "tiny.bin"), tokenizer.get_vocab_size()
    source = plain.write(folder / "json_source.bin", np.resize(plain.embedding, (rows, plain.sizes[0])))
    (folder / "tokenizer.json").write_text(tokenizer.to_str())
    fourcc.convert(source, folder / "json.bin", tokenizer=folder / "tokenizer.json")
    return folder / "json.bin"


def broken(models: Path, folder: Path) -> Path:
    """A model.bin whose last token has a logit that overflows."""
    plain = Checkpoint.read(models / "tiny.bin")
    large = np.concatenate([plain.embedding[:-1], np.full_like(plain.embedding[:1], 3e38)])
    source = plain.write(folder / "broken_source.bin", large)
    fourcc.convert(source, folder / "broken.bin", tokenizer=models / "tiny_tokenizer.bin")
    return folder / "broken.bin"
