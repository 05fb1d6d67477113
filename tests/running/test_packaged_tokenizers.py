"""Tokenizers that packages read: what ours gives is what they give, and their errors become ours.

It tests `fourcc/models/`; `tests/models/` holds the shipped model and its maker, so these tests are here.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import decoders, models, normalizers, processors, trainers

from fourcc.errors import FourccError, InputError, UsageError
from fourcc.installation import hint
from fourcc.models.tokenizers import Tokenizer, open_tokenizer
from fourcc.models.tokenizers.huggingface import read_json
from fourcc.models.tokenizers.packages import without_panic
from tests.examples import examples
from tests.running.texts import TEXTS
from tests.running.training import byte_pairs, scored, stories

QUICK = examples(150)


def metaspace() -> tokenizers.Tokenizer:
    """A tokenizer.json as Llama 2 has it: spaces as U+2581, bytes, a first space taken away."""
    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))  # noqa: S106 - a token
    parts = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    tokenizer.normalizer = normalizers.Sequence(parts)  # type: ignore[assignment]
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)  # type: ignore[assignment]
    special = ["<unk>", "<s>", "</s>"]
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=special + names, show_progress=False)
    tokenizer.train_from_iterator([" ".join(stories())[:4000]], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tree = json.loads(tokenizer.to_str())
    tree["added_tokens"] = tree["added_tokens"][:3]
    return tokenizers.Tokenizer.from_str(json.dumps(tree))


@pytest.fixture(scope="module")
def model() -> bytes:
    """A SentencePiece .model."""
    return scored()


@pytest.fixture(scope="module")
def sp(model: bytes) -> Any:
    """The package's."""
    return sentencepiece.SentencePieceProcessor(model_proto=model)


@pytest.fixture(scope="module")
def pieces(model: bytes) -> Tokenizer:
    """The tokenizer by our code."""
    return open_tokenizer({"tokenizer.model": model}, "tokenizer.model")


@pytest.fixture(scope="module", params=["byte pairs", "metaspace"])
def hf(request: pytest.FixtureRequest) -> tokenizers.Tokenizer:
    """The package's, of two kinds."""
    return byte_pairs() if request.param == "byte pairs" else metaspace()


@pytest.fixture(scope="module")
def ours(hf: tokenizers.Tokenizer) -> Tokenizer:
    """The tokenizer of the same file by our code."""
    return open_tokenizer({"tokenizer.json": hf.to_str().encode()}, "tokenizer.json")


def pushed(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    """The text that comes with each token, and at the end."""
    stream = tokenizer.stream()
    return [*[stream.push(token) for token in ids], stream.finish()]


@QUICK
@given(TEXTS | st.text("Oncetim <>s.", max_size=30))
def test_sentencepiece(sp: Any, pieces: Tokenizer, text: str) -> None:
    """Texts become the same tokens, and tokens the same texts."""
    ids = sp.encode(text)
    assert pieces.encode(text) == [1, *ids]
    assert pieces.encode(text, bos=False) == ids
    assert pieces.text([1, *ids]) == pieces.text(ids) == sp.decode(ids)
    assert "".join(pushed(pieces, ids)) == sp.decode(ids)


@QUICK
@example([35])  # a space that is a byte is not one that was put before the text
@given(st.lists(st.integers(3, 399), max_size=12))
def test_any_pieces(sp: Any, pieces: Tokenizer, ids: list[int]) -> None:
    """Halves of characters, too: replaced, as many times as Python's decoder thinks right."""
    assert pieces.text(ids).replace("\ufffd", "") == sp.decode(ids).replace("\ufffd", "")


def test_special_pieces(pieces: Tokenizer) -> None:
    """The unknown one is seen, control pieces are not, and no text becomes one."""
    assert (pieces.vocab_size, pieces.bos, pieces.eos) == (400, 1, 2)
    assert pieces.text([1, 0, 2]) == "\ufffd"
    assert not {0, 1, 2} & set(pieces.encode("<s></s>", bos=False))


def test_a_model_without_a_first_space_or_ends() -> None:
    """No space is put before the text, and none is removed."""
    data = scored(add_dummy_prefix=False, bos_id=-1, eos_id=-1)
    tokenizer = open_tokenizer({"tokenizer.model": data})
    assert (tokenizer.bos, tokenizer.eos) == (None, None)
    assert tokenizer.encode(" the") == tokenizer.encode(" the", bos=False)
    assert tokenizer.text(tokenizer.encode(" the")) == " the"
    assert tokenizer.text(tokenizer.encode("the")) == "the"


@QUICK
@given(TEXTS | st.text("Oncetim <ud>/s.", max_size=30))
def test_hugging_face(hf: tokenizers.Tokenizer, ours: Tokenizer, text: str) -> None:
    """Tokens both ways, names of special tokens as text."""
    hf.encode_special_tokens = True
    ids = hf.encode(text, add_special_tokens=False).ids
    first = [] if ours.bos is None else [ours.bos]
    assert ours.encode(text) == first + ids
    assert ours.encode(text, bos=False) == ids
    assert ours.text(first + ids) == hf.decode(ids)
    assert "".join(pushed(ours, ids)) == hf.decode(ids)


def test_ends_of_a_text(hf: tokenizers.Tokenizer, ours: Tokenizer) -> None:
    """The first only where the file puts it there; the last by its name."""
    template = hf.post_processor is not None
    assert ours.bos == (1 if template else None)
    assert ours.eos == hf.token_to_id("</s>")
    assert ours.vocab_size == hf.get_vocab_size()
    assert ours.text([hf.token_to_id("<s>"), hf.token_to_id("</s>")]) == ""


def beside(tokens: str) -> bytes:
    """A tokenizer.json that puts tokens beside a text, which is ``$A``."""
    tokenizer = byte_pairs()
    named = [(name, tokenizer.token_to_id(name)) for name in ("<s>", "</s>") if name in tokens]
    tokenizer.post_processor = processors.TemplateProcessing(single=tokens, special_tokens=named)
    return tokenizer.to_str().encode()


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ("$A <s>", []),
        ("$A </s>", []),
        ("</s> $A", ["</s>"]),
        ("</s> <s> $A </s>", ["</s>", "<s>"]),
        ("<s> $A", ["<s>"]),
    ],
)
def test_tokens_beside_a_text(tokens: str, expected: list[str]) -> None:
    """All that stand before it come before it, EOS, too, as in OPT; what stands behind it does not."""
    ours = open_tokenizer({"tokenizer.json": beside(tokens)})
    first = [ours.special(name) for name in expected]
    assert ours.encode("the") == first + ours.encode("the", bos=False)
    assert ours.encode("") == first
    assert ours.bos == (first[0] if first else None)


