"""Rows of a model without a token: never drawn, noted, and filled up where a file wants a token for each."""

import json
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import tokenizers
from gguf import GGUFReader
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models

import fourcc
from fourcc.errors import InputError, UsageError
from fourcc.exporters import KINDS
from fourcc.exporters.export import check_targets, execute_export, plan_export
from fourcc.exporters.gguf_head import FLOAT32, INT32, STRING, GGUFKey
from fourcc.exporters.gguf_padding import filled
from fourcc.models.sampling import Sampler
from fourcc.models.tokenizers import Tokenizer, open_tokenizer
from fourcc.sources import open_source
from fourcc.sources.token_count import token_count
from tests.examples import examples
from tests.running.test_gguf_tokenizers import opened
from tests.running.training import byte_pairs, scored
from tests.sources.writers import config, llama, safetensors, to_hf, tokenizer_bin, written

ROWS = 576


def with_pads(*texts: str) -> Tokenizer:
    """A vocabulary whose unused tokens have these texts, from number 2 on."""
    kinds = [2, 1, *[5] * len(texts)]
    return opened(model="llama", tokens=["<unk>", "a", *texts], scores=[0.0] * len(kinds), token_type=kinds)


def test_which_tokens_are_padding() -> None:
    """Unused ones that bear their own number, and numbers that no token has."""
    assert with_pads("[PAD2]", "[PAD3]", "<twin_4>", "[PAD6]").padding == {2, 3}
    hf = tokenizers.Tokenizer(models.WordLevel({"a": 0, "b": 4}, unk_token="a"))  # noqa: S106 - a token
    tokenizer = open_tokenizer({"tokenizer.json": hf.to_str().encode()})
    assert (tokenizer.vocab_size, tokenizer.padding) == (5, {1, 2, 3})


@examples(60)
@given(
    st.lists(st.floats(-8, 8, width=32), min_size=8, max_size=8),
    st.sampled_from([0.0, 0.5, 1.3]),
    st.sampled_from([0.0, 0.4, 0.9, 1.0]),
    st.integers(1, 2**64 - 1),
)
def test_padding_is_never_drawn(values: list[float], temperature: float, topp: float, seed: int) -> None:
    """This holds however likely it is, and in the middle as at the end."""
    tokenizer = with_pads("[PAD2]", "b", "[PAD4]", "[PAD5]")
    sampler = Sampler.for_tokens(8, tokenizer, temperature, topp, seed)
    assert (sampler.vocab_size, sampler.padding) == (4, {2})
    logits = np.array(values, np.float32) + np.array([0, 0, 50, 0, 50, 50, 50, 50], np.float32)
    before = logits.copy()
    assert {sampler.sample(logits[: sampler.vocab_size]) for _ in range(20)} <= {0, 1, 3}
    assert np.array_equal(logits, before)


@examples(40)
@given(st.lists(st.floats(-8, 8, width=32), min_size=4, max_size=4), st.integers(1, 2**64 - 1))
def test_equal_sizes_keep_llama2c_s_numbers(values: list[float], seed: int) -> None:
    """The tokens are the very same."""
    tokenizer = with_pads("b", "c")
    ours, theirs = Sampler.for_tokens(4, tokenizer, 0.9, 0.7, seed), Sampler.from_flags(4, 0.9, 0.7, seed)
    logits = np.array(values, np.float32)
    assert [ours.sample(logits) for _ in range(20)] == [theirs.sample(logits) for _ in range(20)]


def model(folder: Path, tokenizer: tuple[str, bytes], rows: int = ROWS, **changes: object) -> Path:
    """A folder with random weights, in which rows without a token are likeliest."""
    h, tensors = llama(dim=32, hidden=48, heads=4, kv_heads=2, vocab=rows, seq=64, shared=False)
    rng = np.random.default_rng(5)
    tensors["tok_embeddings"] = rng.standard_normal((rows, 32)).astype("<f4")
    tensors["output"] = rng.standard_normal((rows, 32)).astype("<f4") / 8
    tensors["output"][500:] *= 40
    written(folder, "model.safetensors", safetensors(to_hf(h, tensors)))
    written(folder, "config.json", config(h, tied=False, **changes))
    written(folder, *tokenizer)
    return folder


