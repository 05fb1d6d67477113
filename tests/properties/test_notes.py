"""Every note is derived anew from what was done: each note has one check, and the texts in the code are all covered."""

import re

import pytest

from fourcc.sources import tokenizer
from tests.conftest import ROOT
from tests.properties.note_cases import Case, case_of
from tests.properties.note_checks import CHECKS
from tests.properties.note_models import MODELS
from tests.properties.note_texts import is_said, texts_of


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """The results for each model."""
    return {name: case_of(model, tmp_path_factory.mktemp("model")) for name, model in MODELS.items()}


@pytest.mark.parametrize("name", MODELS)
def test_what_is_noted_was_done(cases: dict[str, Case], name: str) -> None:
    """Each note has one check, and it holds."""
    for where, note in dict.fromkeys(cases[name].notes):
        found = [(check, match) for pattern, check in CHECKS.items() if (match := re.fullmatch(pattern, note))]
        assert len(found) == 1, f"a note needs its check, and one alone: {note}"
        ((check, match),) = found
        check(cases[name], where, match)


def noted(cases: dict[str, Case]) -> set[str]:
    """All notes."""
    return {note for case in cases.values() for _, note in case.notes}


def test_every_check_was_needed(cases: dict[str, Case]) -> None:
    """A check that nothing tries would rot."""
    seen = noted(cases)
    assert not [pattern for pattern in CHECKS if not any(re.fullmatch(pattern, note) for note in seen)]


def test_what_is_left_out_is_noted(cases: dict[str, Case]) -> None:
    """Each file of a tokenizer beside the weights is kept, or a note names it."""
    known = {tokenizer.JSON, tokenizer.SENTENCEPIECE, tokenizer.CHAT_TEMPLATE, *tokenizer.COMPANIONS}
    for name, case in cases.items():
        there = [path.name for path in (case.folder / "in").iterdir() if path.name in known]
        notes = " ".join(note for where, note in case.notes if where == "source")
        assert [file for file in there if file not in case.blobs and file not in notes] == [], name


# -- whatever the code may say

MAKERS = (
    "fourcc/sources/*.py",
    "fourcc/sources/weight_only/*.py",
    "fourcc/exporters/*.py",
    "fourcc/conversion/fallback_notes.py",
    "fourcc/conversion/pipeline.py",
    "fourcc/conversion/plan.py",
)
NO_NOTES = {"plugged", "model_card"}  # what calls plugins, and a text of its own
# Texts that are no notes: parts of errors that are put together elsewhere, and of what a listing shows.
OTHERS = {
    " .* of .* cannot be used: .*.",  # a broken plugin, in the error for a file that nothing recognises
    "a .* checkpoint cannot be made of this model: .*",
    "a window in .* of the layers",
    "an array of .*",
    "it has more tensors",
    "not a SentencePiece model",
    "It has .*. Name one of them: .*",  # models of a repository, in the hint of an error
    "It has .*: a pickle can execute code, and is neither downloaded nor read.",
    "a model.bin, *.*, *.* and *.*",  # what a folder may hold
    "rows that are no multiple of .*",
    "the list of a GGUF file's keys",
    "the tokenizer cannot cut a text",
    "the value of .*",
    ".* is not valid msgpack: .*: .*",
    ", or .* without RoPE tables",
    ".* of .* (ggml type .*, .* weights in .* bytes)",  # a fork's layout, in a listing
}
ELSEWHERE = {  # notes that tests/calibration/test_converting.py checks
    "error feedback is not used: no tensor is encoded in a format that takes it",
}


def test_every_text_was_seen(cases: dict[str, Case]) -> None:
    """Some model gave every text in the makers' code that may be a note or a part of one."""
    paths = [path for pattern in MAKERS for path in sorted(ROOT.glob(pattern)) if path.stem not in NO_NOTES]
    assert len(paths) > 40
    said, notes = set().union(*map(texts_of, paths)), noted(cases)
    assert {text for text in said if not is_said(text, notes)} == OTHERS | ELSEWHERE
