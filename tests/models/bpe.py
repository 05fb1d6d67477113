"""A small byte-pair tokenizer, trained, written and applied the way llama2.c's `tokenizer.bin` expects it."""

import re
import struct
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

BOS = 1
SPECIAL = ("<unk>", "\n<s>\n", "\n</s>\n")
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
CHUNK = re.compile(r" ?[A-Za-z]+| ?[^A-Za-z ]+| ")  # a word or a run of marks, with the space before it
Parts = tuple[str, ...]


class Tokenizer:
    """Pieces with scores: a merge made earlier has a higher score, single characters come after all merges."""

    def __init__(self, merges: list[str], characters: list[str]) -> None:
        self.pieces = [*SPECIAL, *BYTES, *merges, *characters]
        self.scores = [0.0] * (len(SPECIAL) + len(BYTES)) + [-float(rank) for rank in range(len(merges + characters))]
        self._ids = {piece: token for token, piece in enumerate(self.pieces)}
        self._encode_chunk = lru_cache(maxsize=None)(self._merge)

    def encode(self, text: str) -> list[int]:
        """BOS, then the text with a space put before it."""
        prefixed = f" {text}" if text else ""
        return [BOS, *(token for chunk in CHUNK.findall(prefixed) for token in self._encode_chunk(chunk))]

    def _merge(self, chunk: str) -> tuple[int, ...]:
        """One chunk's ids; no piece crosses a chunk's edge, so this equals merging the whole text at once."""
        ids = [token for character in chunk for token in self._character(character)]
        while True:
            pairs = (self._ids.get(self.pieces[left] + self.pieces[right]) for left, right in pairwise(ids))
            found = [(self.scores[token], -at, token) for at, token in enumerate(pairs) if token is not None]
            if not found:
                return tuple(ids)
            _, minus_at, token = max(found)
            ids[-minus_at : -minus_at + 2] = [token]

    def _character(self, character: str) -> list[int]:
        """The character's own piece, or its UTF-8 bytes as byte tokens."""
        known = self._ids.get(character)
        return [known] if known is not None else [byte + len(SPECIAL) for byte in character.encode()]

    def save(self, path: Path) -> None:
        """Write u32 longest piece, then for each piece f32 score, u32 length and its UTF-8 bytes (little-endian)."""
        encoded = [piece.encode() for piece in self.pieces]
        records = (
            struct.pack("<fI", score, len(piece)) + piece for score, piece in zip(self.scores, encoded, strict=True)
        )
        path.write_bytes(struct.pack("<I", max(map(len, encoded))) + b"".join(records))


def train(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Merge the most frequent pair of parts, over and over, until the vocabulary is full."""
    chunks = Counter(chunk for text in texts for chunk in CHUNK.findall(f" {text}"))
    characters = sorted({character for chunk in chunks for character in chunk})
    split: dict[Parts, int] = {tuple(chunk): count for chunk, count in chunks.items()}
    merges: list[str] = []
    while len(SPECIAL) + len(BYTES) + len(characters) + len(merges) < vocab_size:
        left, right = _most_frequent_pair(split)
        split = {_joined(parts, left, right): count for parts, count in split.items()}
        merges.append(left + right)
    return Tokenizer(merges, characters)


def _most_frequent_pair(split: dict[Parts, int]) -> tuple[str, str]:
    """The adjacent pair that occurs most often; the alphabet breaks a tie."""
    pairs: Counter[tuple[str, str]] = Counter()
    for parts, count in split.items():
        for pair in pairwise(parts):
            pairs[pair] += count
    return max(pairs, key=lambda pair: (pairs[pair], pair))


def _joined(parts: Parts, left: str, right: str) -> Parts:
    """The parts with every `left`, `right` made one part, from the left."""
    done: list[str] = []
    for part in parts:
        if done and done[-1] == left and part == right:
            done[-1] = left + right
        else:
            done.append(part)
    return tuple(done)
