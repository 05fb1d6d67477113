"""The Llama family's forward pass: a program of stages over matrices in any mix of formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.compute.programs import Buffer, Program, Sizes
from fourcc.errors import InputError, UsageError
from fourcc.networks.llama import LAYER, LLAMA
from fourcc.threads import thread_count

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.compute.packed import Packed
    from fourcc.models.architecture import Architecture
    from fourcc.networks.hyper import Hyper
    from fourcc.qmatrix import QMatrix

BATCH = 256  # tokens of a prompt that are computed at once
FindTensor = Callable[[str], "QMatrix | None"]
_Layer = tuple[dict[str, "Packed"], dict[str, "Floats"]]  # matrices, vectors


class Llama:
    """A network that is ready to run; it remembers the tokens that it has seen.

    Args:
        architecture: its sizes.
        find: name -> the tensor, or None where there is none.
        context: number of positions to have room for; None: as many as the model was made for.
        threads: number of threads.
        packed: called with a matrix's name once it is packed for its kernel.

    Raises:
        InputError: a tensor is missing, or has another shape than the sizes say.
        UsageError: there is not enough memory for the context.
    """

    def __init__(
        self,
        architecture: Architecture,
        find: FindTensor,
        context: int | None = None,
        threads: int | None = None,
        packed: Callable[[str], None] = lambda name: None,  # noqa: ARG005 - a call that does nothing
    ) -> None:
        self.architecture = architecture
        self.context = min(context or architecture.seq_len, architecture.seq_len)
        self.position = 0
        self._turned = 0  # positions whose rotation is in the table
        self._hyper: Hyper = attrs.asdict(architecture, recurse=False)
        self._threads = thread_count(threads)
        self._find, self._packed = find, packed
        self._exact = False
        self._at = np.zeros(1, np.int64)
        self._ids = np.zeros(BATCH, np.int64)
        self._load()
        self._programs = lru_cache(maxsize=4)(self._program)

    def exactly(self) -> Llama:
        """A network over the same, shared weights whose products keep activations as floats; it has seen no token."""
        exact = copy(self)
        exact._begin_exactly()  # noqa: SLF001 - of this class
        return exact

    def _begin_exactly(self) -> None:
        """Makes activations, caches and programs of its own."""
        self._exact, self.position, self._turned = True, 0, 0
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
        """Logits after the last token, float32 (1, vocab_size), or with `every` after each token, (tokens, vocab_size).

        Without `every` the next call overwrites the array.

        Raises:
            UsageError: there is no room for so many tokens, or a number is no token.
        """
        self._check(tokens)
        kept = []
        for first in range(0, len(tokens), BATCH):
            some = tokens[first : first + BATCH]
            self._ids[: len(some)] = some
            self._at[0] = self.position
            self._turn(self.position + len(some))
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
            raise UsageError(
                "bad number of tokens to run", found=len(tokens), expected=f"1 to {room}, the positions that are left"
            )
        if min(tokens) < 0 or max(tokens) >= self.architecture.vocab_size:
            wrong = next(token for token in tokens if not 0 <= token < self.architecture.vocab_size)
            raise UsageError("no such token", found=wrong, expected=f"0 to {self.architecture.vocab_size - 1}")

    # -- weights

    def _load(self) -> None:
        """Loads the tensors that the network declares, and no others."""
        sizes = self.architecture
        self._embedding = self._matrix("tok_embeddings")
        self._layers = [self._layer(f"layers.{layer}.") for layer in range(sizes.n_layers)]
        self._norm = self._vector("norm")
        tied = self._find("output") is None if sizes.tied is None else sizes.tied
        self._output = self._embedding if tied else self._matrix("output")
        self._make_room(sizes.n_heads * sizes.head_dim, sizes.n_kv_heads * sizes.head_dim)

    def _layer(self, start: str) -> _Layer:
        """Matrices and vectors of a layer, without optional tensors that the model lacks."""
        present = [end for end, tensor in LAYER.items() if tensor.needed or self._find(start + end) is not None]
        vectors = {end: self._vector(start + end) for end in present if len(LAYER[end].dims) == 1}
        return {end: self._matrix(start + end) for end in present if end not in vectors}, vectors

    def _matrix(self, name: str) -> Packed:
        packed = self._tensor(name).packed
        self._packed(name)
        return packed

    def _vector(self, name: str) -> Floats:
        """A norm's weights or a bias, with zeros behind it up to the buffer's width."""
        weights = self._tensor(name).decode().astype(np.float32)
        buffer = Buffer(1, weights.size)
        buffer.floats[0, : weights.size] = weights
        return buffer.floats

    def _tensor(self, name: str) -> QMatrix:
        declared, tensor = LLAMA.tensor(name), self._find(name)
        assert declared is not None
        if tensor is None:
            raise InputError("this model cannot be run: a tensor is missing", tensor=name)
        shape = declared.sizes(self._hyper)
        if tensor.shape != shape:
            raise InputError("this model cannot be run", tensor=name, found=tensor.shape, expected=shape)
        return tensor

    def _make_room(self, q: int, kv: int) -> None:
        sizes = self.architecture
        room = partial(Buffer, min(BATCH, self.context))
        self._x, self._normed, self._added = room(sizes.dim), room(sizes.dim), room(sizes.dim)
        self._q, self._k, self._v, self._attended = room(q), room(kv), room(kv), room(q)
        self._gate, self._up = room(sizes.hidden_dim), room(sizes.hidden_dim)
        self._logits = Buffer(1, sizes.vocab_size)
        try:
            self._rotation: Floats = np.zeros((self.context, sizes.head_dim), np.float32)
            heads = (sizes.n_heads, sizes.n_kv_heads, sizes.head_dim)
            self._sizes = Sizes(*heads, self.context, self._rotation, sizes.norm_eps)
            self._caches = self._sizes.caches(sizes.n_layers)
        except (MemoryError, ValueError) as error:  # ValueError: larger than any array
            raise UsageError(
                "there is not enough memory for the context",
                found=f"{self.context} positions",
                hint="Ask for fewer; the model's own number is the hyper-parameter seq_len.",
            ) from error

    def _turn(self, end: int) -> None:
        """Fills the table of the rotation up to a position; positions never reached take no memory and no time."""
        if end > self._turned:
            more = min(self.context, max(end, 2 * self._turned, BATCH))
            self._rotation[self._turned : more] = self.architecture.rotation(more, self._turned)
            self._turned = more

    # -- stages of the program

    def _program(self, count: int, every: bool) -> Program:  # noqa: FBT001 - a key of the cache
        """The program for `count` tokens."""
        if every and self._logits.rows < count:
            self._logits = Buffer(count, self.architecture.vocab_size)
            self._programs.cache_clear()
        program = Program(count, self._sizes, self._at, self._threads, exact=self._exact)
        program.gather(self._embedding, self._ids, self._x)
        for number, (layer, caches) in enumerate(zip(self._layers, self._caches, strict=True)):
            self._attention(program, layer, caches, self.architecture.window_of(number))
            self._feed_forward(program, layer)
        program.norm(self._x, self._norm, self._normed, only_last=not every)
        program.product(self._normed, [(self._output, self._logits)], count if every else 1)
        return program

    def _attention(self, program: Program, layer: _Layer, caches: tuple[Floats, Floats], window: int | None) -> None:
        (matrices, vectors), q, k, v = layer, self._q, self._k, self._v
        program.norm(self._x, vectors["attention_norm"], self._normed)
        outputs = (("wq", q), ("wk", k), ("wv", v))
        program.product(self._normed, [(matrices[f"attention.{name}"], out) for name, out in outputs])
        for name, out in outputs:
            _bias(program, vectors, f"attention.{name}", out)
        for name, out in (("q_norm", q), ("k_norm", k)):
            if f"attention.{name}" in vectors:
                program.norm_heads(vectors[f"attention.{name}"], out)
        program.attend(q, k, v, caches, self._attended, window)
        program.product(self._attended, [(matrices["attention.wo"], self._added)])
        _bias(program, vectors, "attention.wo", self._added)
        program.add(self._added, self._x)

    def _feed_forward(self, program: Program, layer: _Layer) -> None:
        matrices, vectors = layer
        program.norm(self._x, vectors["ffn_norm"], self._normed)
        outputs = (("feed_forward.w1", self._gate), ("feed_forward.w3", self._up))
        program.product(self._normed, [(matrices[name], out) for name, out in outputs])
        for name, out in outputs:
            _bias(program, vectors, name, out)
        program.gate(self._gate, self._up, self._gate)
        program.product(self._gate, [(matrices["feed_forward.w2"], self._added)])
        _bias(program, vectors, "feed_forward.w2", self._added)
        program.add(self._added, self._x)


def _bias(program: Program, vectors: dict[str, Floats], name: str, out: Buffer) -> None:
    """Adds the stage of a matrix's bias to the program, where the model has one."""
    if f"{name}.bias" in vectors:
        program.bias(vectors[f"{name}.bias"], out)