TOKENIZER_FILES = {
    "tokenizer.json": lambda: byte_pairs().to_str().encode(),
    "tokenizer.model": lambda: scored(vocab_size=420),
}


@pytest.mark.parametrize("name", TOKENIZER_FILES)
def test_a_model_with_padding_rows_makes_text(tmp_path: Path, name: str) -> None:
    """It makes text to its last token at every temperature; its conversion has a note."""
    folder = model(tmp_path, (name, TOKENIZER_FILES[name]()))
    notes = fourcc.convert(folder, tmp_path / "model.bin").notes
    with fourcc.open(tmp_path / "model.bin") as opened_model:
        count = opened_model.tokenizer.vocab_size
        counts = f"the tokenizer has {count} tokens, the model rows for {ROWS}"
        assert notes == (f"{counts}: those beyond are padding, never drawn",)
        for temperature in (0.0, 1.2):
            pieces = list(opened_model.pieces("Once", steps=30, temperature=temperature, seed=1, threads=1))
            made = [token for piece in pieces for token in piece.tokens if not piece.prompt]
            assert made
            assert max(made) < count


def exported(folder: Path, output: Path) -> None:
    """A GGUF file of a folder."""
    with open_source(folder) as source:
        plan = plan_export(source, KINDS["gguf"])
        execute_export(plan, check_targets(plan, output, force=True))


def test_a_gguf_file_has_a_token_for_every_row(tmp_path: Path) -> None:
    """An independent reader agrees, and the file makes the same text as the folder."""
    (tmp_path / "hf").mkdir()
    folder = model(tmp_path / "hf", ("tokenizer.model", scored(vocab_size=420)))
    output = tmp_path / "out.gguf"
    exported(folder, output)
    fields = GGUFReader(output).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    assert len(tokens) == fields["llama.vocab_size"].contents() == ROWS
    assert tokens[420:] == [f"[PAD{token}]" for token in range(420, ROWS)]
    assert set(fields["tokenizer.ggml.token_type"].contents()[420:]) == {5}
    assert set(fields["tokenizer.ggml.scores"].contents()[420:]) == {-10000.0}
    texts = []
    for source in (folder, output):
        fourcc.convert(source, tmp_path / "m.bin", force=True)
        with fourcc.open(tmp_path / "m.bin") as read:
            texts.append([read.generate("Once", steps=25, temperature=t, seed=7) for t in (0.0, 1.1)])
    assert texts[0] == texts[1]


def test_filling_up_a_vocabulary_as_it_came() -> None:
    """Without kinds all tokens are normal; without scores none are added."""
    tokens = GGUFKey("tokenizer.ggml.tokens", STRING, ["a"])
    assert filled([tokens], 1, "m") == [tokens]
    assert filled([tokens], None, "m") == [tokens]
    assert filled([], 9, "m") == []
    assert filled([tokens], 3, "m") == [
        GGUFKey("tokenizer.ggml.tokens", STRING, ["a", "[PAD1]", "[PAD2]"]),
        GGUFKey("tokenizer.ggml.token_type", INT32, [1, 5, 5]),
    ]
    scores = GGUFKey("tokenizer.ggml.scores", FLOAT32, [0.5])
    assert filled([tokens, scores], 2, "m")[1] == GGUFKey("tokenizer.ggml.scores", FLOAT32, [0.5, -10000.0])
    with pytest.raises(InputError) as caught:
        filled([GGUFKey("tokenizer.ggml.tokens", STRING, ["a", "b"])], 1, "m.bin")
    assert str(caught.value) == (
        "m.bin: GGUF has no place for tokens without a row: found 2 tokens, expected at most 1, the rows."
        " Give the model's own tokenizer with --tokenizer."
    )


