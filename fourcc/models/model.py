"""A model.bin that can be run: the file, its tokenizer and the network, each opened when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fourcc.container.reader import ModelFile
from fourcc.errors import FourccError, UsageError

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.container.index import Scalar
    from fourcc.models.chat import Conversation
    from fourcc.models.generate import Piece, Speed
    from fourcc.models.tokenizers import Tokenizer
    from fourcc.models.transformer import RangeUse, Transformer
    from fourcc.qmatrix import QMatrix

ActivationMode = Literal["dynamic", "static", "exact"]  # how products take activations, see `Model.network`


class Model(ModelFile):
    """A model.bin: tensor name -> QMatrix, all that the file states, and the model that it holds.

    It takes the arguments of `ModelFile`, and raises the same errors.
    """

    kind = "model.bin"  # as a `fourcc.sources.source.Source` has it
    range_use: RangeUse | None = None  # the last network's use of static ranges; None: it was to use none
    _given: Path | None = None  # the file of a tokenizer that replaces the stored one

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
        """The tokenizer that is stored with the model, or the one that replaces it.

        Raises:
            InputError: there is no tokenizer, or it is damaged.
        """
        from fourcc.models.tokenizers import open_tokenizer

        return open_tokenizer(self._blobs, self._given or self.path)

    def use_tokenizer(self, path: Path) -> tuple[str, ...]:
        """Uses a tokenizer file in place of the stored tokenizer.

        Returns:
            Notes on the tokenizer.

        Raises:
            SourceError: the file is no tokenizer, or not one for this model.
            OSError: the file cannot be opened.
        """
        from fourcc.sources.token_count import token_notes
        from fourcc.sources.tokenizer import replaced

        hyper = self.index.hyper
        self._blobs, notes = replaced(self._blobs, path, hyper.get("vocab_size"))
        self._given = path
        self.__dict__.pop("tokenizer", None)
        return (*notes, *token_notes(self._blobs, hyper))

    def network(
        self,
        context: int | None = None,
        threads: int | None = None,
        activations: ActivationMode = "dynamic",
    ) -> Transformer:
        """The network, ready to run, with no token seen.

        Args:
            context: number of positions to have room for; None: as many as the model was made for.
            threads: number of threads; None: ``FOURCC_THREADS``, or the cores that this process may use.
            activations: how kernels that take codes get them from activations: by ranges of each activation's blocks,
                by stored ranges (`ranges`), or not at all: ``exact`` keeps them as floats.

        Raises:
            UsageError: the model needs something that is not known here, too much memory, or ranges that are not
                stored; the message says which.
            InputError: the model is impossible, contradicts itself, or lacks a tensor.
            ChecksumError: a tensor is damaged.
        """
        from fourcc.models.architecture import known_sizes
        from fourcc.models.transformer import Transformer

        try:
            network = Transformer(known_sizes(self.index, self.path), self._find, context, threads, self.packed)
        except FourccError as error:  # raised where the file's name is not known
            error.file = error.file or str(self.path)
            raise
        network = self.taking(activations, network)
        self.range_use = network.range_use if activations == "static" else None
        return network

    def taking(self, activations: ActivationMode, network: Transformer) -> Transformer:
        """A network of this model that takes activations in a given way, over the weights of another; see `network`.

        Raises:
            UsageError: ranges are asked for, and none are stored.
            InputError: the stored ranges are damaged.
        """
        if activations == "exact":
            return network if network.exact else network.exactly()
        return network.with_ranges(self.ranges) if activations == "static" else network

    @cached_property
    def ranges(self) -> Mapping[str, Floats]:
        """Static ranges of the activations that matrices multiply: float32 (columns / 32,) by names of tensors.

        Raises:
            UsageError: none are stored.
            InputError: they are damaged.
        """
        from fourcc.sources.activation_ranges import BLOB, unpacked_ranges

        if BLOB not in self._blobs:
            hint = "`fourcc convert --activations static --calibration FILE` stores them."
            raise UsageError("the model has no activation ranges", file=self.path, hint=hint)
        shapes = {record.name: record.shape for record in self.index.tensors}
        return unpacked_ranges(self._blobs[BLOB], shapes, self.path)

    def packed(self, name: str) -> None:
        """Lets go of the stored tensor where its kernel has a copy, so that it is not in memory twice."""
        from fourcc.models.copied_weights import let_go_of_copied

        let_go_of_copied(self, name)

    def _find(self, name: str) -> QMatrix | None:
        return self.get(name)

    def pieces(  # noqa: PLR0913 - keyword-only, one an option of the command
        self,
        prompt: str = "",
        *,
        steps: int | None = None,
        max_tokens: int | None = None,
        temperature: float = 1.0,
        top_p: float = 0.9,
        seed: int = 0,
        threads: int | None = None,
        activations: ActivationMode = "dynamic",
        special: bool = False,
        speed: Speed | None = None,
    ) -> Iterator[Piece]:
        """A text that begins with the prompt, piece by piece as it is generated, each piece with its tokens.

        Args:
            prompt: the start of the text.
            steps: tokens of the text with its prompt; 0: all that fit; None: 256, or 0 where `max_tokens` is given.
            max_tokens: new tokens; None: `steps` alone is the limit.
            temperature: 0: always the likeliest token.
            top_p: share of the probability that is drawn from.
            seed: a seed always gives the same text; 0: the time.
            threads: number of threads.
            activations: how the network takes them, see there.
            special: whether names of special tokens in the prompt stand for these tokens, and are not text.
            speed: filled in.

        Raises:
            UsageError: the model cannot be run, or the prompt does not fit.
            InputError: a tensor is damaged, or the file changed before the end of the text.
        """
        from fourcc.models.architecture import check_known
        from fourcc.models.generate import Speed, begun, limit, text_after
        from fourcc.models.sampling import Sampler

        speed, hyper = Speed() if speed is None else speed, self.index.hyper
        with self.unchanged():
            check_known(self.index, self.path)
            ids = begun(self.tokenizer, prompt, hyper, special=special)
            most = limit(len(ids), steps, max_tokens)
            network = self.network(most if most > 0 else None, threads, activations)
            sampler = Sampler.for_tokens(network.architecture.vocab_size, self.tokenizer, temperature, top_p, seed)
            yield from text_after(network, self.tokenizer, ids, sampler=sampler, steps=most, speed=speed, hyper=hyper)

    def stream(  # noqa: PLR0913 - as `pieces`
        self,
        prompt: str = "",
        *,
        steps: int | None = None,
        max_tokens: int | None = None,
        temperature: float = 1.0,
        top_p: float = 0.9,
        seed: int = 0,
        threads: int | None = None,
        activations: ActivationMode = "dynamic",
    ) -> Iterator[str]:
        """The text of `pieces` without the tokens; see there for arguments and errors.

        >>> for text in model.stream("Once upon a time"):  # doctest: +SKIP
        ...     print(text, end="", flush=True)
        """
        pieces = self.pieces(
            prompt,
            steps=steps,
            max_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            seed=seed,
            threads=threads,
            activations=activations,
        )
        yield from (piece.text for piece in pieces)

    def chat(  # noqa: PLR0913 - keyword-only, one an option of the command
        self,
        system: str = "",
        *,
        template: str | None = None,
        tools: Sequence[Mapping[str, object]] = (),
        options: Mapping[str, object] | None = None,
        steps: int = 0,
        max_tokens: int | None = None,
        temperature: float = 1.0,
        top_p: float = 0.9,
        seed: int = 0,
        threads: int | None = None,
        activations: ActivationMode = "dynamic",
    ) -> Conversation:
        """A talk with the model. The caller checks by `refuse_change` whether the file changed meanwhile.

        >>> talk = model.chat("Answer in rhymes.")  # doctest: +SKIP
        >>> talk.answer("Who are you?")  # doctest: +SKIP

        Args:
            system: instructions before the first message.
            template: name of the chat template, or a file ``NAME.jinja``; None: the model's own, else llama2.c's.
            tools: descriptions of functions that the model may ask for, in JSON's terms.
            options: further variables of the model's own template, such as ``{"enable_thinking": False}``.
            steps: tokens of the whole talk; 0: as many as the context holds.
            max_tokens: tokens of an answer; None: as many as the context holds.
            temperature: 0: always the likeliest token.
            top_p: share of the probability that is drawn from.
            seed: a seed always gives the same talk; 0: the time.
            threads: number of threads.
            activations: how the network takes them, see there.

        Raises:
            UsageError: the model cannot be run, or its template is not known.
        """
        from fourcc.models.begin_and_end import said_ends
        from fourcc.models.chat import Conversation
        from fourcc.models.sampling import Sampler
        from fourcc.models.template_choice import TemplateChoice

        choice = TemplateChoice(self._blobs, self.tokenizer, self.path, tools=bool(tools))
        chosen, *notes = choice.usual() if template is None else (choice.named(template),)
        network = self.network(steps if steps > 0 else None, threads, activations)
        sampler = Sampler.for_tokens(network.architecture.vocab_size, self.tokenizer, temperature, top_p, seed)
        ends = said_ends(self.index.hyper)
        return Conversation(
            network,
            self.tokenizer,
            chosen,
            sampler,
            system,
            ends,
            tools=tools,
            options=options or {},
            notes=notes,
            max_tokens=max_tokens,
        )

    @cached_property
    def _blobs(self) -> dict[str, bytes]:
        return {blob.name: self.blob(blob.name) for blob in self.index.blobs}

    def generate(
        self,
        prompt: str = "",
        *,
        steps: int | None = None,
        max_tokens: int | None = None,
        temperature: float = 0.0,
        top_p: float = 0.9,
        seed: int = 1,
    ) -> str:
        """A text that begins with the prompt; at temperature 0 with the likeliest tokens. See `pieces`."""
        drawn = self.stream(prompt, steps=steps, max_tokens=max_tokens, temperature=temperature, top_p=top_p, seed=seed)
        return "".join(drawn)

    def __repr__(self) -> str:
        return super().__repr__().replace("<ModelFile", "<Model", 1)
