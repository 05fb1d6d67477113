"""The Llama family's forward pass: which steps a token takes, over matrices in any mix of formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from fourcc.compute.programs import Buffer, Program, Sizes
from fourcc.errors import UsageError
from fourcc.threads import thread_count

if TYPE_CHECKING:
    from fourcc.compute.products import Packed
    from fourcc.format import Floats
    from fourcc.models.architecture import Architecture
    from fourcc.qmatrix import QMatrix

BATCH = 256  # tokens of a prompt that are worked on at once
Find = Callable[[str], "QMatrix | None"]


class Llama:
    """A model that is ready to run; it remembers the tokens it has seen.

    Args:
        architecture: its sizes.
        find: a tensor by name, or None where there is none.
        context: positions to have room for; None: as many as the model was made for.
        threads: how many.
        packed: called with each matrix's name after its kernel has it.

    Raises:
        UsageError: a tensor is missing, or has another shape than the sizes say.
    """

    def __init__(
        self,
        architecture: Architecture,
        find: Find,
        context: int | None = None,
        threads: int | None = None,
        packed: Callable[[str], None] = lambda name: None,  # noqa: ARG005 - a call that does nothing
    ) -> None:
        self.architecture = architecture
        self.context = min(context or architecture.seq_len, architecture.seq_len)
        self.position = 0
        self._threads = thread_count(threads)
        self._find, self._packed = find, packed
        self._exact = False
        self._at = np.zeros(1, np.int64)
        self._ids = np.zeros(BATCH, np.int64)
        self._load()
        self._programs = lru_cache(maxsize=4)(self._program)

    def exactly(self) -> Llama:
        """The same weights, shared, with products that keep activations as floats; it has seen no token."""
        made = copy(self)
        made._begin_exactly()  # noqa: SLF001 - of this class
        return made

    def _begin_exactly(self) -> None:
        """Takes activations, caches and programs of its own."""
        self._exact, self.position = True, 0
        self._at, self._ids = np.zeros(1, np.int64), np.zeros(BATCH, np.int64)
        self._make_room(self._q.width, self._k.width)
        self._programs = lru_cache(maxsize=4)(self._program)

    @property
    def exact(self) -> bool:
        """Whether every product takes activations as floats, so that `exactly` gives the same logits."""
        return self._programs(1, False).exact  # noqa: FBT003 - a key of the cache

    def reset(self, position: int = 0) -> None:
        """Forgets the tokens from a position on."""
        self.position = position

    def forward(self, tokens: Sequence[int], *, every: bool = False) -> Floats:
        """Logits after the last token, float32 (1, vocab_size), or after each, (tokens, vocab_size).

        The array is overwritten by the next call where there is one token, or only the last one is asked for.

        Raises:
            UsageError: more tokens than there is room for, or a number that is no token.
        """
        self._check(tokens)
        kept = []
        for first in range(0, len(tokens), BATCH):
            some = tokens[first : first + BATCH]
            self._ids[: len(some)] = some
            self._at[0] = self.position
            self._programs(len(some), every).run()
            self.position += len(some)
            if every:
                kept.append(self._logits.floats[: len(some), : self.architecture.vocab_size].copy())
        if every:
            return kept[0] if len(kept) == 1 else np.concatenate(kept)
        return self._logits.floats[:1, : self.architecture.vocab_size]

    def _check(self, tokens: Sequence[int]) -> None:
        if not tokens or self.position + len(tokens) > self.context:
            room = self.context - self.position
            raise UsageError("tokens to run", found=len(tokens), expected=f"1 to {room}, the room that is left")
        if min(tokens) < 0 or max(tokens) >= self.architecture.vocab_size:
            wrong = next(token for token in tokens if not 0 <= token < self.architecture.vocab_size)
            raise UsageError("no such token", found=wrong, expected=f"0 to {self.architecture.vocab_size - 1}")

    # -- weights

    def _load(self) -> None:
        sizes = self.architecture
        q, kv = sizes.n_heads * sizes.head_dim, sizes.n_kv_heads * sizes.head_dim
        self._embedding = self._matrix("tok_embeddings", sizes.vocab_size, sizes.dim)
        shapes = {
            "attention.wq": (q, sizes.dim),
            "attention.wk": (kv, sizes.dim),
            "attention.wv": (kv, sizes.dim),
            "attention.wo": (sizes.dim, q),
            "feed_forward.w1": (sizes.hidden_dim, sizes.dim),
            "feed_forward.w3": (sizes.hidden_dim, sizes.dim),
            "feed_forward.w2": (sizes.dim, sizes.hidden_dim),
        }
        names = [f"layers.{layer}." for layer in range(sizes.n_layers)]
        self._layers = [{end: self._matrix(start + end, *shape) for end, shape in shapes.items()} for start in names]
        self._vectors = [self._layer_vectors(start, q, kv) for start in names]
        self._norm = self._vector("norm", sizes.dim)
        tied = self._find("output") is None
        self._output = self._embedding if tied else self._matrix("output", sizes.vocab_size, sizes.dim)
        self._make_room(q, kv)

    def _layer_vectors(self, start: str, q: int, kv: int) -> dict[str, Floats]:
        """Norms, and where the model has them biases and norms of q and k."""
        sizes = self.architecture
        needed = {"attention_norm": sizes.dim, "ffn_norm": sizes.dim}
        extra = {
            "attention.wq.bias": q,
            "attention.wk.bias": kv,
            "attention.wv.bias": kv,
            "attention.wo.bias": sizes.dim,
            "attention.q_norm": sizes.head_dim,
            "attention.k_norm": sizes.head_dim,
        }
        present = {end: size for end, size in extra.items() if self._find(start + end) is not None}
        return {end: self._vector(start + end, size) for end, size in {**needed, **present}.items()}

    def _matrix(self, name: str, rows: int, cols: int) -> Packed:
        packed = self._tensor(name, (rows, cols)).packed
        self._packed(name)
        return packed

    def _vector(self, name: str, size: int) -> Floats:
        """A norm's weights or a bias, zeros behind it."""
        weights = self._tensor(name, (size,)).decode().astype(np.float32)
        buffer = Buffer(1, size)
        buffer.floats[0, :size] = weights
        return buffer.floats

    def _tensor(self, name: str, shape: tuple[int, ...]) -> QMatrix:
        found = self._find(name)
        if found is None:
            raise UsageError("this model cannot be run: a tensor is missing", tensor=name)
        if found.shape != shape:
            raise UsageError("this model cannot be run", tensor=name, found=found.shape, expected=shape)
        return found

    def _make_room(self, q: int, kv: int) -> None:
        sizes = self.architecture
        room = partial(Buffer, min(BATCH, self.context))
        self._x, self._normed, self._added = room(sizes.dim), room(sizes.dim), room(sizes.dim)
        self._q, self._k, self._v, self._attended = room(q), room(kv), room(kv), room(q)
        self._gate, self._up = room(sizes.hidden_dim), room(sizes.hidden_dim)
        self._logits = Buffer(1, sizes.vocab_size)
        rotation = sizes.rotation(self.context)
        self._sizes = Sizes(sizes.n_heads, sizes.n_kv_heads, sizes.head_dim, self.context, rotation, sizes.norm_eps)
        self._caches = self._sizes.caches(sizes.n_layers)

    # -- steps

    def _program(self, count: int, every: bool) -> Program:  # noqa: FBT001 - a key of the cache
        """The steps of `count` tokens."""
        if every and self._logits.rows < count:
            self._logits = Buffer(count, self.architecture.vocab_size)
            self._programs.cache_clear()
        program = Program(count, self._sizes, self._at, self._threads, exact=self._exact)
        program.gather(self._embedding, self._ids, self._x)
        for matrices, vectors, caches in zip(self._layers, self._vectors, self._caches, strict=True):
            self._attention(program, matrices, vectors, caches)
            self._feed_forward(program, matrices, vectors)
        program.norm(self._x, self._norm, self._normed, only_last=not every)
        program.product(self._normed, [(self._output, self._logits)], count if every else 1)
        return program

    def _attention(
        self, program: Program, matrices: dict[str, Packed], vectors: dict[str, Floats], caches: tuple[Floats, Floats]
    ) -> None:
        q, k, v = self._q, self._k, self._v
        program.norm(self._x, vectors["attention_norm"], self._normed)
        outputs = (("wq", q), ("wk", k), ("wv", v))
        program.product(self._normed, [(matrices[f"attention.{name}"], out) for name, out in outputs])
        for name, out in outputs:
            if f"attention.{name}.bias" in vectors:
                program.bias(vectors[f"attention.{name}.bias"], out)
        for name, out in (("q_norm", q), ("k_norm", k)):
            if f"attention.{name}" in vectors:
                program.norm_heads(vectors[f"attention.{name}"], out)
        program.attend(q, k, v, caches, self._attended)
        program.product(self._attended, [(matrices["attention.wo"], self._added)])
        if "attention.wo.bias" in vectors:
            program.bias(vectors["attention.wo.bias"], self._added)
        program.add(self._added, self._x)

    def _feed_forward(self, program: Program, matrices: dict[str, Packed], vectors: dict[str, Floats]) -> None:
        program.norm(self._x, vectors["ffn_norm"], self._normed)
        gate, up = matrices["feed_forward.w1"], matrices["feed_forward.w3"]
        program.product(self._normed, [(gate, self._gate), (up, self._up)])
        program.gate(self._gate, self._up, self._gate)
        program.product(self._gate, [(matrices["feed_forward.w2"], self._added)])
        program.add(self._added, self._x)
