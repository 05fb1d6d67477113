"""A model.bin that can be run: the file, its tokenizer, and the network, each made when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.container.reader import ModelFile

if TYPE_CHECKING:
    from fourcc.models.generate import Speed
    from fourcc.models.llama import Llama
    from fourcc.models.tokenizers import Tokenizer
    from fourcc.qmatrix import QMatrix

STEPS = 256


class Model(ModelFile):
    """A model.bin: tensor name -> QMatrix, all that the file says of itself, and the model that it holds.

    Raises:
        IndexDamageError: not a container, or head, tail or index are damaged, cut or from the future.
        TableError: the index is intact but describes tensors that cannot be.
        OSError: the file cannot be opened.
    """

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that is stored with the model.

        Raises:
            InputError: there is none, or it is damaged.
        """
        from fourcc.models.tokenizers import open_tokenizer

        return open_tokenizer({blob.name: self.blob(blob.name) for blob in self.index.blobs}, self.path)

    def network(self, context: int | None = None, threads: int | None = None) -> Llama:
        """The network, ready to run, with no token seen.

        Args:
            context: positions to have room for; None: as many as the model was made for.
            threads: how many; None: ``FOURCC_THREADS``, or the cores that this process may use.

        Raises:
            UsageError: the model cannot be run; the message says why.
        """
        from fourcc.models.architecture import Architecture
        from fourcc.models.llama import Llama

        architecture = Architecture.of(self.index.architecture, self.index.hyper, self.path)
        return Llama(architecture, self._find, context, threads, self._packed)

    def _packed(self, name: str) -> None:
        """What was copied for its kernel need not be in memory twice."""
        from fourcc.compute import is_copied
        from fourcc.registry import registry

        record = self.record(name)
        if is_copied(registry[record.tag], record.params):
            self.let_go(name)

    def _find(self, name: str) -> QMatrix | None:
        return self.get(name)

    def stream(
        self,
        prompt: str = "",
        *,
        steps: int = STEPS,
        temperature: float = 1.0,
        topp: float = 0.9,
        seed: int = 0,
        threads: int | None = None,
        speed: Speed | None = None,
    ) -> Iterator[str]:
        """A text that begins with the prompt, piece by piece as it is made.

        Args:
            prompt: how it begins.
            steps: tokens of the whole text; 0: as many as the context holds.
            temperature: 0: always the likeliest token.
            topp: share of the probability that is drawn from.
            seed: one seed, one text; 0: the time.
            threads: how many.
            speed: filled in.

        Raises:
            UsageError: the model cannot be run, or the prompt does not fit.
        """
        from fourcc.models.generate import Speed, text_after
        from fourcc.models.sampling import Sampler

        network = self.network(steps if steps > 0 else None, threads)
        sampler = Sampler.from_flags(network.architecture.vocab_size, temperature, topp, seed)
        yield from text_after(
            network, self.tokenizer, prompt, sampler=sampler, steps=steps, speed=Speed() if speed is None else speed
        )

    def generate(self, prompt: str = "", *, steps: int = STEPS, temperature: float = 0.0, seed: int = 1) -> str:
        """A text that begins with the prompt; the likeliest one, where the temperature is 0. Raises as `stream`."""
        return "".join(self.stream(prompt, steps=steps, temperature=temperature, seed=seed))

    def __repr__(self) -> str:
        return super().__repr__().replace("<ModelFile", "<Model", 1)


def open_model(path: str | Path) -> Model:
    """Opens a model.bin; a context manager. Raises as `Model` does."""
    return Model(path)
