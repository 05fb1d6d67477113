"""Read a llama2.c version 0 checkpoint with its tokenizer, and continue a text: plain numpy, one token at a time.

It shares no code with the training, so it also serves as an independent reference for the tiny model.
"""

import argparse
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
EXAMPLE = Path(__file__).parents[2] / "fourcc" / "example"  # the shipped model
BOS = 1


class Tokenizer:
    """A llama2.c `tokenizer.bin`: pieces of bytes, each with a score."""

    def __init__(self, path: Path, vocab_size: int) -> None:
        data, at = path.read_bytes(), 4  # the first u32 is the longest piece's length
        self.pieces: list[bytes] = []
        self.scores: list[float] = []
        for _ in range(vocab_size):
            score, length = struct.unpack_from("<fI", data, at)
            self.scores.append(score)
            self.pieces.append(data[at + 8 : at + 8 + length])
            at += 8 + length
        self.ids = {piece: token for token, piece in enumerate(self.pieces)}

    def encode(self, text: str) -> list[int]:
        """BOS and the text after a space: characters or their bytes, then the best-scored pair merged repeatedly."""
        ids = [BOS]
        for character in f" {text}" if text else "":
            known = self.ids.get(character.encode())
            ids += [known] if known is not None else [byte + 3 for byte in character.encode()]
        while pair := self._best_pair(ids):
            at, token = pair
            ids[at : at + 2] = [token]
        return ids

    def _best_pair(self, ids: list[int]) -> tuple[int, int] | None:
        """Where the pair with the highest-scored joined piece begins (leftmost on ties), and that piece."""
        joined = (self.ids.get(self.pieces[left] + self.pieces[right]) for left, right in pairwise(ids))
        found = [(at, token) for at, token in enumerate(joined) if token is not None]
        return max(found, key=lambda pair: (self.scores[pair[1]], -pair[0]), default=None)

    def decode(self, ids: list[int]) -> str:
        """The text of the ids after BOS, without the space that encoding put before it."""
        text = b"".join(bytes([token - 3]) if 3 <= token < 259 else self.pieces[token] for token in ids if token != BOS)
        return text.decode(errors="replace").removeprefix(" ")