def test_fewer_rows_than_tokens(tmp_path: Path) -> None:
    """Noted; a text that needs none of those beyond runs, another is refused, and so is the export."""
    folder = model(tmp_path, ("tokenizer.model", scored(vocab_size=420)), rows=400)
    note = "the tokenizer has 420 tokens, the model rows for 400: a text that needs one beyond is refused"
    assert fourcc.convert(folder, tmp_path / "m.bin").notes == (note,)
    with fourcc.open(tmp_path / "m.bin") as read:
        tokenizer = read.tokenizer
        rare = next(c for c in map(tokenizer.text, ([token] for token in range(400, 420))) if c.strip())
        assert read.generate("e", steps=9)
        with pytest.raises(UsageError, match=r"no such token: found 4\d\d, expected 0 to 399"):
            read.generate(rare * 2, steps=50)
    with pytest.raises(InputError, match="GGUF has no place for tokens without a row: found 420 tokens, expected at"):
        exported(folder, tmp_path / "out.gguf")


def unigram() -> bytes:
    """A tokenizer.json whose vocabulary is a list."""
    hf = tokenizers.Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0), ("b", -2.0)], unk_id=0))
    hf.add_tokens(["<x>"])
    return hf.to_str().encode()


def holes() -> bytes:
    """A tokenizer.json that leaves numbers out."""
    return tokenizers.Tokenizer(models.WordLevel({"a": 0, "b": 7}, unk_token="a")).to_str().encode()  # noqa: S106 - a token


TWO = {"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": ["<unk>", "a"]}
EVERY_KIND = {
    "tokenizer.json": lambda: byte_pairs().to_str().encode(),
    "tokenizer.json of a list": unigram,
    "tokenizer.json with holes": holes,
    "tokenizer.model": lambda: scored(control_symbols=["<x>"]),
    "tokenizer.gguf": lambda: msgpack.packb(TWO),
    "tokenizer.bin": lambda: tokenizer_bin(9),
}


@pytest.mark.parametrize("name", EVERY_KIND)
def test_tokens_are_counted_as_the_packages_count_them(name: str) -> None:
    """This holds for every kind that is read."""
    blobs = {name.split(" ", maxsplit=1)[0]: EVERY_KIND[name]()}
    assert token_count(blobs) == open_tokenizer(blobs).vocab_size


def test_every_kind_is_counted() -> None:
    """The kinds are those of the table of tokenizers, in its order."""
    from fourcc.models.tokenizers import _READERS
    from fourcc.sources.token_count import _COUNTERS

    assert list(_COUNTERS) == list(_READERS)
    assert {name.split(" ", maxsplit=1)[0] for name in EVERY_KIND} == set(_READERS)


@pytest.mark.parametrize(
    "blobs",
    [
        {},
        {"tokenizer.json": b"{"},
        {"tokenizer.json": b"{}"},
        {"tokenizer.model": b"\xff" * 20},
        {"tokenizer.model": b"\x0a\x7fabc"},
        {"tokenizer.gguf": b"\x93"},
        {"tokenizer.gguf": b"\x81\xa1a"},
        {"tokenizer.gguf": msgpack.packb({"tokenizer.ggml.tokens": 3})},
    ],
)
def test_a_damaged_tokenizer_is_not_counted(blobs: dict[str, Any]) -> None:
    """Its reader reports the damage."""
    assert token_count(blobs) is None


def test_a_hole_is_no_text() -> None:
    """A number that no token has decodes to nothing, as Hugging Face's package has it; one beyond all is refused."""
    tokenizer = open_tokenizer({"tokenizer.json": json.dumps(json.loads(holes())).encode()})
    assert tokenizer.text([0, 3, 7]).split() == ["a", "b"]
    with pytest.raises(UsageError, match="no such token: found 8, expected 0 to 7"):
        tokenizer.text([8])


def test_a_padded_file_can_be_compared_with_its_model(tmp_path: Path) -> None:
    """Tokens that an export makes up are no other vocabulary."""
    (tmp_path / "hf").mkdir()
    folder = model(tmp_path / "hf", ("tokenizer.model", scored(vocab_size=420)))
    exported(folder, tmp_path / "out.gguf")
    for source, name in ((folder, "model.bin"), (tmp_path / "out.gguf", "padded.bin")):
        fourcc.convert(source, tmp_path / name)
    for one, other in (("model.bin", "padded.bin"), ("padded.bin", "model.bin")):
        found = fourcc.evaluate(tmp_path / one, "Once upon a time", reference=tmp_path / other)
        assert found.divergence is not None
        assert found.divergence.mean < 1e-9