def test_added_tokens_that_the_package_numbers_anew() -> None:
    """With a gap before it an added token gets the next free number: the model's rows would be others."""
    tree = json.loads(byte_pairs().to_str())
    number = len(tree["model"]["vocab"]) + len(tree["added_tokens"]) + 7
    tree["added_tokens"].append({**tree["added_tokens"][0], "id": number, "content": "<|late|>"})
    with pytest.raises(InputError, match=r"gives the added token '<\|late\|>' another number than the file"):
        open_tokenizer({"tokenizer.json": json.dumps(tree).encode()})


def test_characters_come_whole(ours: Tokenizer, pieces: Tokenizer) -> None:
    """A character of several tokens comes with its last; half a one is replaced at the end."""
    for tokenizer in (ours, pieces):
        ids = tokenizer.encode("a🙂b")
        texts = pushed(tokenizer, ids)
        assert "".join(texts) == "a🙂b"
        assert not any("\ufffd" in text for text in texts)
        cut = pushed(tokenizer, ids[:-2])
        assert "".join(cut).rstrip("\ufffd") == "a"
        assert cut[-1]


def test_truncation_and_padding_are_not_wanted() -> None:
    """A tokenizer.json may ask for both."""
    hf = byte_pairs()
    hf.enable_truncation(3)
    hf.enable_padding(length=9)
    tokenizer = open_tokenizer({"tokenizer.json": hf.to_str().encode()})
    text = "Once upon a time there was a cat"
    assert tokenizer.text(tokenizer.encode(text)) == text


def test_a_lone_surrogate_is_refused(ours: Tokenizer, pieces: Tokenizer) -> None:
    """A lone surrogate has no UTF-8."""
    for tokenizer in (ours, pieces):
        with pytest.raises(UsageError, match=r"the text is not Unicode: found U\+D83D at character 1"):
            tokenizer.encode("a\ud83d")


@pytest.mark.parametrize("token", [-1, 10**6])
def test_a_token_beyond_the_vocabulary(ours: Tokenizer, pieces: Tokenizer, token: int) -> None:
    """It is refused, not skipped."""
    for tokenizer in (ours, pieces):
        with pytest.raises(UsageError, match=f"no such token: found {token}, expected 0 to {tokenizer.vocab_size - 1}"):
            tokenizer.text([token])


@pytest.mark.parametrize(("blob", "name"), [("tokenizer.json", "tokenizers"), ("tokenizer.model", "sentencepiece")])
def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch, blob: str, name: str) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError) as caught:
        open_tokenizer({blob: b"{}"}, "m.bin")
    assert str(caught.value) == (f"m.bin ({blob}): the package {name!r} is needed to read it. {hint('tokenizers')}")