class Model:
    """A checkpoint's arrays and the keys and values of the positions seen so far."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        header = struct.unpack_from("<7i", data)
        self.dim, self.hidden_dim, self.n_layers, self.n_heads, self.n_kv_heads, self.vocab_size, self.seq_len = header
        self.head_size = self.dim // self.n_heads
        arrays = self._arrays(np.frombuffer(data, "<f4", offset=28))
        self.tok_emb, self.rms_att, self.wq, self.wk, self.wv, self.wo, *arrays = arrays
        self.rms_ffn, self.w1, self.w2, self.w3, self.rms_final, self.cos, self.sin = arrays
        self.restart()

    def _arrays(self, flat: Array) -> list[Array]:
        """The checkpoint's numbers (n,) as arrays in file order, layers stacked in front."""
        layers, dim, hidden, kv_dim = self.n_layers, self.dim, self.hidden_dim, self.n_kv_heads * self.head_size
        attention = [(layers, dim), (layers, dim, dim), *[(layers, kv_dim, dim)] * 2, (layers, dim, dim)]
        ffn = [(layers, dim), (layers, hidden, dim), (layers, dim, hidden), (layers, hidden, dim)]
        tables = [(self.seq_len, self.head_size // 2)] * 2
        shapes = [(self.vocab_size, dim), *attention, *ffn, (dim,), *tables]
        ends = np.cumsum([np.prod(shape) for shape in shapes])
        assert ends[-1] == flat.size, f"checkpoint holds {flat.size} numbers, its header says {ends[-1]}"
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]

    def restart(self) -> None:
        """Forget all positions."""
        self.position = 0
        self.keys = np.zeros((self.n_layers, self.seq_len, self.n_kv_heads, self.head_size), np.float32)
        self.values = np.zeros_like(self.keys)  # (layers, seq_len, kv_heads, head_size)

    def step(self, token: int) -> Array:
        """Logits (vocab,) of the token that follows this one."""
        x = self.tok_emb[token]  # (dim,)
        for layer in range(self.n_layers):
            x = x + self._attention(layer, norm(x, self.rms_att[layer]))  # (dim,)
            h = norm(x, self.rms_ffn[layer])  # (dim,)
            gate = self.w1[layer] @ h  # (hidden,)
            x = x + self.w2[layer] @ (gate / (1 + np.exp(-gate)) * (self.w3[layer] @ h))  # (dim,)
        self.position += 1
        logits: Array = self.tok_emb @ norm(x, self.rms_final)  # (vocab,)
        return logits

    def _attention(self, layer: int, x: Array) -> Array:
        """Attention of x (dim,) on all positions so far, (dim,)."""
        now = self.position
        self.keys[layer, now] = self._rotate(self.wk[layer] @ x)
        self.values[layer, now] = (self.wv[layer] @ x).reshape(-1, self.head_size)
        q = self._rotate(self.wq[layer] @ x)  # (heads, head_size)
        out = np.empty_like(q)  # (heads, head_size)
        for head in range(self.n_heads):
            shared = head // (self.n_heads // self.n_kv_heads)
            scores = self.keys[layer, : now + 1, shared] @ q[head] / np.sqrt(self.head_size)  # (positions,)
            out[head] = softmax(scores) @ self.values[layer, : now + 1, shared]
        mixed: Array = self.wo[layer] @ out.ravel()  # (dim,)
        return mixed

    def _rotate(self, flat: Array) -> Array:
        """Turn each adjacent pair of every head of flat (heads * head_size,); (heads, head_size)."""
        pairs = flat.reshape(-1, self.head_size // 2, 2)  # (heads, head_size / 2, 2)
        angle = self.position / 10000.0 ** (np.arange(0, self.head_size, 2) / self.head_size)  # (head_size / 2,)
        turned = (pairs[..., 0] + 1j * pairs[..., 1]) * np.exp(1j * angle)  # (heads, head_size / 2)
        return np.stack((turned.real, turned.imag), axis=-1).reshape(-1, self.head_size).astype(np.float32)


def norm(x: Array, gain: Array) -> Array:
    """RMSNorm of x (dim,) with its gain (dim,), (dim,)."""
    scaled: Array = x / np.sqrt(np.mean(x * x) + np.float32(1e-5)) * gain  # (dim,)
    return scaled


def softmax(x: Array) -> Array:
    """Probabilities of the scores x (n,), (n,)."""
    exp = np.exp(x - x.max())  # (n,)
    probabilities: Array = exp / exp.sum()  # (n,)
    return probabilities


def continuation(model: Model, ids: list[int], temperature: float, rng: np.random.Generator) -> Iterator[int]:
    """Tokens after the ids, until the model says BOS or the context is full; temperature 0 takes the likeliest."""
    model.restart()
    for token in ids:
        logits = model.step(token)  # (vocab,)
    while model.position < model.seq_len:
        token = int(logits.argmax())
        if temperature > 0:
            probabilities = softmax((logits / temperature).astype(np.float64))  # (vocab,)
            token = int(rng.choice(len(probabilities), p=probabilities / probabilities.sum()))
        if token == BOS:
            return
        yield token
        logits = model.step(token)  # (vocab,)


def loss(model: Model, ids: list[int]) -> float:
    """The summed nats of all ids after the first."""
    model.restart()
    return -sum(float(np.log(softmax(model.step(token))[target])) for token, target in pairwise(ids))


def score(model: Model, tokenizer: Tokenizer, stories: list[str]) -> str:
    """The loss on the stories, each by itself and with the BOS that closes it."""
    rows = [[*tokenizer.encode(story), BOS] for story in stories]
    nats, tokens = sum(loss(model, row) for row in rows), sum(len(row) - 1 for row in rows)
    return f"{nats / tokens:.4f} nats/token, {nats / sum(map(len, stories)):.4f} nats/char"


def main() -> None:
    """Continue a text with the tiny model, or measure its loss on a file of stories."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("prompt", nargs="?", default="")
    parser.add_argument("--model", type=Path, default=EXAMPLE / "tiny.bin")
    parser.add_argument("--tokenizer", type=Path, default=EXAMPLE / "tiny_tokenizer.bin")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--score", type=Path, metavar="FILE", help="stories with an empty line between them")
    args = parser.parse_args()
    model = Model(args.model)
    tokenizer = Tokenizer(args.tokenizer, abs(model.vocab_size))
    if args.score:
        print(score(model, tokenizer, args.score.read_text().strip().split("\n\n")))
        return
    ids = tokenizer.encode(args.prompt)
    print(tokenizer.decode([*ids, *continuation(model, ids, args.temperature, np.random.default_rng(args.seed))]))


if __name__ == "__main__":
    main()
