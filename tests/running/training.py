"""Small tokenizers, trained by the programs that ours are compared with."""

import io
from typing import Any

import sentencepiece
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from tests.conftest import ROOT


def stories() -> list[str]:
    """A hundred short stories."""
    return (ROOT / "fourcc/example/heldout.txt").read_text().split("\n\n")[:100]


def scored(**options: Any) -> bytes:
    """A SentencePiece model of 400 pieces, of the kind that Llama has."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(stories()),
        model_writer=model,
        num_threads=1,
        minloglevel=2,
        **{
            "vocab_size": 400,
            "model_type": "bpe",
            "byte_fallback": True,
            "normalization_rule_name": "identity",
            "remove_extra_whitespaces": False,
        }
        | options,
    )
    return model.getvalue()


def byte_pairs() -> tokenizers.Tokenizer:
    """A byte-pair tokenizer of 500 tokens, of the kind that GPT-2 has."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>", "</s>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(stories(), trainer)
    tokenizer.add_tokens(["<ud>"])
    return tokenizer