@pytest.mark.parametrize(
    ("blob", "data", "message"),
    [
        ("tokenizer.json", b"", "m (tokenizer.json): not a tokenizer.json: found Exception: EOF while parsing"),
        ("tokenizer.json", b"{}", "m (tokenizer.json): not a tokenizer.json: found Exception: "),
        ("tokenizer.json", b"{\xff", "m (tokenizer.json), byte 1: the JSON is not UTF-8"),
        ("tokenizer.model", b"", "m (tokenizer.model), byte 0: the file is empty: found 0 bytes, expected a Sent"),
        ("tokenizer.model", b"abc", "m (tokenizer.model): not a SentencePiece model: found RuntimeError: "),
    ],
)
def test_damage_is_named(blob: str, data: bytes, message: str) -> None:
    """The error has the package's own words."""
    with pytest.raises(InputError) as caught:
        open_tokenizer({blob: data}, "m")
    assert str(caught.value).startswith(message)


@QUICK
@given(st.sampled_from(["tokenizer.json", "tokenizer.model"]), st.data())
def test_any_damage_is_an_error_of_ours(hf: tokenizers.Tokenizer, model: bytes, blob: str, data: st.DataObject) -> None:
    """Changed anywhere: refused by name, or a tokenizer that works."""
    raw = bytearray(hf.to_str().encode() if blob == "tokenizer.json" else model)
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255) | st.sampled_from(b'0":,}]-'))
    try:
        tokenizer = open_tokenizer({blob: bytes(raw)}, "damaged")
        tokenizer.text(tokenizer.encode("One day, é"))
    except FourccError as error:
        assert "damaged" in str(error)  # noqa: PT017 - most inputs are refused, some are not


@pytest.mark.parametrize("number", [1 << 22, 1 << 31, (1 << 32) - 1])
def test_a_number_that_no_vocabulary_has(number: int) -> None:
    """The error names it at once: nothing is allocated for the numbers below it."""
    model = {"type": "BPE", "vocab": {"a": 0, "b": number}, "merges": []}
    data = json.dumps({"version": "1.0", "added_tokens": [], "model": model}).encode()
    begun = time.process_time()
    with pytest.raises(InputError, match=f"file: the tokenizer gives 'b' a number .* found {number}, expected below 4"):
        read_json(data, "file")
    assert time.process_time() - begun < 0.5


def test_an_unknown_piece_that_is_no_text() -> None:
    """The lookup of a special token does not ask for its name."""
    data = bytes.fromhex(
        "0a0a0a01eb150000000018020a0c0a033c733e150000000018030a0d0a043c2f733e150000000018030a0a0a016115000080bf1801"
    )
    tokenizer = open_tokenizer({"tokenizer.model": data}, "t")
    assert tokenizer.special("<|im_end|>") is None
    assert (tokenizer.special("<s>"), tokenizer.ends) == (1, {2})


def damaged_prefix() -> bytes:
    """A tokenizer.json on which the package panics."""
    tree = json.loads(byte_pairs().to_str())
    tree["model"]["continuing_subword_prefix"] = "aaaaaaaaaa"
    return json.dumps(tree).encode()


def test_a_panic_is_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    """Only our error reports it: Rust's own report, which goes straight to the descriptor, is held back."""
    with pytest.raises(InputError, match=r"not a tokenizer\.json: found PanicException: range end index"):
        open_tokenizer({"tokenizer.json": damaged_prefix()}, "m")
    assert capfd.readouterr().err == ""


def test_what_others_write_meanwhile_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    """Their text comes after the opening, also where that fails."""
    with without_panic():
        os.write(2, b"from a thread\n")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "from a thread\n"
    with suppress(ValueError), without_panic():
        os.write(2, b"again\n")
        raise ValueError
    assert capfd.readouterr().err == "again\n"


def test_without_a_place_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report is seen then, and nothing else is lost."""

    def refuse() -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert open_tokenizer({"tokenizer.json": byte_pairs().to_str().encode()}).vocab_size == 501


def test_no_descriptor_is_left_open() -> None:
    """This holds however the opening ends."""
    before = len(list(Path("/dev/fd").iterdir()))
    for data in (byte_pairs().to_str().encode(), damaged_prefix(), b"{}"):
        with suppress(InputError):
            open_tokenizer({"tokenizer.json": data})
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_without_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """If standard error is closed, there is nothing to hold back."""
    script = (
        "import os, sys; os.close(2)\nfrom fourcc.models.tokenizers import open_tokenizer\n"
        "print(open_tokenizer({'tokenizer.json': sys.stdin.buffer.read()}).vocab_size)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=byte_pairs().to_str().encode(), stdout=subprocess.PIPE, check=True
    )
    assert done.stdout == b"501\n"
    assert capfd.readouterr().err == ""
