"""Tokens of texts in which some names stand for special tokens: those of the packages, and never a user's."""

import json
from typing import Any

import msgpack
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, normalizers, pre_tokenizers, processors

from fourcc.errors import UsageError
from fourcc.models.tokenizers import Tokenizer
from fourcc.models.tokenizers.gguf import read_gguf
from fourcc.models.tokenizers.huggingface import HuggingFaceTokenizer, read_json
from fourcc.models.tokenizers.llama2c import Llama2cTokenizer
from fourcc.models.tokenizers.sentencepiece_model import read_sentencepiece
from fourcc.models.tokenizers.specials import SpecialNames, parsed
from tests.running.training import byte_pairs, scored

START, END, THINK = "<|im_start|>", "<|im_end|>", "<think>"
SPLIT = r"(?i:'s|'t|'re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def as_llama3() -> tokenizers.Tokenizer:
    """Words by Llama 3's rule, tokens of bytes."""
    made = byte_pairs()
    rule = pre_tokenizers.Split(tokenizers.Regex(SPLIT), "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence([rule, pre_tokenizers.ByteLevel(False, False, False)])  # type: ignore[assignment, arg-type, list-item]  # noqa: FBT003 - the package's order
    return made


def as_llama2() -> tokenizers.Tokenizer:
    """A space before every text, as ▁; bytes of other characters."""
    pieces = [*"▁Onceupatimsr<|>_", "▁O", "▁u"]
    letters = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    vocab = {text: token for token, text in enumerate(letters)}
    merges = [("▁", "O"), ("▁", "u")]
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab, merges, byte_fallback=True, unk_token=letters[0]))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])  # type: ignore[assignment]
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])  # type: ignore[assignment]
    made.add_special_tokens(letters[:3])
    return made


def as_gemma() -> tokenizers.Tokenizer:
    """No space before a text; runs of spaces are tokens."""
    made = as_llama2()
    made.normalizer = normalizers.Replace(" ", "▁")  # type: ignore[assignment]
    made.add_tokens(["▁▁", "▁▁▁▁", "\n\n"])
    return made


def as_mistral() -> tokenizers.Tokenizer:
    """A space before the first part of a text alone."""
    made = as_llama2()
    made.normalizer = None  # type: ignore[assignment]
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)  # type: ignore[assignment]
    return made


def composed() -> tokenizers.Tokenizer:
    """Texts are composed first; tokens take white space beside them."""
    made = byte_pairs()
    made.normalizer = normalizers.NFC()  # type: ignore[assignment]
    made.add_special_tokens([AddedToken("<|user|>", rstrip=True), AddedToken("<|a|>", lstrip=True)])  # type: ignore[list-item]
    return made


KINDS = {
    "gpt2": byte_pairs,
    "llama3": as_llama3,
    "llama2": as_llama2,
    "gemma": as_gemma,
    "mistral": as_mistral,
    "composed": composed,
}
PARTS = st.lists(
    st.sampled_from(
        [START, END, THINK, "<|user|>", "<|a|>", "Once", "u", " ", "  ", "    ", "\n", "\n\n", "<|im_", "end|>", "é"]
    ),
    max_size=8,
)


def both(kind: str) -> tuple[tokenizers.Tokenizer, HuggingFaceTokenizer]:
    """The package's tokenizer, with special tokens found in texts, and ours of the same file."""
    made = KINDS[kind]()
    made.add_special_tokens([START, END])
    made.add_tokens([AddedToken(THINK, normalized=False)])  # type: ignore[list-item]
    return made, read_json(made.to_str().encode(), "t.json")


