"""The notes of a run: on its temporary file, and on a talk."""

import io
import json
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from fourcc.cli.app import main
from fourcc.models import temporary
from fourcc.models.opening import open_to_run
from tests.conftest import ROOT
from tests.properties.note_models import vocabulary
from tests.properties.note_texts import is_said, texts_of
from tests.sources.writers import gguf_key, gguf_llama, llama, written

TEMPLATE = "{% for m in messages if m.role != 'system' %}[INST] {{ m.content }} [/INST]{% endfor %}"
TALK = ("-m", "chat", "-y", "", "-t", "0", "-n", "60")


def model(folder: Path, *keys: bytes) -> Path:
    """A random GGUF model of 300 tokens, which hardly ever ends an answer."""
    h, tensors = llama(dim=32, hidden=48, heads=4, kv_heads=2, vocab=300, seq=128, shared=False)
    tensors["output"][2] *= 0
    return written(folder, "m.gguf", gguf_llama(h, tensors, *vocabulary(300), *keys))


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]  # noqa: ANN201 - untyped
    """Runs the command with messages at its standard input; gives what it wrote, and its notes."""

    def call(*arguments: object) -> tuple[str, set[str]]:
        monkeypatch.setattr("sys.stdin", io.StringIO("Hello\nAnd then?\n"))
        assert main(["run", *map(str, arguments)]) == 0
        captured = capsys.readouterr()
        return captured.out, set(re.findall("^fourcc: note: (.*)$", captured.err, re.MULTILINE))

    return call


def test_talks(talk, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - as above
    """The template that is named is the one that is used, and the context is full where it is said to be."""
    notes: set[str] = set()
    for keys, why in (([], "the model brings none; --template NAME chooses"), ([TEMPLATE], "as the model's own says")):
        path = model(tmp_path, *[gguf_key("tokenizer.chat_template", 8, key) for key in keys])
        out, said = talk(path, *TALK)
        notes |= said
        (name,) = (note.split()[2].rstrip(":") for note in said if note.endswith(why))
        assert talk(path, *TALK, "--template", name)[0] == out
        ended = [json.loads(line) for line in talk(path, *TALK, "--json")[0].splitlines()][-1]
        assert ("the talk has all the tokens that -n or the context of the model allows, and ends" in said) is (
            ended["reason"] == "length"
        )
        assert len(talk(path, *TALK, "-n", 90)[0]) > len(out)
    said = {text for name in ("run.py", "render/run_output.py") for text in texts_of(ROOT / "cli" / name)}
    unseen = {text for text in said if not is_said(text.removeprefix("fourcc: note: "), notes)}
    assert unseen == {"prompt: .* tokens, .* tok/s; "}  # the speed


def test_a_system_prompt_that_a_template_drops(talk, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - as above
    """Where the note comes, the first message is read as one that begins with it; without one nothing changes."""
    path = model(tmp_path, gguf_key("tokenizer.chat_template", 8, TEMPLATE))
    events = (*TALK[:2], *TALK[4:], "--json")
    said = {}
    for system in ("Be kind.", ""):
        out, said[system] = talk(path, *events, "-y", system)
        (first, *_) = (json.loads(line) for line in out.splitlines() if '"prompt"' in line)
        said[system, "tokens"] = first["tokens"]
    note = "the chat template takes no system prompt, so it stands before the first message"
    assert (note in said["Be kind."], note in said[""]) == (True, False)
    texts = "[INST] Be kind.\n\nHello [/INST]", "[INST] Hello [/INST]"
    with ExitStack() as stack:
        tokenizer = open_to_run(path, stack)[0].tokenizer
        expected = [tokenizer.encode(text, bos=False) for text in texts]
    assert [said["Be kind.", "tokens"], said["", "tokens"]] == expected


def test_without_jinja2(talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - as above
    """The family's template is named, and is the one that is used."""
    path = model(tmp_path, gguf_key("tokenizer.chat_template", 8, "[INST] <<SYS>>"))
    monkeypatch.setattr("fourcc.models.template_choice.is_installed", lambda: False)
    out, notes = talk(path, *TALK)
    (note,) = (note for note in notes if note.startswith("chat template"))
    assert "the model's own is of this family, and may say more" in note
    assert note.endswith("such as a system prompt: `pip install 'jinja2>=3.1.6'` runs it")
    assert talk(path, *TALK, "--template", note.split()[2].rstrip(":"))[0] == out


def test_a_temporary_file_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A note comes where the system's own command says that the folder is in memory; it has the file's size."""
    for folder in ("/dev/shm", str(tmp_path)):  # noqa: S108 - the usual RAM disk
        if not Path(folder).is_dir():
            continue
        kind = subprocess.check_output(["stat", "-f", "-c", "%T", folder], text=True).strip()
        monkeypatch.setattr("tempfile.tempdir", folder)
        monkeypatch.setattr(temporary, "WORTH_A_NOTE", 0)
        with ExitStack() as stack:
            opened, notes = open_to_run(model(tmp_path), stack)
            size = opened.file.size >> 20
        said = f"the converted model takes {size} MiB of memory: {folder} is a RAM disk. TMPDIR=FOLDER says where "
        assert [note.startswith(said) for note in notes] == ([True] if kind in ("tmpfs", "ramfs") else [])
