"""Writes the shipped model's tokenizer as a Hugging Face folder has it, into `fourcc/example/hf/`.

    python -m tests.models.hugging_face

Byte pairs as in Llama 2's: a space is U+2581, what no token has falls back to bytes. Each token's merges stand at its
own rank, so that they are made in the order of llama2.c's scores. A talk has no roles: the model goes on with what it
was told. A story ends where the next would begin, so both BOS and EOS end an answer.
"""

import json
from pathlib import Path

from fourcc.models.tokenizers.llama2c import read_llama2c

EXAMPLE = Path(__file__).parents[2] / "fourcc" / "example"
SPECIAL = ("<unk>", "<s>", "</s>")
BYTES = 256
SPACE = "\u2581"
TEMPLATE = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "add_bos_token": True,
    "add_eos_token": False,
    "chat_template": TEMPLATE,
}
GENERATION = {"bos_token_id": 1, "eos_token_id": [1, 2]}


def tokenizer() -> dict[str, object]:
    """The shipped tokenizer as a tokenizer.json."""
    found = read_llama2c((EXAMPLE / "tiny_tokenizer.bin").read_bytes(), "tiny_tokenizer.bin")
    names = [*SPECIAL, *(piece.decode().replace(" ", SPACE) for piece in found.pieces[len(SPECIAL) :])]
    learnt = range(len(SPECIAL) + BYTES, len(names))
    merges = [pair for token in sorted(learnt, key=lambda each: -found.scores[each]) for pair in halves(token, names)]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_special(token, name) for token, name in enumerate(SPECIAL)],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [{"type": "Prepend", "prepend": SPACE}, _replaced(" ", SPACE)],
        },
        "pre_tokenizer": None,
        "post_processor": _begun_by("<s>", 1),
        "decoder": {"type": "Sequence", "decoders": [_replaced(SPACE, " "), *DECODERS]},
        "model": {**MODEL, "vocab": {name: token for token, name in enumerate(names)}, "merges": merges},
    }


DECODERS = ({"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0})
MODEL = {
    "type": "BPE",
    "dropout": None,
    "unk_token": "<unk>",
    "continuing_subword_prefix": None,
    "end_of_word_suffix": None,
    "fuse_unk": True,
    "byte_fallback": True,
    "ignore_merges": False,
}


def halves(token: int, names: list[str]) -> list[list[str]]:
    """All pairs of tokens that make up one."""
    known, name = set(names), names[token]
    pairs = ([name[:cut], name[cut:]] for cut in range(1, len(name)))
    return [pair for pair in pairs if known.issuperset(pair)]


def _special(token: int, name: str) -> dict[str, object]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": token, "content": name, **flags, "special": True}


def _replaced(old: str, new: str) -> dict[str, object]:
    return {"type": "Replace", "pattern": {"String": old}, "content": new}


def _begun_by(name: str, token: int) -> dict[str, object]:
    begin = {"SpecialToken": {"id": name, "type_id": 0}}
    single = [begin, {"Sequence": {"id": "A", "type_id": 0}}]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {name: {"id": name, "ids": [token], "tokens": [name]}},
    }


def files() -> dict[str, str]:
    """Name -> text of each file."""
    made = {"tokenizer.json": tokenizer(), "tokenizer_config.json": CONFIG, "generation_config.json": GENERATION}
    return {name: json.dumps(found, ensure_ascii=False, indent=1) + "\n" for name, found in made.items()}


def main() -> None:
    """Writes them."""
    for name, text in files().items():
        (EXAMPLE / "hf" / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