MADE = {kind: both(kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@given(parts=PARTS)
@settings(max_examples=25)
def test_where_all_names_count_the_tokens_are_the_package_s(kind: str, parts: list[str]) -> None:
    """So are those of a text without any name."""
    package, ours = MADE[kind]
    text = "".join(parts)
    names = SpecialNames.of(ours, THINK)
    assert names.encode(text, lambda start, end: True) == package.encode(text, add_special_tokens=False).ids
    assert ours.package.encode_special_tokens is True  # as before


@pytest.mark.parametrize("kind", KINDS)
@given(parts=PARTS, more=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<>"), max_size=6))
@settings(max_examples=25)
def test_names_of_a_user_are_text(kind: str, parts: list[str], more: str) -> None:
    """With a user's name in the text, every other part has the tokens that it has without that name's own letters.

    The slow truth: the package, whose tokens have other names, with these names in their places in the text.
    """
    package, ours = MADE[kind]
    other = {START: "<|IM_S|>", END: "<|IM_E|>", THINK: "<THINK>", "<|user|>": "<|USER|>", "<|a|>": "<|A|>"}
    state = json.loads(package.to_str())
    for added in state["added_tokens"]:
        added["content"] = other.get(added["content"], added["content"])
    renamed = tokenizers.Tokenizer.from_str(json.dumps(state))
    user, template = f"{START}{more}{THINK}", "".join(parts)
    text = f"{user}{template}{user}"
    names = SpecialNames.of(ours, THINK)
    first, last = len(user), len(user) + len(template)
    found = names.encode(text, lambda start, end: start >= first and end <= last)
    inside = template
    for name in sorted(names.ids, key=len, reverse=True):
        inside = inside.replace(name, other.get(name, name))
    ids = renamed.encode(f"{user}{inside}{user}", add_special_tokens=False).ids
    back = {
        renamed.token_to_id(new): package.token_to_id(old) for old, new in other.items() if renamed.token_to_id(new)
    }
    assert found == [back.get(token, token) for token in ids]


def test_every_special_token_of_the_vocabulary_stays_plain() -> None:
    """All names in a text, one after the other: none of their tokens comes."""
    for package, ours in MADE.values():
        names = SpecialNames.of(ours, THINK)
        text = " and ".join([*package.get_added_tokens_decoder()[0].content, *names.ids, "".join(names.ids)])
        assert not set(names.encode(text, lambda start, end: False)) & set(names.ids.values())


def gguf(kinds: dict[str, int], **keys: Any) -> Tokenizer:
    """Our own reader of a vocabulary in GGUF, of scored pieces or byte pairs."""
    letters = [f"<0x{byte:02X}>" for byte in range(256)]
    tokens = ["<unk>", "<s>", "</s>", *letters, "▁", "a", "b", *kinds]
    types = [2, 3, 3, *[6] * 256, 1, 1, 1, *kinds.values()]
    values = {"model": "llama", "tokens": tokens, "token_type": types, "scores": [0.0] * len(tokens), **keys}
    return read_gguf(msgpack.packb({f"tokenizer.ggml.{key}": value for key, value in values.items()}), "m.gguf")


def test_a_vocabulary_of_gguf() -> None:
    """Text between special tokens is encoded apart; a user-defined token that the template writes is none of users."""
    ours = gguf({START: 3, THINK: 4, "ab": 4}, add_space_prefix=False)
    names = SpecialNames.of(ours, "x <think> y")
    assert set(names.ids) == {"<s>", "</s>", START, THINK}
    text = f"{START}a{THINK}b{START}"
    start, think = ours.special(START), ours.special(THINK)
    one, two = (ours.encode(letter, bos=False) for letter in "ab")
    assert names.encode(text, lambda start, end: True) == [start, *one, think, *two, start]
    forged = names.encode(text, lambda start, end: start == 0)
    assert forged[0] == start
    assert ours.text(forged) == f"a{THINK}b{START}"
    assert not {start, think} & set(forged[1:])
    assert ours.special("ab") in names.encode("ab", lambda start, end: False)  # of no template


def test_the_longest_name_counts_that_may() -> None:
    """Where a longer one may not, a shorter one at its place may."""
    ours = gguf({"<x>": 3, "<x>y": 3})
    names = SpecialNames.of(ours, "")
    ids = [ours.special("<x>"), ours.special("<x>y")]
    assert names.encode("<x>y", lambda start, end: True) == [ids[1]]
    assert names.encode("<x>y", lambda start, end: end == 3)[0] == ids[0]


def test_other_tokenizers() -> None:
    """SentencePiece's control pieces, and llama2.c's two."""
    model = read_sentencepiece(scored(control_symbols=["[INST]"]), "t.model")
    names = SpecialNames.of(model, "")
    assert set(names.ids) == {"<s>", "</s>", "[INST]"}
    found = names.encode("[INST]the</s>", lambda start, end: start == 0)
    assert found == [model.special("[INST]"), *model.encode("the</s>", bos=False)]
    letters = [b"<unk>", b"<s>", b"</s>", *(b"<0x%02X>" % byte for byte in range(256)), b"a"]
    tiny = Llama2cTokenizer(tuple(letters), (0.0,) * len(letters))
    assert SpecialNames.of(tiny, "").encode("<s>a", lambda start, end: True)[0] == 1
    assert (tiny.name(2), tiny.name(259), dict(tiny.added)) == ("</s>", "a", {})


def test_a_tokenizer_that_makes_a_special_token_of_text_is_found_out() -> None:
    """A vocabulary may have a special token's name among its pieces."""
    state = json.loads(MADE["gpt2"][0].to_str())
    state["model"] = {"type": "WordLevel", "vocab": {END: 0, "a": 1, "[UNK]": 2}, "unk_token": "[UNK]"}
    state["added_tokens"] = [{**state["added_tokens"][0], "content": END, "id": 0}]
    state["pre_tokenizer"] = {"type": "WhitespaceSplit"}
    ours = read_json(json.dumps(state).encode(), "t.json")
    with pytest.raises(UsageError, match=r"makes a special token of mere text: found <\|im_end\|>\. Leave it out"):
        SpecialNames.of(ours, "").encode(f"a {END}", lambda start, end: False)


def test_private_use_characters_of_a_user() -> None:
    """They stay, whichever stand for names; a text with all of them is refused."""
    package, ours = MADE["gpt2"]
    names = SpecialNames.of(ours, "")
    text = "".join(map(chr, range(0xF0000, 0xF0000 + 9))) + f"{END}a{START}"
    found = names.encode(text, lambda start, end: text[start:end] == START)
    assert package.decode(found, skip_special_tokens=False) == text
    every = "".join(map(chr, [*range(0xF0000, 0xFFFFE), *range(0x100000, 0x10FFFE)])) + END
    with pytest.raises(UsageError, match="too many different private-use characters"):
        names.encode(every, lambda start, end: False)


def test_a_name_beside_a_word() -> None:
    """A token that counts as a whole word only is text beside a word, also where users' names are in the text."""
    package, _ = both("gpt2")
    package.add_special_tokens([AddedToken("<|w|>", single_word=True)])  # type: ignore[list-item]
    ours = read_json(package.to_str().encode(), "t.json")
    names = SpecialNames.of(ours, "")
    text = "<|w|>a <|w|> b"
    expected = package.encode(text, add_special_tokens=False).ids
    assert names.encode(text, lambda start, end: True) == expected
    forged = names.encode(f"{text}{END}", lambda start, end: end <= len(text))
    assert forged[: len(expected)] == expected
    assert package.decode(forged, skip_special_tokens=False) == text + END


def test_a_prompt_with_special_tokens() -> None:
    """BOS comes once, whether the prompt has it or not."""
    package, _ = both("gpt2")
    package.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])  # type: ignore[assignment]
    ours = read_json(package.to_str().encode(), "t.json")
    expected = package.encode(f"<s>{START}user", add_special_tokens=False).ids
    assert parsed(ours, f"{START}user") == parsed(ours, f"<s>{START}user") == expected
    assert parsed(ours, "") == [0]
    assert ours.encode(f"{START}user") != expected


def test_what_has_no_token_is_refused() -> None:
    """Also beside special tokens, and a lone surrogate."""
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={"a": 0, "b": 1}, merges=[]))
    made.add_special_tokens([END])
    names = SpecialNames.of(read_json(made.to_str().encode(), "t.json"), "")
    assert names.encode(f"ab{END}a", lambda start, end: True) == [0, 1, 2, 0]
    with pytest.raises(UsageError, match="the vocabulary has no token for a part of the text"):
        names.encode(f"abc{END}", lambda start, end: True)
    with pytest.raises(UsageError, match="the text is not Unicode"):
        names.encode("\ud800", lambda start, end: True)
