"""A model.bin that can be run: the file, its tokenizer, and the network, each made when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.container.reader import ModelFile
from fourcc.errors import FourccError

if TYPE_CHECKING:
    from fourcc.container.index import Scalar
    from fourcc.models.chat import Conversation
    from fourcc.models.generate import Piece, Speed
    from fourcc.models.llama import Llama
    from fourcc.models.templates import Template
    from fourcc.models.tokenizers import Tokenizer
    from fourcc.qmatrix import QMatrix

STEPS = 256


class Model(ModelFile):
    """A model.bin: tensor name -> QMatrix, all that the file says of itself, and the model that it holds.

    Takes and raises what `ModelFile` does.
    """

    kind = "model.bin"  # as a `fourcc.sources.source.Source` has it

    _given: Path | None = None  # the file of a tokenizer that is used in place of the stored one

    @property
    def architecture(self) -> str | None:
        """The family (``llama``), or None where it is not known."""
        return self.index.architecture

    @property
    def hyper(self) -> Mapping[str, Scalar | list[Scalar]]:
        """Hyper-parameters in fourcc's words (``specs/container.md``)."""
        return self.index.hyper

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that is stored with the model, or the one that was given.

        Raises:
            InputError: there is none, or it is damaged.
        """
        from fourcc.models.tokenizers import open_tokenizer

        return open_tokenizer(self._blobs, self._given or self.path)

    def use_tokenizer(self, path: Path) -> tuple[str, ...]:
        """Takes a tokenizer file in place of what is stored.

        Returns:
            What is odd about it.

        Raises:
            SourceError: it is no tokenizer, or not one of this model.
            OSError: it cannot be opened.
        """
        from fourcc.sources.token_count import token_notes
        from fourcc.sources.tokenizer import replaced

        hyper = self.index.hyper
        self._blobs, notes = replaced(self._blobs, path, hyper.get("vocab_size"))
        self._given = path
        self.__dict__.pop("tokenizer", None)
        return (*notes, *token_notes(self._blobs, hyper))

    def network(self, context: int | None = None, threads: int | None = None) -> Llama:
        """The network, ready to run, with no token seen.

        Args:
            context: positions to have room for; None: as many as the model was made for.
            threads: how many; None: ``FOURCC_THREADS``, or the cores that this process may use.

        Raises:
            UsageError: the model asks for what is not known here, or for too much memory; the message says why.
            InputError: the model is impossible, contradicts itself, or lacks a tensor.
            ChecksumError: a tensor is damaged.
        """
        from fourcc.models.architecture import Architecture
        from fourcc.models.llama import Llama
        from fourcc.networks import check

        shapes = {record.name: record.shape for record in self.index.tensors}
        check(self.index.architecture, self.index.hyper, shapes, self.path)
        architecture = Architecture.of(self.index.architecture, self.index.hyper, self.path)
        try:
            return Llama(architecture, self._find, context, threads, self._packed)
        except FourccError as error:  # raised where the file is not known
            error.file = error.file or str(self.path)
            raise

    def _packed(self, name: str) -> None:
        """What was copied for its kernel need not be in memory twice."""
        from fourcc.compute import is_copied
        from fourcc.registry import registry

        record = self.record(name)
        if is_copied(registry[record.tag], record.params):
            self.let_go(name)

    def _find(self, name: str) -> QMatrix | None:
        return self.get(name)

    def pieces(
        self,
        prompt: str = "",
        *,
        steps: int = STEPS,
        temperature: float = 1.0,
        topp: float = 0.9,
        seed: int = 0,
        threads: int | None = None,
        speed: Speed | None = None,
    ) -> Iterator[Piece]:
        """A text that begins with the prompt, piece by piece as it is made, each with its tokens.

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
            InputError: a tensor is damaged, or the file changed before the end of the text.
        """
        from fourcc.models.generate import Speed, text_after
        from fourcc.models.sampling import Sampler

        speed = Speed() if speed is None else speed
        with self.unchanged():
            network = self.network(steps if steps > 0 else None, threads)
            sampler = Sampler.for_tokens(network.architecture.vocab_size, self.tokenizer, temperature, topp, seed)
            yield from text_after(
                network, self.tokenizer, prompt, sampler=sampler, steps=steps, speed=speed, hyper=self.index.hyper
            )

    def stream(
        self,
        prompt: str = "",
        *,
        steps: int = STEPS,
        temperature: float = 1.0,
        topp: float = 0.9,
        seed: int = 0,
        threads: int | None = None,
    ) -> Iterator[str]:
        """The same without the tokens. Takes and raises what `pieces` does.

        >>> for text in model.stream("Once upon a time"):  # doctest: +SKIP
        ...     print(text, end="", flush=True)
        """
        pieces = self.pieces(prompt, steps=steps, temperature=temperature, topp=topp, seed=seed, threads=threads)
        yield from (piece.text for piece in pieces)

    def chat(
        self,
        system: str = "",
        *,
        template: str | None = None,
        steps: int = 0,
        temperature: float = 1.0,
        topp: float = 0.9,
        seed: int = 0,
        threads: int | None = None,
    ) -> Conversation:
        """A talk with the model. Whether the file changed meanwhile is the caller's to ask: `refuse_change`.

        >>> talk = model.chat("Answer in rhymes.")  # doctest: +SKIP
        >>> talk.answer("Who are you?")  # doctest: +SKIP

        Args:
            system: what it is told before the first message.
            template: the name of how messages are written; None: as the model says, or as llama2.c writes them.
            steps: tokens of the whole talk; 0: as many as the context holds.
            temperature: 0: always the likeliest token.
            topp: share of the probability that is drawn from.
            seed: one seed, one talk; 0: the time.
            threads: how many.

        Raises:
            UsageError: the model cannot be run, or its template is not known.
        """
        from fourcc.models.bounds import said_ends
        from fourcc.models.chat import Conversation
        from fourcc.models.sampling import Sampler
        from fourcc.models.templates import template_named

        chosen = self.chat_template[0] if template is None else template_named(template)
        network = self.network(steps if steps > 0 else None, threads)
        sampler = Sampler.for_tokens(network.architecture.vocab_size, self.tokenizer, temperature, topp, seed)
        return Conversation(network, self.tokenizer, chosen, sampler, system, said_ends(self.index.hyper))

    @property
    def chat_template(self) -> tuple[Template, bool]:
        """How messages are written for the model, and whether it says so itself. Raises UsageError: not known."""
        from fourcc.models.templates import template_of

        return template_of(self._blobs, self.path)

    @cached_property
    def _blobs(self) -> dict[str, bytes]:
        return {blob.name: self.blob(blob.name) for blob in self.index.blobs}

    def generate(self, prompt: str = "", *, steps: int = STEPS, temperature: float = 0.0, seed: int = 1) -> str:
        """A text that begins with the prompt; the likeliest one, where the temperature is 0. Raises as `stream`."""
        return "".join(self.stream(prompt, steps=steps, temperature=temperature, seed=seed))

    def __repr__(self) -> str:
        return super().__repr__().replace("<ModelFile", "<Model", 1)
