"""Make the tiny story model: write the stories, train the tokenizer and the network, and save everything.

The same seed, PyTorch version and kind of processor give the same files.
"""

import argparse
import hashlib
import sys
from itertools import islice
from pathlib import Path

import bpe
import net
from grammar import Story, stories

HELDOUT_SEED_OFFSET = 1_000_000
TOKENIZER_STORIES = 5_000


def main() -> None:
    """Read the command line and make the model."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stories", type=int, default=60_000, help="stories to train on")
    parser.add_argument("--heldout", type=int, default=220, help="stories to keep for the test")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    heldout = list(islice(stories(args.seed + HELDOUT_SEED_OFFSET), args.heldout))
    texts = _training_texts(args.seed, args.stories, heldout)
    make(args.out, texts, heldout, net.Plan(args.steps, args.seed))


def make(out: Path, texts: list[str], heldout: list[Story], plan: net.Plan) -> None:
    """Train on the texts and write the model, its tokenizer, the held-out stories and the checksums."""
    shape = net.Shape()
    tokenizer = bpe.train(texts[:TOKENIZER_STORIES], shape.vocab_size)
    tokenizer.save(out / "tiny_tokenizer.bin")
    (out / "heldout.txt").write_text("\n\n".join(story.text for story in heldout) + "\n")
    stream, starts = _pack(tokenizer, texts)
    weights = net.train(shape, plan, stream, starts)
    net.save(weights, shape, out / "tiny.bin")
    _write_checksums(out)
    _report(weights, shape, tokenizer, heldout)


def _training_texts(seed: int, count: int, heldout: list[Story]) -> list[str]:
    """The first `count` stories of the seed, without any held-out one."""
    kept = {story.text for story in heldout}
    texts = [story.text for story in islice(stories(seed), count)]
    fresh = [text for text in texts if text not in kept]
    print(f"{len(fresh)} training stories, {len(texts) - len(fresh)} dropped as held out", file=sys.stderr)
    return fresh


def _pack(tokenizer: bpe.Tokenizer, texts: list[str]) -> tuple[list[int], list[int]]:
    """All stories' tokens in one stream, each story after its BOS, and where each story starts."""
    stream: list[int] = []
    starts: list[int] = []
    for text in texts:
        starts.append(len(stream))
        stream += tokenizer.encode(text)
    longest = max(end - start for start, end in zip(starts, [*starts[1:], len(stream)], strict=True))
    assert longest <= net.Shape.seq_len, f"a story of {longest} tokens does not fit the context"
    print(f"{len(stream)} training tokens, longest story {longest} with its BOS", file=sys.stderr)
    return stream, starts


def _write_checksums(out: Path) -> None:
    """Write the SHA-256 of both files in the format of `sha256sum`."""
    names = ("tiny.bin", "tiny_tokenizer.bin")
    lines = (f"{hashlib.sha256((out / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    (out / "tiny.sha256").write_text("".join(lines))


def _report(weights: net.Weights, shape: net.Shape, tokenizer: bpe.Tokenizer, heldout: list[Story]) -> None:
    """Print the held-out loss, each story by itself and with its closing BOS, beside the grammar's own surprise."""
    rows = [[*tokenizer.encode(story.text), bpe.BOS] for story in heldout]
    nats = sum(net.total_loss(weights, shape, row) for row in rows)
    tokens, characters = sum(len(row) - 1 for row in rows), sum(len(story.text) for story in heldout)
    grammar = sum(story.nats for story in heldout)
    print(f"held out: {len(heldout)} stories, {tokens} tokens, {characters} characters", file=sys.stderr)
    print(f"held-out loss: {nats / tokens:.4f} nats/token, {nats / characters:.4f} nats/char", file=sys.stderr)
    print(f"grammar itself: {grammar / tokens:.4f} nats/token, {grammar / characters:.4f} nats/char", file=sys.stderr)


if __name__ == "__main__":
    main()
